"""Audiences and deliveries: their input, and the project's own functions on it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scripts.benchmarks import AS_OF
from scripts.benchmarks.inputs import copy_warehouse, make_events
from scripts.benchmarks.ours import LIBRARY, read_events

from segmentation.activation.audiences import describe_people, judge_people, list_members
from segmentation.config.audiences import AudienceSettings
from segmentation.config.features import FeatureSettings
from segmentation.config.settings import Settings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.features.build import measure_features
from segmentation.runtime.stage import StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import export

CHANGED = 100
"""One person in so many is told otherwise by the second delivery."""

_SEGMENTS = {f"s-{number}": f"Segment {number}" for number in range(6)}
_NOW = datetime(2026, 4, 1, 6, tzinfo=UTC)


def make_people_with_events(spark: SparkSession, rows: int, path: Path) -> None:
    """Events, and the features of those who are in them."""
    make_events(spark, rows, path / "events")
    events = read_events(spark, path / "events")
    measure_features(events, events, FeatureSettings(library=LIBRARY), AS_OF).write.parquet(str(path / "features"))


def fifty_audiences(spark: SparkSession, source: Path, target: Path) -> None:
    """Fifty audiences in one pass: half by what people did in some days, half by features and segments."""
    _audiences(spark, source, target, 50)


def one_audience(spark: SparkSession, source: Path, target: Path) -> None:
    """The first of them by itself."""
    _audiences(spark, source, target, 1)


def _audiences(spark: SparkSession, source: Path, target: Path, how_many: int) -> None:
    audiences = [AudienceSettings.model_validate({"name": f"a{n}", "who": _who(n)}) for n in range(how_many)]
    features = spark.read.parquet(str(source / "features"))
    segments = features.select("person_id", _segment_of(F.col("person_id")).alias("segment_id"))
    nobody = features.limit(0)
    people = describe_people(features, segments, nobody, nobody, nobody, audiences)
    judged = judge_people(people, read_events(spark, source / "events"), audiences, _SEGMENTS, {}, AS_OF)
    list_members(judged, audiences).write.parquet(str(target))


def _who(number: int) -> dict[str, Any]:
    step = number // 2
    did = {"did": {"event": ("purchase", "add_to_cart", "search")[step % 3]}, "window_days": 5 + 3 * step}
    if number % 2 == 0:
        return {**did, "at_least": 1 + step % 4}
    feature = {"feature": LIBRARY[step % len(LIBRARY)], "at_least": step}
    return {"all": [feature, {"segment": list(_SEGMENTS)[: 1 + step % 5]}]}


def _segment_of(person: Column) -> Column:
    return F.concat(F.lit("s-"), F.pmod(F.xxhash64(person), F.lit(len(_SEGMENTS))).cast("string"))


def make_delivered_warehouse(spark: SparkSession, rows: int, path: Path) -> None:
    """A warehouse whose first version of segments was delivered, and whose second moves one person in a hundred; and
    the members of both as files, for who has no such warehouse."""
    warehouse = Warehouse(spark, str(path / "warehouse"), "first")
    people = spark.range(0, rows, 1, numPartitions=4).select(F.md5(F.col("id").cast("string")).alias("person_id"), "id")
    number = F.pmod(F.xxhash64("person_id"), F.lit(len(_SEGMENTS)))
    moved = F.pmod(F.xxhash64("person_id", F.lit("moves")), F.lit(CHANGED)) == 0
    after = F.when(moved, (number + 1) % len(_SEGMENTS)).otherwise(number)
    segments = [
        people.select(
            F.lit(version).cast("long").alias("segment_version"),
            "person_id",
            F.concat(F.lit("s-"), place.cast("string")).alias("segment_id"),
            F.concat(F.lit("Segment "), place.cast("string")).alias("segment_name"),
            F.lit("model").alias("method"),
        )
        for version, place in ((1, number), (2, after))
    ]
    for name, frame in zip(("before", "after"), segments, strict=True):
        frame.select("person_id", "segment_id", "segment_name").write.parquet(str(path / name))
    profiles = [
        {"segment_version": version, "segment_id": segment, "segment_name": name, "description": "", "size": 1}
        | {"share": 1 / len(_SEGMENTS)}
        for version in (1, 2)
        for segment, name in _SEGMENTS.items()
    ]
    warehouse.replace("segments", _as_table("segments", segments[0].unionByName(segments[1])))
    warehouse.replace("segment_profiles", _rows(spark, "segment_profiles", profiles))
    warehouse.replace("segment_versions", _versions(spark, published=1))
    _export(spark, path / "warehouse", path / "delivered")
    warehouse.replace("segment_versions", _versions(spark, published=2))


def deliver(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `export` with a CSV file of changes."""
    copy = target.with_name("warehouse-copy")
    shutil.rmtree(copy, ignore_errors=True)
    copy_warehouse(source / "warehouse", copy)
    _export(spark, copy, target)


def _export(spark: SparkSession, at: Path, folder: Path) -> None:
    columns = {"event_name": "event", "event_ts": "at", "identifiers": {"user_id": "user"}}
    settings = Settings.model_validate(
        {
            "warehouse": str(at),
            "sources": [{"name": "web", "format": "parquet", "path": "web", "columns": columns}],
            "identity": {"identifiers": {"user_id": {}}},
            "exports": [{"name": "changes", "type": "csv", "path": str(folder), "sends": "changes"}],
        }
    )
    warehouse, stage = Warehouse(spark, str(at), "benchmark"), export.STAGE
    versions = {name: warehouse.version(name) for name in (*stage.reads, *stage.state)}
    inputs = {name: version for name, version in versions.items() if version is not None}
    stage.run(StageContext(spark, settings, warehouse, inputs, _NOW, lambda _: None, "benchmark"))


def count_delivered(target: Path) -> dict[str, int]:
    """Rows of the files of a delivery."""
    return {"rows": sum(len(file.read_bytes().splitlines()) - 1 for file in target.glob("*.csv"))}


def _versions(spark: SparkSession, published: int) -> DataFrame:
    return _rows(
        spark,
        "segment_versions",
        [
            {"segment_version": version, "as_of": AS_OF, "model_id": "m", "inputs": {}, "metrics": {}}
            | {"status": "published" if version == published else "retired", "created_ts": _NOW}
            | {"config_sha256": "c", "code_version": "1", "continuity": json.dumps({}), "fingerprint": "f"}
            for version in (1, 2)
        ],
    )


def _rows(spark: SparkSession, table: str, rows: list[dict[str, Any]]) -> DataFrame:
    names = CATALOGUE[table].column_names
    return spark.createDataFrame([tuple(row.get(name) for name in names) for row in rows], CATALOGUE[table].schema)


def _as_table(table: str, rows: DataFrame) -> DataFrame:
    absent = [field for field in CATALOGUE[table].schema if field.name not in rows.columns]
    filled = rows.withColumns({field.name: F.lit(None).cast(field.dataType) for field in absent})
    return filled.select(*CATALOGUE[table].column_names)
