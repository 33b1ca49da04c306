"""Running stages: what is recorded, what is passed over, and what a failure leaves."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from time import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyspark.sql import SparkSession
from tests.factories import minimal_settings

from segmentation.config.settings import Settings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import ConfigError, InputError, WarehouseBusyError
from segmentation.runtime import record
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.runtime.warehouse import Warehouse


def _persons(context: StageContext) -> Outcome:
    rows = [("p1", None, None, 1, {}), ("p2", None, None, 2, {})]
    written = context.warehouse.replace("persons", context.spark.createDataFrame(rows, CATALOGUE["persons"].schema))
    return Outcome(rows_in=3, rows_out=written.rows, figures={"refused": 1})


def _stage(run=_persons, **changes) -> Stage:
    base = {
        "name": "identity",
        "help": "",
        "reads": ("events",),
        "writes": ("persons",),
        "run": run,
        "depends_on": lambda settings: settings.identity,
    }
    return Stage(**{**base, **changes})


@pytest.fixture
def settings(warehouse_path: Path) -> Settings:
    return minimal_settings(warehouse=str(warehouse_path))


def _run(spark: SparkSession, settings: Settings, stage: Stage, log: io.StringIO | None = None) -> str:
    progress = Progress("json", log or io.StringIO())
    return run_stages(spark, settings, [stage], Request(), progress)[0].mode


def test_a_run_is_recorded_and_reused_until_something_changes(spark: SparkSession, settings: Settings) -> None:
    log = io.StringIO()
    assert _run(spark, settings, _stage(), log) == "full"
    said = json.loads(log.getvalue())
    assert (said["stage"], said["rows_in"], said["rows_out"], said["figures"]) == (
        "identity",
        3,
        2,
        {"refused": 1},
    )

    warehouse = Warehouse(spark, settings.warehouse)
    version = warehouse.version("persons")
    assert _run(spark, settings, _stage()) == "reused"
    assert warehouse.version("persons") == version, "a stage that is passed over writes nothing"

    other = settings.model_copy(update={"identity": settings.identity.model_copy(update={"max_component_size": 7})})
    assert _run(spark, other, _stage()) == "full"

    runs = warehouse.read("runs").orderBy("started_ts").collect()
    assert [(row["status"], row["mode"]) for row in runs] == [
        ("succeeded", "full"),
        ("succeeded", "reused"),
        ("succeeded", "full"),
    ]
    assert runs[0]["outputs"] == {"persons": version}
    metadata = spark.sql(f"DESCRIBE HISTORY delta.`{settings.warehouse}/persons` LIMIT 1").first()["userMetadata"]
    assert metadata == runs[2]["run_id"]


def test_a_stage_goes_on_from_before_where_only_what_it_follows_has_changed(
    spark: SparkSession, settings: Settings
) -> None:
    def go_on(context: StageContext) -> Outcome:
        return replace(_persons(context), mode="incremental" if context.earlier else "full")

    modes = [
        _run(spark, settings, _stage(go_on, incremental=True, follows=lambda _, said=said: said)) for said in "aab"
    ]
    assert modes == ["full", "reused", "incremental"]


def test_a_failure_is_recorded_without_what_it_quotes(spark: SparkSession, settings: Settings) -> None:
    def fail(_: StageContext) -> Outcome:
        raise ValueError("jane@example.com is not a number")

    with pytest.raises(ValueError, match="jane"):
        _run(spark, settings, _stage(fail))
    row = Warehouse(spark, settings.warehouse).read("runs").first()
    assert (row["status"], row["error"]) == ("failed", "ValueError")
    assert _run(spark, settings, _stage()) == "full", "a failed stage is not passed over"


def test_a_missing_table_is_said_with_the_next_step(spark: SparkSession, settings: Settings) -> None:
    def read(context: StageContext) -> Outcome:
        context.read("events")
        raise AssertionError

    with pytest.raises(InputError, match=r"'events' does not exist .* run the stage that writes it first"):
        _run(spark, settings, _stage(read))


def test_two_runs_at_once(spark: SparkSession, settings: Settings) -> None:
    with Warehouse(spark, settings.warehouse).lock(), pytest.raises(WarehouseBusyError, match="Another run"):
        _run(spark, settings, _stage())


@pytest.mark.parametrize(
    ("patience", "said"),
    [(0, {"identity": "succeeded", "sessions": "running"}), (3600, {})],
)
def test_work_is_written_down_when_there_has_been_enough_of_it(
    patience: float, said: dict[str, str], spark: SparkSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "PATIENCE", patience)
    seen = {}

    def look(context: StageContext) -> Outcome:
        written = context.warehouse.read_or_empty("runs").collect()
        seen.update({row["stage"]: row["status"] for row in written})
        return Outcome(rows_in=0, rows_out=0)

    stages = [_stage(), _stage(look, name="sessions", writes=())]
    run_stages(spark, settings, stages, Request(), Progress("json", io.StringIO()))
    assert seen == said
    warehouse = Warehouse(spark, settings.warehouse)
    rows = warehouse.read("runs").collect()
    assert {row["stage"]: row["status"] for row in rows} == {"identity": "succeeded", "sessions": "succeeded"}
    before = warehouse.version("runs")
    run_stages(spark, settings, stages, Request(), Progress("json", io.StringIO()))
    assert Warehouse(spark, settings.warehouse).version("runs") == before + 1, "all that is passed over is one commit"


def test_long_work_is_written_down_with_the_next_that_it_says(
    spark: SparkSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(context: StageContext) -> Outcome:
        context.tell("half of it")
        assert not context.warehouse.exists("runs"), "it has not been at work for long"
        monkeypatch.setattr(record, "PATIENCE", 0)
        context.tell("the other half")
        assert [row["status"] for row in context.warehouse.read("runs").collect()] == ["running"]
        return Outcome(rows_in=0, rows_out=0)

    monkeypatch.setattr(record, "PATIENCE", 3600)
    assert _run(spark, settings, _stage(work, writes=())) == "full"
    assert [row["status"] for row in Warehouse(spark, settings.warehouse).read("runs").collect()] == ["succeeded"]


def test_how_each_stage_ended_last_is_there_for_prometheus(spark: SparkSession, warehouse_path: Path) -> None:
    metrics = warehouse_path.parent / "node" / "segmentation.prom"
    settings = minimal_settings(warehouse=str(warehouse_path), monitoring={"prometheus": str(metrics)})

    def fail(context: StageContext) -> Outcome:
        raise InputError("broken")

    def read() -> dict[tuple[str, str], float]:
        families = text_string_to_metric_families(metrics.read_text(encoding="utf-8"))
        return {(s.name, s.labels.get("figure", s.labels["stage"])): s.value for one in families for s in one.samples}

    _run(spark, settings, _stage())
    first = read()
    assert first["segmentation_stage_succeeded", "identity"] == 1
    assert (first["segmentation_stage_rows_in", "identity"], first["segmentation_stage_rows_out", "identity"]) == (3, 2)
    assert first["segmentation_stage_figure", "refused"] == 1
    size = sum(file.stat().st_size for file in (warehouse_path / "persons").glob("*.parquet"))
    assert first["segmentation_stage_bytes_written", "identity"] == size

    with pytest.raises(InputError):
        _run(spark, settings, _stage(fail, name="sessions", writes=("sessions",)))
    second = read()
    assert second["segmentation_stage_succeeded", "sessions"] == 0
    assert second["segmentation_stage_ended_timestamp_seconds", "sessions"] == pytest.approx(time(), abs=60)
    own = {key: value for key, value in second.items() if key[1] in ("identity", "refused")}
    assert own == first, "what ended before is told as before"


def test_metrics_that_cannot_be_written_are_said(spark: SparkSession, warehouse_path: Path) -> None:
    in_the_way = warehouse_path.parent / "file"
    in_the_way.touch()
    watched = {"prometheus": str(in_the_way / "segmentation.prom")}
    settings = minimal_settings(warehouse=str(warehouse_path), monitoring=watched)
    with pytest.raises(ConfigError, match=r"monitoring\.prometheus: .* cannot be written"):
        _run(spark, settings, _stage())
