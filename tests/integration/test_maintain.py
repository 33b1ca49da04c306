"""Looking after the tables: what goes, what stays, and that nothing has to be done again for it."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from tests.ageing import age_table
from tests.factories import minimal_settings, table_rows
from tests.finished import KEY, FinishedShop

from segmentation.config.settings import load_settings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import assign, export, features, identity, maintain, sessions, train

TODAY = date(2026, 3, 31)


def _persons(spark: SparkSession, *names: str) -> DataFrame:
    rows = [{"person_id": name, "identifier_count": 1} for name in names]
    return table_rows(spark, "persons", rows).coalesce(1)


def _version(spark: SparkSession, number: int, status: str, persons: int) -> DataFrame:
    values = {
        "segment_version": number,
        "as_of": TODAY,
        "model_id": "m",
        "status": status,
        "inputs": {"persons": persons},
        "metrics": {},
        "created_ts": datetime(2026, 3, 1, tzinfo=UTC),
        "config_sha256": "c",
        "code_version": "c",
        "fingerprint": "f",
        "continuity": "{}",
    }
    return table_rows(spark, "segment_versions", [values])


def _maintain(spark: SparkSession, folder: Path, **settings: object) -> StageReport:
    settled = minimal_settings(warehouse=str(folder), maintenance=settings)
    return run_stages(spark, settled, [maintain.STAGE], Request(TODAY), Progress(stream=io.StringIO()))[0]


def test_versions_go_by_their_age_unless_a_segment_version_was_made_from_them(
    spark: SparkSession, warehouse_path: Path
) -> None:
    for number, name in enumerate(("first", "second", "third", "fourth")):
        if number:
            age_table(warehouse_path / "persons", timedelta(days=10))
        Warehouse(spark, str(warehouse_path)).replace("persons", _persons(spark, name))
    age_table(warehouse_path / "persons", timedelta(days=40))
    warehouse = Warehouse(spark, str(warehouse_path))
    warehouse.replace("persons", _persons(spark, "fifth"))
    warehouse.append("segment_versions", _version(spark, 1, "rejected", persons=1))
    warehouse.append("segment_versions", _version(spark, 2, "retired", persons=3))

    report = _maintain(spark, warehouse_path)
    assert report.figures["bytes_freed"] > 0
    now = Warehouse(spark, str(warehouse_path))
    assert [row["person_id"] for row in now.read("persons", 3).collect()] == ["third"], "version 2 was made from it"
    assert [row["person_id"] for row in now.read("persons", 4).collect()] == ["fourth"]
    assert [row["person_id"] for row in now.read("persons").collect()] == ["fifth"]
    with pytest.raises((PySparkException, Py4JJavaError)):
        now.read("persons", 1).collect()

    # As it gets older, it is as readable as before.
    age_table(warehouse_path / "persons", timedelta(days=30))
    later = Warehouse(spark, str(warehouse_path)).read("persons", 3)
    assert [row["person_id"] for row in later.collect()] == ["third"]


def test_small_files_are_put_together_and_old_rows_go(spark: SparkSession, warehouse_path: Path) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    refused = {"source": "web", "reasons": ["r"], "raw": "{}", "quarantined_ts": datetime(2026, 1, 1, tzinfo=UTC)}
    for number, when in enumerate((datetime(2026, 1, 1), datetime(2026, 3, 30), datetime(2026, 3, 31))):
        row = {**refused, "batch_id": f"b{number}", "quarantined_ts": when.replace(tzinfo=UTC)}
        warehouse.append("events_quarantine", table_rows(spark, "events_quarantine", [row]))
    before = warehouse.content("events_quarantine")

    report = _maintain(spark, warehouse_path, keep_rows_days={"events_quarantine": 30})
    assert report.figures["rows_deleted"] == 1
    assert report.figures["files_joined"] >= 1
    after = Warehouse(spark, str(warehouse_path))
    kept = after.read("events_quarantine")
    assert {row["batch_id"] for row in kept.collect()} == {"b1", "b2"}
    assert len(kept.inputFiles()) == 1
    assert (before, after.content("events_quarantine"), after.version("events_quarantine")) == (3, 4, 5)

    again = _maintain(spark, warehouse_path, keep_rows_days={"events_quarantine": 30})
    assert not any(again.figures.values())
    assert Warehouse(spark, str(warehouse_path)).version("events_quarantine") == 5


def test_of_what_people_said_the_last_word_stays_however_old(spark: SparkSession, warehouse_path: Path) -> None:
    said = [
        ("ann", "mail", True, 1, "first"), ("ann", "mail", False, 2, "took it back"), ("ann", "sale", True, 1, "only"),
        ("bob", "mail", True, 3, "a yes"), ("bob", "mail", False, 3, "and a no"), ("bob", "mail", True, 80, "new"),
    ]  # fmt: skip
    rows = [
        {"identifier_type": "user_id", "identifier_value": who, "purpose": purpose, "granted": granted, "source": "web",
         "event_id": event, "batch_id": "b", "consent_ts": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)}
        for who, purpose, granted, day, event in said
    ]  # fmt: skip
    Warehouse(spark, str(warehouse_path)).append("consent", table_rows(spark, "consent", rows))
    assert _maintain(spark, warehouse_path, keep_rows_days={"consent": 30}).figures["rows_deleted"] == 1
    kept = Warehouse(spark, str(warehouse_path)).read("consent").collect()
    assert {row["event_id"] for row in kept} == {"took it back", "only", "a yes", "and a no", "new"}


def test_after_it_nothing_has_to_be_done_again(
    spark: SparkSession, finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    config = finished_shop.copy_to(tmp_path)
    tables = {name: Warehouse(spark, str(tmp_path / "warehouse")).read(name) for name in ("events", "segments")}
    rows = {name: sorted(map(repr, df.collect())) for name, df in tables.items()}
    assert run_command(["maintain", "--config", str(config)]) == 0

    warehouse = Warehouse(spark, str(tmp_path / "warehouse"))
    moved = {name for name in CATALOGUE if warehouse.version(name) != warehouse.content(name)}
    assert {"events", "identity_quality"} <= moved
    assert {name: sorted(map(repr, warehouse.read(name).collect())) for name in tables} == rows

    stages = [identity.STAGE, sessions.STAGE, features.STAGE, train.STAGE, assign.STAGE, export.STAGE]
    reports = run_stages(spark, load_settings(config), stages, Request(), Progress(stream=io.StringIO()))
    assert [report.mode for report in reports[:4]] == ["reused"] * 4
    assert reports[4].message == "version 2 has this already (published)"
    assert reports[5].message == "crm holds it already"


def test_events_are_not_deleted_for_their_age(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).parents[2] / "conf" / "example.yml"
    options = ["--set", "maintenance.keep_rows_days.events=30", "--set", f"warehouse={tmp_path}"]
    assert run_command(["maintain", "--config", str(example), *options]) == 2
    said = capsys.readouterr().err
    assert "maintenance.keep_rows_days" in said
    assert "'events' are not deleted for their age" in said
