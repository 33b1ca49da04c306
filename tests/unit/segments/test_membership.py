"""Who is in which segment: scoring, scope, the fallback, and the counts that everything else comes from."""

from __future__ import annotations

from math import nan

import pytest
from chispa import assert_df_equality
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import KMeans
from pyspark.sql import DataFrame, SparkSession
from tests.people import scorer_of

from segmentation.clustering.matching import People
from segmentation.clustering.preparation import fit_preparation
from segmentation.config.clustering import Transform
from segmentation.config.segments import SegmentSettings
from segmentation.contracts.errors import MissingColumnsError
from segmentation.segments.membership import (
    CONSENTED,
    Overlap,
    count_overlap,
    keep_scope,
    membership_rows,
    name_clusters,
    place_people,
)

BESIDE = ("unassigned", "outliers")
PLACED = "person_id string, cluster int, probability double, margin double, nearest_other int"


@pytest.fixture(scope="module")
def fitted(spark: SparkSession) -> PipelineModel:
    rows = spark.createDataFrame(
        [(float(x), float(x % 3)) for x in (*range(10), *range(90, 100))], "x double, y double"
    )
    preparation = fit_preparation(rows.coalesce(1), ["x"], Transform(winsorise=0))
    preparing = PipelineModel(preparation.transformers())
    model = KMeans(k=2, seed=1, featuresCol="prepared", predictionCol="cluster").fit(preparing.transform(rows))
    return PipelineModel([*preparing.stages, model])


def test_only_people_in_scope_of_whom_something_is_known_are_placed(spark: SparkSession, fitted: PipelineModel) -> None:
    people = [("in", 1.0, 5.0), ("few", 1.0, 1.0), ("many", 99.0, 50.0), ("unknown", 99.0, None), ("no x", nan, 5.0)]
    features = spark.createDataFrame(people, "person_id string, x double, sessions double")
    settings = SegmentSettings.model_validate({"scope": [{"feature": "sessions", "at_least": 2, "at_most": 20}]})
    found = {r["person_id"]: r for r in place_people(features, scorer_of(fitted, ["x"]), settings).collect()}
    assert {who: row["cluster"] is not None for who, row in found.items()} == {
        "in": True,
        "few": False,
        "many": False,
        "unknown": False,
        "no x": False,
    }
    assert found["in"]["margin"] > 0.9
    assert found["few"]["margin"] is None
    with pytest.raises(MissingColumnsError, match=r"segments\.scope.*lacks the column 'sessions'"):
        place_people(features.drop("sessions"), scorer_of(fitted, ["x"]), settings)


def test_who_did_not_agree_is_nowhere_by_model_or_rule(spark: SparkSession, fitted: PipelineModel) -> None:
    people = [("yes", 1.0, True), ("no", 1.0, False), ("never said", 99.0, None)]
    features = spark.createDataFrame(people, f"person_id string, x double, {CONSENTED} boolean")
    rules = [{"name": "vip", "when": [{"feature": "x", "at_least": 0}], "into": "vip"}]
    settings = SegmentSettings.model_validate({"purpose": "profiling", "rules": rules})
    found = place_people(features, scorer_of(fitted, ["x"]), settings).collect()
    assert {row["person_id"]: (row["cluster"] is not None, row["meets"]) for row in found} == {
        "yes": (True, [True]),
        "no": (False, [False]),
        "never said": (False, [False]),
    }
    assert [row["person_id"] for row in keep_scope(features, settings).collect()] == ["yes"], "to be fitted on"
    with pytest.raises(MissingColumnsError, match=CONSENTED):
        keep_scope(features.drop(CONSENTED), settings)
    with pytest.raises(MissingColumnsError, match=CONSENTED):
        place_people(features.drop(CONSENTED), scorer_of(fitted, ["x"]), settings)


@pytest.fixture(scope="module")
def placed(spark: SparkSession) -> DataFrame:
    rows = [
        ("a", 0, None, 0.9, 1),
        ("b", 0, None, 0.01, 1),
        ("c", 1, None, 0.5, 0),
        ("d", None, None, None, None),
        ("e", None, None, None, None),
    ]
    return spark.createDataFrame(rows, PLACED)


def test_people_are_counted_by_where_they_are_and_were(spark: SparkSession, placed: DataFrame) -> None:
    before = spark.createDataFrame(
        [("a", "s"), ("c", "s"), ("d", "unassigned"), ("gone", "s"), ("away", "unassigned")],
        "person_id string, segment_id string",
    )
    found = count_overlap(placed, before, SegmentSettings())
    assert found == Overlap(
        counts={(0, "s"): 1, (0, None): 1, (1, "s"): 1, (None, "unassigned"): 1, (None, None): 1},
        gone={"s": 1, "unassigned": 1},
        ambiguous=1,
    )
    assert found.people == 5
    assert found.for_matching(3, BESIDE) == People({("s", 0): 1, ("s", 1): 1}, {"s": 3}, {0: 2, 1: 1, 2: 0})


def test_outliers_are_in_a_segment_beside_those_of_the_model(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 0, None, 0.9, 1), ("far", 2, None, None, None), ("b", 1, None, 0.5, 0)], PLACED)
    was = spark.createDataFrame(
        [("a", "s"), ("far", "outliers"), ("b", "outliers")], "person_id string, segment_id string"
    )
    overlap = count_overlap(rows, was, SegmentSettings())
    assert overlap.for_matching(2, BESIDE) == People({("s", 0): 1}, {"s": 1}, {0: 1, 1: 1})
    found = {
        r["person_id"]: r for r in name_clusters(rows, {0: "s", 1: "t", 2: "outliers"}, SegmentSettings()).collect()
    }
    assert {who: (row["segment_id"], row["method"]) for who, row in found.items()} == {
        "a": ("s", "model"),
        "b": ("t", "model"),
        "far": ("outliers", "outlier"),
    }


def test_rows_of_a_version_have_ids_names_and_methods(spark: SparkSession, placed: DataFrame) -> None:
    assigned = name_clusters(placed, {0: "s", 1: "t"}, SegmentSettings())
    rows = membership_rows(assigned, 4, {"s": "Loyal", "t": "Lapsing", "unassigned": "Nobody"}, SegmentSettings())
    expected = spark.createDataFrame(
        [
            (4, "a", "s", "Loyal", None, 0.9, "t", False, "model", None, "s"),
            (4, "b", "s", "Loyal", None, 0.01, "t", True, "model", None, "s"),
            (4, "c", "t", "Lapsing", None, 0.5, "s", False, "model", None, "t"),
            (4, "d", "unassigned", "Nobody", None, None, None, False, "fallback", None, "unassigned"),
            (4, "e", "unassigned", "Nobody", None, None, None, False, "fallback", None, "unassigned"),
        ],
        "segment_version bigint, person_id string, segment_id string, segment_name string, probability double, "
        "margin double, nearest_segment_id string, ambiguous boolean, method string, rule string, "
        "model_segment_id string",
    )
    assert_df_equality(rows, expected, ignore_nullable=True, ignore_row_order=True)
