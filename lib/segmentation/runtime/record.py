"""What one run leaves in `runs`, and what it finds there of earlier ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from pyspark.sql import functions as F

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.runtime.stage import Earlier, Outcome, Stage
from segmentation.runtime.warehouse import Warehouse

PATIENCE = 30.0
"""Seconds of work that a run may do before it is written down."""


class RunRecord:
    """The rows of one run, one a stage.

    On small data a commit costs more than most stages. So a run is written down when it is over, and before that with
    the first that it has to say (`keep_up`) once `PATIENCE` has passed since it began, or was written last: a run that
    is killed before leaves nothing here, or `running` for a stage that had ended, which is done again, with the same
    result.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self._written_at = time.monotonic()
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._written: dict[str, Mapping[str, Any]] = {}
        self._newest: tuple[int | None, date | None] = (None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()

    def begin(self, row: Mapping[str, Any]) -> None:
        """Says that a stage is at work."""
        self._rows[row["stage"]] = row
        self.keep_up()

    def keep_up(self) -> None:
        """Writes down how far the run is, where it has been at work for long enough."""
        if time.monotonic() - self._written_at >= PATIENCE:
            self._write()

    def end(self, row: Mapping[str, Any]) -> None:
        """Says what became of a stage."""
        self._rows[row["stage"]] = row

    def last_ends(self) -> dict[str, Mapping[str, Any]]:
        """How each stage ended last, in this run or before: stage -> row of `runs`."""
        now = {stage: row for stage, row in self._rows.items() if row["status"] != "running"}
        columns = CATALOGUE["runs"].column_names
        return {**self._earlier, **{stage: {name: row.get(name) for name in columns} for stage, row in now.items()}}

    def newest_event(self) -> date | None:
        """The date of the newest event taken in, UTC; None where there is none."""
        version = self.warehouse.version("ingest_batches")
        if version != self._newest[0]:
            row = self.warehouse.read("ingest_batches").agg(F.max("max_event_date")).first()
            self._newest = version, row[0] if row else None
        return self._newest[1]

    def reusable(self, stage: Stage, fingerprint: str) -> Outcome | None:
        """What the stage did when it last ended, if that was well, with this fingerprint, and its tables are there."""
        last = self._earlier.get(stage.name)
        same = last is not None and last["status"] == "succeeded" and last["fingerprint"] == fingerprint
        if not same or not all(self.warehouse.exists(name) for name in stage.writes):
            return None
        assert last is not None
        return Outcome(last["rows_in"], last["rows_out"], last["figures"] or {}, message="nothing it reads has changed")

    def earlier(self, stage: Stage, definition: str) -> Earlier | None:
        """What the stage's tables were made from when it last ended, where that was well and by the same definition,
        and no row of them has been changed since."""
        last = self._earlier.get(stage.name)
        if last is None or last["status"] != "succeeded" or last.get("definition") != definition:
            return None
        left = last["outputs"] or {}
        contents = {name: self.warehouse.content(name) for name in stage.writes}
        if any(content is None or content > left.get(name, -1) for name, content in contents.items()):
            return None
        return Earlier(last["inputs"] or {}, last["as_of"])

    @cached_property
    def _earlier(self) -> dict[str, Mapping[str, Any]]:
        """The last end of each stage in earlier runs, read once: whoever has the lock is the only one to write."""
        ends = self.warehouse.read_or_empty("runs").where(F.col("status").isin("succeeded", "failed"))
        # A table that was made before a column was declared does not have it yet.
        known = [name for name in CATALOGUE["runs"].column_names if name in ends.columns]
        last = ends.groupBy("stage").agg(F.max_by(F.struct(*known), "started_ts").alias("last"))
        return {row["stage"]: row["last"].asDict() for row in last.collect()}

    def _write(self) -> None:
        if self._rows == self._written:
            return
        table = CATALOGUE["runs"]
        values = [tuple(row.get(name) for name in table.column_names) for row in self._rows.values()]
        rows = self.warehouse.spark.createDataFrame(values, table.schema).coalesce(1)
        if self._written:
            self.warehouse.replace_slice("runs", rows, run_id=self.warehouse.run_id)
        else:
            self.warehouse.append("runs", rows)
        self._written, self._written_at = dict(self._rows), time.monotonic()
