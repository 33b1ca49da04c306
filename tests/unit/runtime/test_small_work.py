"""How work is set about: by how much there is to read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession
from tests.factories import minimal_settings

from segmentation.config.settings import Settings
from segmentation.runtime import small_work
from segmentation.runtime.small_work import fitting_conf

KEYS = {
    *("spark.sql.codegen.wholeStage", "spark.sql.codegen.factoryMode", "spark.sql.adaptive.enabled"),
    *("spark.sql.shuffle.partitions", "spark.databricks.delta.snapshotPartitions"),
}


def _settings(folder: Path, **further: Any) -> Settings:
    base = minimal_settings(warehouse=str(folder / "warehouse"))
    sources = [base.sources[0].model_copy(update={"path": str(folder / "events" / "*.csv")})]
    return base.model_copy(update={"sources": sources, **further})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(small_work, "SMALL", 1_000)
    for name in ("events", "warehouse/events"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "events" / "one.csv").write_bytes(b"x" * 500)
    return tmp_path


def test_what_is_small_is_set_about_lightly(spark: SparkSession, folder: Path) -> None:
    assert set(fitting_conf(spark, _settings(folder))) == KEYS


@pytest.mark.parametrize("where", ["events/two.csv", "warehouse/events/part.parquet"])
def test_sources_and_tables_count_together(spark: SparkSession, folder: Path, where: str) -> None:
    (folder / where).write_bytes(b"x" * 600)
    assert fitting_conf(spark, _settings(folder)) == {}


def test_only_what_a_source_matches_counts(spark: SparkSession, folder: Path) -> None:
    (folder / "events" / "notes.txt").write_bytes(b"x" * 600)
    assert set(fitting_conf(spark, _settings(folder))) == KEYS


@pytest.mark.parametrize("warehouse", ["s3a://shop/warehouse", "main.shop"])
def test_what_is_elsewhere_may_be_large(spark: SparkSession, folder: Path, warehouse: str) -> None:
    assert fitting_conf(spark, _settings(folder, warehouse=warehouse)) == {}


@pytest.mark.parametrize("path", ["events/{one,two}.csv", "events/*.json", "missing"])
def test_what_cannot_be_told_may_be_large(spark: SparkSession, folder: Path, path: str) -> None:
    settings = _settings(folder)
    sources = [settings.sources[0].model_copy(update={"path": str(folder / path)})]
    assert fitting_conf(spark, settings.model_copy(update={"sources": sources})) == {}


def test_a_cluster_compiles(folder: Path) -> None:
    cluster = cast(SparkSession, SimpleNamespace(sparkContext=SimpleNamespace(master="local-cluster[2,1,1024]")))
    assert fitting_conf(cluster, _settings(folder)) == {}


def test_what_the_configuration_says_stands(spark: SparkSession, folder: Path) -> None:
    settings = _settings(folder)
    said = settings.spark.model_copy(update={"conf": {"spark.sql.codegen.wholeStage": True}})
    conf = fitting_conf(spark, settings.model_copy(update={"spark": said}))
    assert set(conf) == KEYS - {"spark.sql.codegen.wholeStage"}
