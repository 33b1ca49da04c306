"""One day more of ninety, on tables: a hundredth of the day's events came late, from up to three weeks before."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scripts.benchmarks import AS_OF
from scripts.benchmarks.inputs import make_events

from segmentation.config.settings import Settings
from segmentation.runtime.stage import Earlier, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import sessions

_YESTERDAY = AS_OF - timedelta(days=1)
_NOW = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) + timedelta(days=1)
_LATE_DAYS = 21
_SETTINGS = {
    "sources": [
        {
            "name": "web",
            "format": "parquet",
            "path": "none",
            "columns": {"event_name": "name", "event_ts": "at", "identifiers": {"user_id": "who"}},
        }
    ],
}


def make_warehouse(spark: SparkSession, rows: int, path: Path) -> None:
    """A warehouse with the sessions of 89 days, to which then the events of one more day were added."""
    make_events(spark, rows, path / "events")
    made = spark.read.parquet(str(path / "events"))
    # Of each of so many days before, as many come late as make a hundredth of a day altogether.
    late = (F.pmod(F.xxhash64("event_id"), F.lit(100 * _LATE_DAYS)) == 0) & (
        F.col("event_date") >= AS_OF - timedelta(days=_LATE_DAYS)
    )
    events = made.withColumns(
        {
            "identifiers": F.create_map(F.lit("user_id"), "person_id"),
            **dict.fromkeys(("received_ts", "session_key", "currency", "properties", "weight"), F.lit(None)),
            **dict.fromkeys(("is_bot", "is_test"), F.lit(False)),
            **dict.fromkeys(("source", "batch_id"), F.lit("web")),
            "batch_seq": F.when(late | (F.col("event_date") == AS_OF), 2).otherwise(1),
        }
    )
    warehouse = Warehouse(spark, str(path / "warehouse"), "benchmark")
    for batch, day in ((1, _YESTERDAY), (2, None)):
        there = events.where(F.col("batch_seq") <= batch)
        arrived = events.where(F.col("batch_seq") == batch).repartitionByRange(4, "event_ts")
        warehouse.append("events", arrived)
        warehouse.replace("identity_map", _owners(there))
        if day:
            sessions.STAGE.run(_context(spark, warehouse, None))


def _owners(events: DataFrame) -> DataFrame:
    known: dict[str, Column] = {
        "identifier_type": F.lit("user_id"),
        "identifier_value": F.col("person_id"),
        "confidence": F.lit(1.0),
        "since": F.col("first_seen"),
        **dict.fromkeys(("component", "hub_reason"), F.lit(None)),
    }
    return (
        events.groupBy("person_id")
        .agg(
            F.min("event_ts").alias("first_seen"),
            F.max("event_ts").alias("last_seen"),
            F.count("*").alias("events"),
            F.min("batch_seq").alias("first_batch_seq"),
        )
        .withColumns(known)
    )


def cut_the_day(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `sessions`, going on from the day before."""
    _run(spark, source, target, Earlier({"events": 1, "identity_map": 1}, _YESTERDAY))


def cut_everything(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `sessions` with --full."""
    _run(spark, source, target, None)


def _run(spark: SparkSession, source: Path, target: Path, earlier: Earlier | None) -> None:
    shutil.copytree(source / "warehouse", target)
    sessions.STAGE.run(_context(spark, Warehouse(spark, str(target), "benchmark"), earlier))


def _context(spark: SparkSession, warehouse: Warehouse, earlier: Earlier | None) -> StageContext:
    as_of = AS_OF if warehouse.exists("sessions") else _YESTERDAY
    tables = ("events", "identity_map", "sessions")
    return context_of(spark, warehouse, {"identity": {"identifiers": {"user_id": {}}}}, tables, as_of, earlier)


def context_of(
    spark: SparkSession,
    warehouse: Warehouse,
    config: dict[str, Any],
    tables: Sequence[str],
    as_of: date,
    earlier: Earlier | None,
) -> StageContext:
    """What a stage is given that reads these tables, as they are now."""
    settings = Settings.model_validate({**_SETTINGS, **config, "warehouse": warehouse.root})
    versions = {name: warehouse.version(name) for name in tables}
    inputs = {name: version for name, version in versions.items() if version is not None}
    return StageContext(
        spark, settings, warehouse, inputs, _NOW, lambda _: None, "benchmark", as_of_option=as_of, earlier=earlier
    )


def count_sessions(target: Path) -> dict[str, int]:
    """Sessions, and the events in them."""
    table = DeltaTable(target / "sessions").to_pyarrow_table(columns=["events"])
    return {"sessions": table.num_rows, "events": int(pc.sum(table["events"]).as_py())}
