"""`simulate` and `score` on bad input: status 2, one sentence, and nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from segmentation.api import simulate
from segmentation.bed.score import Tables, Truth, score_world
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError
from segmentation.runtime.cli import run_command

EARLY = [
    *("population.change_day=14", "disorder.drift_day=20", "season.spike_day=17"),
    *("campaign.day=18", "campaign.window_days=7"),
]
"""What happens in a world happens within four weeks."""


def test_simulate_writes_nothing_where_something_is(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    assert run_command(["simulate", "--dest", str(tmp_path), "--set", "people=10"]) == 2
    assert "is not empty: nothing was written" in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_world_is_made_from_python(spark: SparkSession, tmp_path: Path) -> None:
    world = simulate(f"{tmp_path}/world", overrides=["people=20", "days=28", "files=month", *EARLY])
    assert world.people == 20
    assert spark.read.parquet(f"{tmp_path}/world/truth/people").count() == 20
    assert Truth.open(spark, f"{tmp_path}/world/truth").said["world_id"] == world.world_id


def test_a_tiny_world_in_which_a_key_is_in_no_line_is_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", "0" * 64)
    simulate(f"{tmp_path}/world", overrides=["people=10", "days=28", "files=month", *EARLY])
    text = Path("conf/world.yml").read_text(encoding="utf-8").replace("world/", f"{tmp_path}/world/")
    (tmp_path / "world.yml").write_text(text, encoding="utf-8")
    assert run_command(["ingest", "--config", str(tmp_path / "world.yml")]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("knob", "said"),
    [
        ("people=3", "people"),
        ("typing.typo=1.5", "typing.typo"),
        ("disorder.drift_day=98", "disorder.drift_day (98)"),
        ("peopel=100", "people"),
    ],
)
def test_simulate_refuses_a_knob_out_of_range(
    knob: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["simulate", "--dest", str(tmp_path / "world"), "--set", knob]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_score_wants_the_truth_of_a_finished_world(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "world.yml"
    config.write_text(
        f"warehouse: {tmp_path}/warehouse\n"
        f"sources: [{{name: web, format: json, path: {tmp_path}/web, columns: "
        "{event_name: event, event_ts: ts, identifiers: {cookie: anon_id}}}]\n"
        "identity: {identifiers: {cookie: {}}}\n",
        encoding="utf-8",
    )
    out = tmp_path / "score.json"
    command = ["score", "--config", str(config), "--truth", str(tmp_path), "--out", str(out)]
    assert run_command(command) == 2
    assert "is not the truth of a finished world" in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


@pytest.mark.parametrize("ids", [["1-a", "2-b"], ["a", "b"], ["2-b"]])
def test_score_refuses_the_truth_of_another_world(spark: SparkSession, ids: list[str]) -> None:
    events = spark.createDataFrame([(name, "web") for name in ids], "event_id string, source string").selectExpr(
        "*", "date '2026-01-05' as event_date"
    )
    tables = Tables({"events": events}.get, lambda name, version: events)
    truth = Truth(spark, "nowhere", {"world_id": "1", "knobs": {"people": 10}})
    with pytest.raises(ConfigError, match="does not belong to this warehouse"):
        score_world(tables, truth, Settings.model_construct())
