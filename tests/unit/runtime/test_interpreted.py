"""Whether plans are compiled: by how much there is to read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession
from tests.factories import minimal_settings

from segmentation.config.settings import Settings
from segmentation.runtime import interpreted
from segmentation.runtime.interpreted import fitting_plans

KEYS = {"spark.sql.codegen.wholeStage", "spark.sql.codegen.factoryMode"}


def _settings(folder: Path, **further: Any) -> Settings:
    base = minimal_settings(warehouse=str(folder / "warehouse"))
    sources = [base.sources[0].model_copy(update={"path": str(folder / "events" / "*.csv")})]
    return base.model_copy(update={"sources": sources, **further})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(interpreted, "SMALL", 1_000)
    for name in ("events", "warehouse/events"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "events" / "one.csv").write_bytes(b"x" * 500)
    return tmp_path


def test_what_is_small_is_interpreted(spark: SparkSession, folder: Path) -> None:
    assert set(fitting_plans(spark, _settings(folder))) == KEYS


@pytest.mark.parametrize("where", ["events/two.csv", "warehouse/events/part.parquet"])
def test_sources_and_tables_count_together(spark: SparkSession, folder: Path, where: str) -> None:
    (folder / where).write_bytes(b"x" * 600)
    assert fitting_plans(spark, _settings(folder)) == {}


def test_only_what_a_source_matches_counts(spark: SparkSession, folder: Path) -> None:
    (folder / "events" / "notes.txt").write_bytes(b"x" * 600)
    assert set(fitting_plans(spark, _settings(folder))) == KEYS


@pytest.mark.parametrize("warehouse", ["s3a://shop/warehouse", "main.shop"])
def test_what_is_elsewhere_may_be_large(spark: SparkSession, folder: Path, warehouse: str) -> None:
    assert fitting_plans(spark, _settings(folder, warehouse=warehouse)) == {}


def test_a_cluster_compiles(folder: Path) -> None:
    cluster = cast(SparkSession, SimpleNamespace(sparkContext=SimpleNamespace(master="local-cluster[2,1,1024]")))
    assert fitting_plans(cluster, _settings(folder)) == {}


def test_what_the_configuration_says_stands(spark: SparkSession, folder: Path) -> None:
    settings = _settings(folder)
    said = settings.spark.model_copy(update={"conf": {"spark.sql.codegen.wholeStage": True}})
    plans = fitting_plans(spark, settings.model_copy(update={"spark": said}))
    assert set(plans) == {"spark.sql.codegen.factoryMode"}
