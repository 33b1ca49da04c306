"""What stages wrote down of a version, as the report reads it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime

from pyspark.sql import SparkSession
from tests.factories import table_rows

from segmentation.clustering.comparison import Comparison
from segmentation.profiles.report.data import (
    Movement,
    PartModel,
    RuleText,
    StageRun,
)
from segmentation.profiles.report.records import read_choice, read_movements, read_profiles, read_stage_runs


def test_profiles_movements_and_runs_are_those_of_the_version(spark: SparkSession) -> None:
    figures = {"known": 1, "mean": 2.0, "median": 2.0, "standard_deviation": 0.0, "effect_size": 0.0}
    everyone = {"everyone_mean": 2.0, "everyone_median": 2.0}
    rules = {
        "fidelity": 0.9,
        "recall": 0.5,
        "any_of": [
            {"all_of": [{"feature": "visits"}], "text": "Visits more than 3", "people": 4, "right": 3},
            {"all_of": [], "text": "Everyone", "people": 4, "right": 3},
        ],
    }
    base = {"segment_name": "Frequent", "description": "4 people.", "size": 4, "share": 0.5}
    rows = [
        {"segment_version": 2, "segment_id": "s", "rules": json.dumps(rules)}
        | {"statistics": json.dumps({"visits": figures | everyone})},
        {"segment_version": 2, "segment_id": "none", "better_name": "Occasional"},
        {"segment_version": 1, "segment_id": "old"},
    ]
    profiles = table_rows(spark, "segment_profiles", [base | row for row in rows])
    found, fidelity = read_profiles(profiles, 2, "none")
    named = {profile.segment_id: profile for profile in found}
    assert (named.keys(), fidelity) == ({"s", "none"}, 0.9)
    assert named["s"].rules == [RuleText("Visits more than 3", 4, 3)]
    assert named["s"].statistics["visits"].mean == 2.0
    assert (named["s"].is_fallback, named["none"].is_fallback) == (False, True)
    assert (named["s"].better_name, named["none"].better_name) == (None, "Occasional")

    changes = [
        (2, "p1", "s", "t", "behaviour"),
        (2, "p2", "s", "t", "behaviour"),
        (2, "p3", None, "s", "new"),
        (1, "p", "s", "t", "refit"),
    ]
    columns = ("segment_version", "person_id", "from_segment_id", "to_segment_id", "cause")
    moved = table_rows(spark, "segment_changes", [dict(zip(columns, change, strict=True)) for change in changes])
    assert read_movements(moved, 2) == [Movement("behaviour", "s", "t", 2), Movement("new", None, "s", 1)]


def test_the_last_run_that_did_something_is_told(spark: SparkSession) -> None:
    base = {
        "config_sha256": "c",
        "code_version": "1",
        "status": "succeeded",
        "mode": "full",
        "rows_in": 1,
        "rows_out": 2,
    }

    def at(minute: int, **row: object) -> dict[str, object]:
        started = datetime(2026, 1, 1, 10, minute, tzinfo=UTC)
        ended = datetime(2026, 1, 1, 10, minute, 2, 500_000, tzinfo=UTC)
        return {**base, "run_id": f"r{minute}", "started_ts": started, "ended_ts": ended, **row}

    runs = [
        at(1, stage="ingest"),
        at(2, stage="features", rows_in=7),
        at(3, stage="ingest", rows_in=9),
        at(4, stage="ingest", mode="reused"),
        at(5, stage="ingest", status="failed", mode=None),
        at(6, stage="other"),
    ]
    found = read_stage_runs(table_rows(spark, "runs", runs), {"ingest": 0, "features": 1})
    assert found == [StageRun("ingest", 9, 2, 2.5), StageRun("features", 7, 2, 2.5)]


def test_the_choice_tells_every_candidate(spark: SparkSession) -> None:
    candidates = [
        {
            "algorithm": "kmeans",
            "k": 2,
            "sizes": [30, 10],
            "figures": {"silhouette": 0.4, "stability": 0.9, "stability_over_time": 0.8}
            | {"davies_bouldin": 0.7, "calinski_harabasz": 120.0, "bic": 900.0, "weakest_cluster": 0.6},
            "failure": None,
        },
        {"algorithm": "kmeans", "k": 3, "sizes": [], "figures": {}, "failure": "too few people"},
    ]
    ward = Comparison("hierarchical", 2, 40, 0, None, 0.5)
    told = {"choice": "Because.", "candidates": json.dumps(candidates), "comparisons": json.dumps([asdict(ward)])}
    parts = {"by": "attribute_region", "models": [{"value": "north", "model_id": "n1", "first": 2, "k": 3}]}
    base = {"algorithm": "kmeans", "features": ["x"], "trained_as_of": date(2026, 3, 31), "path": "p", "fit_number": 1}
    models = table_rows(
        spark,
        "models",
        [
            base
            | told
            | {"model_id": "m", "k": 2, "params": {"feature_set": "s", "parts": json.dumps(parts)}}
            | {"metrics": {}, "clusters": "[]"},
            base
            | {"model_id": "n1", "k": 3, "params": {"feature_set": "s", "people": "120", "part": "north"}}
            | {"metrics": {"silhouette": 0.6, "agreement": 0.2}, "clusters": "[]", "algorithm": "gaussian_mixture"},
        ],
    )
    choice, algorithm = read_choice(models, "m")
    assert choice is not None
    assert (choice.reason, algorithm) == ("Because.", "kmeans")
    assert choice.comparisons == [ward]
    assert choice.parts == [PartModel("north", 120, "gaussian_mixture", 3, 0.6, 0.2)]
    first, second = choice.candidates
    assert (first.over_time, second.over_time) == (0.8, None)
    assert (first.davies_bouldin, first.calinski_harabasz, first.bic, first.weakest) == (0.7, 120.0, 900.0, 0.6)
    assert (second.davies_bouldin, second.calinski_harabasz, second.bic, second.weakest) == (None,) * 4
    assert (first.silhouette, first.stability, first.smallest, first.largest, first.chosen) == (
        0.4,
        0.9,
        0.25,
        0.75,
        True,
    )
    assert (second.silhouette, second.smallest, second.failure, second.chosen) == (None, None, "too few people", False)
    assert read_choice(models, "n") == (None, "unknown")
