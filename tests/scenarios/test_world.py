"""A small world through the commands: simulated, run and scored, with floors under what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.scenarios.floors import find_breaches, read_floors

from segmentation.runtime.cli import run_command

CONFIG = Path(__file__).parents[2] / "conf" / "world.yml"
# Four weeks, so that there are few files, with every event of a longer world in them.
KNOBS = {
    "seed": 7,
    "people": 200,
    "days": 28,
    "files": "month",
    "population.change_day": 14,
    "disorder.drift_day": 20,
    "season.spike_day": 17,
    "campaign.day": 18,
    "campaign.window_days": 7,
    # Of 200 people there would be less than one of each.
    "intruders.bots_per_thousand": 20,
    "intruders.tests_per_thousand": 20,
}
# Which algorithm is best is looked at elsewhere, and so is how steady it is; of a hundred people one may be a segment.
QUICK = {
    "clustering.algorithms": "[kmeans]",
    "clustering.stability.refits": 0,
    "segments.gates.min_segment_share": 0,
    "segments.gates.max_moved_share": 1,
}
STAGES = "ingest,identity,sessions,features,train,assign,publish"


def options(values: Mapping[str, object]) -> list[str]:
    return [option for key, value in values.items() for option in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def score(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """What was measured, by area. The configuration's paths count from the current folder, as for its users."""
    folder = tmp_path_factory.mktemp("scenario")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SEGMENTATION_KEY", "0123456789abcdef" * 4)
        assert run_command(["simulate", "--dest", f"{folder}/world", *options(KNOBS)]) == 0
        config = ["--config", str(CONFIG), *options(QUICK)]
        # A version of the day before people changed, and one of the end: what moves between them has known causes.
        assert run_command(["run", *config, "--stages", STAGES, "--as-of", "2026-01-18"]) == 0
        assert run_command(["run", *config, "--stages", STAGES]) == 0
        assert run_command(["score", *config, "--truth", f"{folder}/world/truth", "--out", "score.json"]) == 0
    return json.loads((folder / "score.json").read_text(encoding="utf-8"))["measured"]


def test_every_floor_holds(score: dict[str, dict[str, float]]) -> None:
    assert find_breaches(score, read_floors()) == []
