"""The stage `sessions` on its tables."""

from __future__ import annotations

import io
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession
from tests.factories import event_values, identity_values, minimal_settings, write_table

from segmentation import open_warehouse
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import sessions

EVENTS = [
    {"event_ts": datetime(2026, 3, 1, 12), "event_name": "view"},
    {"event_ts": datetime(2026, 3, 1, 12, 10), "event_name": "buy", "amount": 9.5},
    {"event_ts": datetime(2026, 3, 1, 12, 20), "is_bot": True},
    {"event_ts": datetime(2026, 3, 2, 9), "identifiers": {"cookie": "c"}},
    {"event_ts": datetime(2026, 3, 3, 9), "identifiers": {"cookie": "c"}},
]


def _run(spark: SparkSession, folder: Path, as_of: date) -> StageReport:
    settings = minimal_settings(warehouse=str(folder))
    (report,) = run_stages(spark, settings, [sessions.STAGE], Request(as_of), Progress(stream=io.StringIO()))
    return report


def test_sessions_are_cut_up_to_the_date_and_keep_their_ids(spark: SparkSession, warehouse_path: Path) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    write_table(warehouse.root, "events", event_values(EVENTS))
    write_table(warehouse.root, "identity_map", identity_values({("user_id", "u"): "ann", ("cookie", "c"): "ann"}))

    report = _run(spark, warehouse_path, date(2026, 3, 2))
    assert (report.rows_in, report.rows_out) == (5, 2)
    first = warehouse.read("sessions").orderBy("session_start").collect()
    assert [(s["person_id"], s["events"], s["exit_event"]) for s in first] == [
        ("ann", 2, "buy"),
        ("ann", 1, "page_view"),
    ]

    assert _run(spark, warehouse_path, date(2026, 3, 3)).rows_out == 3
    then = warehouse.read("sessions").orderBy("session_start").collect()
    assert then[:2] == first


def test_the_timeout_that_the_gaps_support_is_said_and_drawn_and_nothing_is_written(
    spark: SparkSession, tmp_path: Path, warehouse_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    moments = [datetime(2026, 1, day) + timedelta(seconds=16 * n) for day in range(1, 29) for n in range(6)]
    write_table(warehouse.root, "events", event_values({"event_ts": at} for at in moments))
    write_table(warehouse.root, "identity_map", identity_values({("user_id", "u"): "ann"}))
    config, picture = tmp_path / "shop.yml", tmp_path / "gaps.html"
    settings = {"warehouse": str(warehouse_path), "sessions": {"timeout_minutes": 2000}}
    config.write_text(yaml.safe_dump(minimal_settings().model_dump(mode="json", exclude_unset=True) | settings))
    asked = ["sessions", "--suggest-timeout", "--config", str(config), "--as-of", "2026-01-31"]

    assert run_command([*asked, "--log-format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["gaps"] == 28 * 6 - 1
    assert found["by"] == [{"from_seconds": 16.0, "gaps": 140}, {"from_seconds": pytest.approx(77935.8), "gaps": 27}]
    assert 2 < found["timeout_minutes"] < 720

    assert run_command([*asked, "--output", str(picture)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "It cuts at 27 of 167 gaps; the 2000 of now cuts at 27 fewer." in said
    page = picture.read_text(encoding="utf-8")
    assert "<svg" in page
    assert "supported:" in page
    assert open_warehouse(config).suggest_timeout("2026-01-31").suggestion.timeout_minutes == found["timeout_minutes"]
    assert not warehouse.exists("sessions")
    assert not warehouse.exists("runs")

    assert run_command(["sessions", "--config", str(config), "--output", str(picture)]) == 2
    assert "--output goes with --suggest-timeout" in capsys.readouterr().err
