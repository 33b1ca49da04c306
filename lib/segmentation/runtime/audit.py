"""The table `audit_log`: adding acts to it, and reading it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.errors import InputError
from segmentation.contracts.privacy import AUDIT_LOG
from segmentation.privacy.audit import Act, BrokenChainError, End, Entry, chain_acts, check_chain
from segmentation.runtime.warehouse import Warehouse

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def audit(warehouse: Warehouse, acts: Sequence[Act]) -> None:
    """Adds those of `acts` that the log does not have yet, in one append, under the warehouse's lock.

    What left its own rows elsewhere (a delivery, a publication) is told from these, so a run that was killed before
    its acts were here is made up for by the next run of the same stage.
    """
    if not acts:
        return
    log = warehouse.read_or_empty(AUDIT_LOG.name)
    micros, since = F.unix_micros("acted_ts"), min(_micros(act.acted_ts) for act in acts)
    row = log.agg(
        F.max_by(F.struct("entry", "entry_hash"), "entry").alias("end"),
        F.collect_set(F.when(micros >= since, F.struct("action", "subject", micros))).alias("known"),
    ).first()
    assert row is not None, "an aggregate without groups has one row"
    known = {tuple(act) for act in row["known"]}
    new = [act for act in acts if (act.action, act.subject, _micros(act.acted_ts)) not in known]
    if new:
        end = End(*row["end"]) if row["end"] else End()
        entries = [
            tuple(getattr(entry, name) for name in AUDIT_LOG.column_names)
            for entry in chain_acts(new, end, _actor(), warehouse.run_id)
        ]
        warehouse.append(AUDIT_LOG.name, warehouse.spark.createDataFrame(entries, AUDIT_LOG.schema).coalesce(1))


def read_entries(log: DataFrame) -> Iterator[Entry]:
    """Rows of `audit_log` as they stand in order; one partition of them at a time comes to the driver."""
    columns = [name if name != "acted_ts" else F.unix_micros(name).alias(name) for name in AUDIT_LOG.column_names]
    for row in log.orderBy("entry", "entry_hash").select(*columns).toLocalIterator():
        yield Entry(**row.asDict() | {"acted_ts": _EPOCH + timedelta(microseconds=row["acted_ts"])})


def verify_log(log: DataFrame) -> End:
    """Reads the whole log and returns where it ends. Raises `InputError` at the first entry that was changed, or that
    others before it are missing of."""
    try:
        return check_chain(read_entries(log))
    except BrokenChainError as broken:
        raise InputError(
            f"The audit log is broken at entry {broken.entry}, which {broken.what}: keep the table as it is, and "
            "compare it with a copy from before (Delta's history of it says when it was written)."
        ) from None


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container in which the user has no name
        return "unknown"
