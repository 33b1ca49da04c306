"""The table `runs`, read back: which runs there were, and what each of their stages did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.errors import ConfigError, InputError

_WORST_FIRST = ("failed", "running", "succeeded")
_TOLD = ("stage", "status", "mode", "started_ts", "ended_ts", "rows_in", "rows_out", "figures", "error")


@dataclass(frozen=True)
class PastStage:
    """One stage of one run; `ended_ts` is None while it runs, and for ever where it was killed."""

    stage: str
    status: str
    mode: str | None
    started_ts: datetime
    ended_ts: datetime | None
    rows_in: int | None
    rows_out: int | None
    figures: dict[str, int]
    error: str | None

    @property
    def seconds(self) -> float | None:
        return None if self.ended_ts is None else (self.ended_ts - self.started_ts).total_seconds()


@dataclass(frozen=True)
class PastRun:
    """One run and its stages, in the order in which they started."""

    run_id: str
    stages: tuple[PastStage, ...]

    @property
    def status(self) -> str:
        """`failed` or `running` as soon as one of its stages is, else `succeeded`."""
        return min((stage.status for stage in self.stages), key=_WORST_FIRST.index)

    @property
    def started_ts(self) -> datetime:
        return self.stages[0].started_ts

    @property
    def seconds(self) -> float | None:
        """From the first stage's start to the last one's end; None while one runs, or where it was killed."""
        ends = [stage.ended_ts for stage in self.stages if stage.ended_ts is not None]
        return (max(ends) - self.started_ts).total_seconds() if len(ends) == len(self.stages) else None


def read_newest_runs(runs: DataFrame, most: int) -> list[PastRun]:
    """The newest runs, newest first. Raises `InputError` where there is none yet."""
    newest = runs.groupBy("run_id").agg(F.min("started_ts").alias("first")).orderBy(F.desc("first")).limit(most)
    found = _records(runs.join(F.broadcast(newest.select("run_id")), "run_id", "left_semi"))
    if not found:
        raise InputError("There was no run on this warehouse yet: start one with `segmentation run`.")
    return found


def read_run(runs: DataFrame, beginning: str) -> PastRun:
    """The run whose id begins like this. Raises `ConfigError` where there is none, or more than one."""
    found = _records(runs.where(F.col("run_id").startswith(beginning)))
    if len(found) != 1:
        many = f"there are {len(found)} runs whose ids begin so: give more of it" if found else "there is no such run"
        raise ConfigError(f"--show {beginning}: {many} (`segmentation runs` lists the newest).")
    return found[0]


def _records(rows: DataFrame) -> list[PastRun]:
    stages: dict[str, list[PastStage]] = {}
    for row in rows.select("run_id", *_TOLD).orderBy("started_ts").collect():
        values = {name: row[name] for name in _TOLD} | {"figures": row["figures"] or {}}
        values |= {name: _utc(row[name]) for name in ("started_ts", "ended_ts")}
        stages.setdefault(row["run_id"], []).append(PastStage(**values))
    found = [PastRun(run_id, tuple(records)) for run_id, records in stages.items()]
    return sorted(found, key=lambda run: run.started_ts, reverse=True)


def _utc(value: datetime | None) -> datetime | None:
    """Spark gives times without a zone, in that of this process."""
    return None if value is None else value.astimezone(UTC)
