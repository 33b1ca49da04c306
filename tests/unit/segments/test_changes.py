"""Why people moved: replayed under the old model and with the old features."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import DataFrame, SparkSession

from segmentation.clustering.fitted import FittedModel
from segmentation.clustering.scorer import Scorer
from segmentation.config.segments import SegmentSettings
from segmentation.segments import changes
from segmentation.segments.changes import Placing, Replay, explain_moves, find_moves

MODEL = FittedModel("m", 1, "kmeans", 3, ("x",), "set", date(2026, 3, 31), "_models/m", (), "")


SEGMENT = "person_id string, segment_id string, model_segment_id string"


def test_moves_are_everyone_who_is_elsewhere_new_or_gone(spark: SparkSession) -> None:
    before = spark.createDataFrame([("stays", "s", "s"), ("moves", "s", "s"), ("goes", "s", "s")], SEGMENT)
    now = spark.createDataFrame([("stays", "s", "s"), ("moves", "t", "t"), ("comes", "t", "t")], SEGMENT)
    found = {r["person_id"]: (r["from_segment_id"], r["to_segment_id"]) for r in find_moves(now, before).collect()}
    assert found == {"moves": ("s", "t"), "goes": ("s", None), "comes": (None, "t")}


def test_whom_the_model_would_have_left_rules_have_moved(spark: SparkSession) -> None:
    before = [("forced", "s", "s"), ("let_go", "vip", "s"), ("changed", "vip", "s"), ("stays", "vip", "s")]
    now = [("forced", "vip", "s"), ("let_go", "s", "s"), ("changed", "t", "t"), ("stays", "vip", "t")]
    moves = find_moves(spark.createDataFrame(now, SEGMENT), spark.createDataFrame(before, SEGMENT))
    assert {r["person_id"]: r["by_rule"] for r in moves.collect()} == {"forced": True, "let_go": True, "changed": False}


@pytest.fixture
def replay(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Replay:
    """Two models by thresholds: the old one cuts at 10 and 20, the new one at 15 and 20."""

    def place(features: DataFrame, scorer: Scorer, settings: object) -> DataFrame:
        return scorer.fitted.transform(features)

    monkeypatch.setattr(changes, "place_people", place)

    def cutting(low: int) -> Placing:
        statement = (
            f"SELECT person_id, CASE WHEN x < {low} THEN 0 WHEN x < 20 THEN 1 ELSE 2 END AS cluster, "
            "CAST(NULL AS DOUBLE) AS probability, CAST(NULL AS DOUBLE) AS margin, 0 AS nearest_other FROM __THIS__"
        )
        return Placing(
            Scorer(MODEL, PipelineModel([SQLTransformer(statement=statement)])), {0: "low", 1: "mid", 2: "high"}
        )

    before = [("behaved", 1.0), ("refitted", 12.0), ("both", 12.0), ("back", 12.0), ("ruled", 1.0), ("left", 1.0)]
    now = [("behaved", 17.0), ("refitted", 13.0), ("both", 25.0), ("back", 5.0), ("ruled", 1.0), ("new", 1.0)]
    return Replay(
        before=cutting(10),
        now=cutting(15),
        features_before=spark.createDataFrame(before, "person_id string, x double"),
        features_now=spark.createDataFrame(now, "person_id string, x double"),
    )


def test_causes_are_found_by_replaying(spark: SparkSession, replay: Replay) -> None:
    moves = spark.createDataFrame(
        [
            ("behaved", "low", "mid", False),
            ("refitted", "mid", "low", False),
            ("both", "mid", "high", False),
            ("back", "mid", "low", False),
            ("ruled", "low", "vip", True),
            ("left", "low", None, None),
            ("new", None, "low", None),
        ],
        "person_id string, from_segment_id string, to_segment_id string, by_rule boolean",
    )
    found = {r["person_id"]: r["cause"] for r in explain_moves(moves, replay, SegmentSettings()).collect()}
    assert found == {
        "behaved": "behaviour",
        "refitted": "refit",
        "both": "behaviour",
        "back": "behaviour",
        "ruled": "rule",
        "left": "left",
        "new": "new",
    }


def test_a_move_that_the_refit_alone_explains_is_the_refits(spark: SparkSession, replay: Replay) -> None:
    # By the old model they would be in `high` now; the new model puts them into `low`, with their old features too.
    now = spark.createDataFrame([("odd", 22.0)], "person_id string, x double")
    moves = spark.createDataFrame(
        [("odd", "mid", "low", False)],
        "person_id string, from_segment_id string, to_segment_id string, by_rule boolean",
    )
    before = spark.createDataFrame([("odd", 12.0)], "person_id string, x double")
    why = replace(replay, features_now=now, features_before=before)
    assert [r["cause"] for r in explain_moves(moves, why, SegmentSettings()).collect()] == ["refit"]


def test_without_a_replay_all_other_moves_have_the_given_cause(spark: SparkSession) -> None:
    moves = spark.createDataFrame(
        [("a", "s", "t", False), ("b", None, "t", None), ("c", "s", None, None)],
        "person_id string, from_segment_id string, to_segment_id string, by_rule boolean",
    )
    for cause in ("behaviour", "refit"):
        found = {r["person_id"]: r["cause"] for r in explain_moves(moves, cause, SegmentSettings()).collect()}
        assert found == {"a": cause, "b": "new", "c": "left"}
