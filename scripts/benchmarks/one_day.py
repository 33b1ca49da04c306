"""One day more of ninety, on tables: a hundredth of the day's events came late, from up to three weeks before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scripts.benchmarks import AS_OF
from scripts.benchmarks.inputs import copy_warehouse, make_events

from segmentation.config.settings import Settings
from segmentation.runtime.stage import Earlier, Stage, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import features, sessions

_YESTERDAY = AS_OF - timedelta(days=1)
_NOW = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) + timedelta(days=1)
_LATE_DAYS = 21
_BEFORE = Earlier({"events": 1, "identity_map": 1}, _YESTERDAY)
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


def make_warehouse_to_cut(spark: SparkSession, rows: int, path: Path) -> None:
    """A warehouse with the sessions of 89 days, to which then the events of one more day were added."""
    _make_warehouse(spark, rows, path, (sessions.STAGE,))


def make_warehouse_to_measure(spark: SparkSession, rows: int, path: Path) -> None:
    """The same with the features of 89 days, too, and with the sessions of the day."""
    _make_warehouse(spark, rows, path, (sessions.STAGE, features.STAGE))
    warehouse = Warehouse(spark, str(path / "warehouse"), "benchmark")
    sessions.STAGE.run(_context(spark, warehouse, AS_OF, _BEFORE))


def _make_warehouse(spark: SparkSession, rows: int, path: Path, stages: Sequence[Stage]) -> None:
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
            for stage in stages:
                stage.run(_context(spark, warehouse, day, None))


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
    _run(spark, source, target, sessions.STAGE, _BEFORE)


def cut_everything(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `sessions` with --full."""
    _run(spark, source, target, sessions.STAGE, None)


def measure_the_day(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `features`, going on from the day before."""
    _run(spark, source, target, features.STAGE, _BEFORE)


def measure_everything(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `features` with --full."""
    _run(spark, source, target, features.STAGE, None)


def _run(spark: SparkSession, source: Path, target: Path, stage: Stage, earlier: Earlier | None) -> None:
    copy_warehouse(source / "warehouse", target)
    stage.run(_context(spark, Warehouse(spark, str(target), "benchmark"), AS_OF, earlier))


def _context(spark: SparkSession, warehouse: Warehouse, as_of: date, earlier: Earlier | None) -> StageContext:
    tables = ("events", "identity_map", "sessions", "features", "feature_profiles")
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


def count_people(target: Path) -> dict[str, int]:
    """People measured on the last day, and the days since they last bought, or did anything."""
    table = DeltaTable(target / "features").to_pyarrow_table(filters=[("as_of", "=", AS_OF)], columns=["recency"])
    return {"people": table.num_rows, "recency": int(pc.sum(table["recency"]).as_py())}


def count_sessions(target: Path) -> dict[str, int]:
    """Sessions, and the events in them."""
    table = DeltaTable(target / "sessions").to_pyarrow_table(columns=["events"])
    return {"sessions": table.num_rows, "events": int(pc.sum(table["events"]).as_py())}
