"""`segmentation maintain`: old rows go, small files are put together, files that nothing needs are deleted.

No row of a table that is kept changes, and neither does any version of a table that a segment version was made from:
what was published can be looked at, explained and made current again for as long as it is there.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

from pyspark.sql import Window
from pyspark.sql import functions as F

from segmentation.config.maintenance import AGEING
from segmentation.config.settings import Settings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.runtime.warehouse import Warehouse

_MARGIN = timedelta(hours=1)
"""Clocks of a table's storage and of this machine are within this."""

REJECTED = "rejected"


def run(context: StageContext) -> Outcome:
    """Looks after each table in turn; what was done before a kill is done, and the rest is done at the next run."""
    settings, warehouse = context.settings.maintenance, context.warehouse
    figures: Counter[str] = Counter()
    pinned = oldest_pinned(context)
    names = [name for name in CATALOGUE if warehouse.exists(name)]
    for name in names:
        context.tell(name)
        if days := settings.keep_rows_days.get(name):
            figures["rows_deleted"] += _delete_older(warehouse, name, context.as_of - timedelta(days=days))
        figures["files_joined"] += warehouse.compact(name)
        keep = _kept(context, name, pinned.get(name))
        begun = warehouse.changed_at(name)
        if begun is not None and begun < context.now - keep:
            figures["bytes_freed"] += warehouse.vacuum(name, keep)
    said = f"{figures['files_joined']:,} files fewer, {figures['bytes_freed'] / 1e6:,.1f} MB freed"
    return Outcome(len(names), len(names), dict(figures), message=said)


def _delete_older(warehouse: Warehouse, name: str, day: date) -> int:
    """Deletes rows of before `day` that nothing holds on to; returns how many."""
    table, aged_by = CATALOGUE[name], AGEING[name]
    if not table.holds_for:
        return warehouse.delete_older(name, aged_by, day)
    # As of any later date the newest of those before it says the same as all of them.
    newest_first = Window.partitionBy(*table.holds_for).orderBy(F.col(aged_by).desc())
    older = warehouse.read(name).where(F.col(aged_by) < F.lit(day)).withColumn("place", F.rank().over(newest_first))
    by = (*table.keys, aged_by)
    gone = older.where("place > 1").select(*by).localCheckpoint()
    return warehouse.merge(name, gone, by, lambda merge: merge.whenMatchedDelete())


def oldest_pinned(context: StageContext) -> dict[str, int]:
    """Table -> the oldest of its Delta versions that a segment version was made from which was not rejected."""
    rows = context.read_or_empty("segment_versions").where(F.col("status") != REJECTED)
    each = rows.select(F.explode("inputs").alias("table", "version")).groupBy("table").agg(F.min("version"))
    return {row[0]: row[1] for row in each.collect()}


def _kept(context: StageContext, name: str, pinned: int | None) -> timedelta:
    """How far back versions of a table have to be readable."""
    keep = timedelta(days=context.settings.maintenance.keep_versions_days)
    if pinned is None:
        return keep
    since: datetime | None = context.warehouse.changed_at(name, pinned)
    # Where the log has forgotten when the version was made, all that the log still has is kept.
    since = since or context.warehouse.changed_at(name)
    return keep if since is None else max(keep, context.now - since + _MARGIN)


def _depends_on(settings: Settings) -> object:
    return settings.maintenance


STAGE = Stage(
    name="maintain",
    help="Look after the tables: delete old rows, put small files together, delete files that nothing needs.",
    reads=("segment_versions",),
    writes=(),
    run=run,
    depends_on=_depends_on,
    reusable=False,
)
