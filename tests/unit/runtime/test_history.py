"""`segmentation runs`: the newest runs, and the stages of one, for people and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from tests.factories import minimal_settings, table_rows

from segmentation.contracts.errors import InputError
from segmentation.runtime.cli import run_command
from segmentation.runtime.history import read_newest_runs
from segmentation.runtime.warehouse import Warehouse

START = datetime(2026, 3, 1, 4, tzinfo=UTC)


def _row(run_id: str, stage: str, minute: int, status: str = "succeeded", **values: Any) -> dict[str, Any]:
    started = START + timedelta(minutes=minute)
    ended = None if status == "running" else started + timedelta(seconds=30)
    row = {"run_id": run_id, "stage": stage, "status": status, "started_ts": started, "ended_ts": ended}
    return row | {"config_sha256": "c", "code_version": "1", "rows_in": 1200, "rows_out": 7, "mode": "full"} | values


ROWS = [
    _row("aaaa1111-2222", "features", 1, figures={"late_people": 3, "people": 1200}),
    _row("aaaa1111-2222", "ingest", 0, mode="reused"),
    _row("aaaa9999-2222", "ingest", 10),
    _row("aaaa9999-2222", "identity", 11, "failed", rows_in=None, rows_out=None, error="The table is broken."),
    _row("bbbb0000-2222", "ingest", 20, "running", rows_in=None, rows_out=None, mode=None),
]


@pytest.fixture(scope="module")
def config(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose warehouse has the record of three runs."""
    folder = tmp_path_factory.mktemp("runs")
    Warehouse(spark, str(folder / "warehouse")).replace("runs", table_rows(spark, "runs", ROWS))
    settings = minimal_settings(warehouse=str(folder / "warehouse"))
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(json.loads(settings.model_dump_json(exclude_defaults=True))), encoding="utf-8")
    return path


def test_runs_are_listed_newest_first(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["runs", "--config", str(config), "--log-format", "json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(run["run_id"][:4], run["status"], run["seconds"], run["stages"]) for run in shown] == [
        ("bbbb", "running", None, ["ingest"]),
        ("aaaa", "failed", 90.0, ["ingest", "identity"]),
        ("aaaa", "succeeded", 90.0, ["ingest", "features"]),
    ]
    assert shown[2]["started_ts"] == "2026-03-01 04:00:00+00:00"
    assert run_command(["runs", "--config", str(config), "--limit", "1"]) == 0
    text = capsys.readouterr().out
    assert "bbbb0000" in text
    assert "aaaa" not in text


def test_the_stages_of_one_run_are_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["runs", "--config", str(config), "--show", "aaaa1"]) == 0
    text = capsys.readouterr().out
    assert "Run aaaa1111-2222, started 2026-03-01 04:00 UTC" in text
    ingest, features = text.splitlines()[-2:]
    assert ingest.split() == ["ingest", "succeeded", "1,200", "7", "30.0", "reused"]
    assert features.endswith("3 late people, 1,200 people")
    assert run_command(["runs", "--config", str(config), "--show", "aaaa9", "--log-format", "json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["run_id"], last["stage"], last["error"]) == ("aaaa9999-2222", "identity", "The table is broken.")


def test_an_id_that_names_no_run_or_several_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for beginning, said in (("zz", "there is no such run"), ("aaaa", "there are 2 runs whose ids begin so")):
        assert run_command(["runs", "--config", str(config), "--show", beginning]) == 2
        assert f"--show {beginning}: {said}" in capsys.readouterr().err


def test_a_warehouse_without_runs_says_how_to_begin(spark: SparkSession) -> None:
    with pytest.raises(InputError, match="start one with `segmentation run`"):
        read_newest_runs(table_rows(spark, "runs", []), 5)
