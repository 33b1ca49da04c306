"""Why a person is in their segment: asked of models of which a person can see the answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import GaussianMixture, KMeans
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from tests.people import AS_OF

from segmentation.clustering.algorithms import CLUSTER, centres
from segmentation.clustering.fitted import FittedModel
from segmentation.clustering.preparation import VECTOR, fit_preparation
from segmentation.clustering.scorer import Scorer
from segmentation.config.clustering import Outliers, Transform
from segmentation.config.conditions import Condition
from segmentation.config.segments import SegmentSettings
from segmentation.contracts.errors import InputError
from segmentation.contracts.feature_info import FeatureInfo
from segmentation.runtime.commands.placement import placement_tree
from segmentation.segments.changes import Placing
from segmentation.segments.placement import Placement, explain_placement, find_member

SCHEMA = "person_id string, visits double, spend double, noise double"
NAMES = ["visits", "spend", "noise"]
SEGMENTS = {0: "first", 1: "second", 2: "outliers"}
MEMBER = Placement("p", 4, date(2026, 3, 31), "s", "Frequent", "model", None, "s", None, 0.4)


@pytest.fixture(scope="module", params=["kmeans", "mixture"])
def placing(spark: SparkSession, request: pytest.FixtureRequest) -> Placing:
    """Two groups far apart in visits, a little in spend, and in nothing else; outliers are beyond 30 in a feature."""
    random = np.random.default_rng(7)
    middles = np.array([[0.0, 2.0, 3.0], [10.0, 4.0, 3.0]])[np.arange(210) % 2]
    points = middles + random.normal(0, 0.7, (210, 3))
    rows = [(str(number), *map(float, point)) for number, point in enumerate(points)]
    people = spark.createDataFrame(rows, SCHEMA).coalesce(1).localCheckpoint()
    transform = Transform(winsorise=0, skewed="as_is")
    preparation = fit_preparation(people, NAMES, transform, Outliers(beyond=3, placed="apart"))
    preparing = PipelineModel(preparation.transformers())
    kind = KMeans if request.param == "kmeans" else GaussianMixture
    model = kind(k=2, seed=3, featuresCol=VECTOR, predictionCol=CLUSTER).fit(preparing.transform(people))
    told = tuple(
        {"cluster": number, "centre": preparation.original(centre)} for number, centre in enumerate(centres(model))
    )
    fitted = FittedModel("m", 1, request.param, 2, tuple(NAMES), "set", AS_OF, "", told, "", sets_apart=True)
    return Placing(Scorer(fitted, PipelineModel([*preparing.stages, model])), SEGMENTS)


def explain(
    spark: SparkSession, placing: Placing, *values: float | None, scope: tuple[Condition, ...] = ()
) -> Placement:
    settings = SegmentSettings(scope=list(scope))
    return explain_placement(MEMBER, spark.createDataFrame([("p", *values)], SCHEMA), placing, settings)


def segment_of(placing: Placing, visits: float) -> str:
    """The segment whose centre has about so many visits."""
    return next(SEGMENTS[n] for n, middle in placing.model.centres.items() if abs(middle["visits"] - visits) < 2)


def test_what_tells_the_segments_apart_has_decided(spark: SparkSession, placing: Placing) -> None:
    found = explain(spark, placing, 10.4, 3.0, 3.0)
    assert found.nearest_segment_id == segment_of(placing, 0)
    first = found.deciding[0]
    assert (first.feature, first.value) == ("visits", 10.4)
    assert first.here == pytest.approx(10, abs=1)
    assert first.there == pytest.approx(0, abs=1)
    assert first.effect > 0.5
    assert "noise" not in [one.feature for one in found.deciding]
    assert found.would_move is not None
    assert [one.feature for one in found.would_move] == ["visits"]


def test_a_value_that_is_missing_is_told(spark: SparkSession, placing: Placing) -> None:
    found = explain(spark, placing, 0.2, None, 3.0)
    assert found.nearest_segment_id == segment_of(placing, 10)
    assert {one.feature: one.value for one in found.deciding + (found.would_move or ())}.get("spend") is None


def test_an_outlier_is_told_what_is_far_out(spark: SparkSession, placing: Placing) -> None:
    found = explain(spark, placing, 0.4, 900.0, 3.0)
    first = found.deciding[0]
    assert (first.feature, first.here) == ("spend", None)
    assert found.nearest_segment_id == segment_of(placing, 0)
    assert [one.feature for one in found.would_move or ()] == ["spend"]


def test_who_is_out_of_scope_is_told_by_what(spark: SparkSession, placing: Placing) -> None:
    scope = (Condition(feature="visits", at_least=1), Condition(feature="spend", at_most=9))
    found = explain(spark, placing, 0.5, 3.0, 3.0, scope=scope)
    assert (found.unmet, found.nearest_segment_id, found.deciding) == (scope[:1], None, ())
    nothing = explain(spark, placing, None, None, float("nan"))
    assert (nothing.unmet, nothing.nearest_segment_id) == ((), None)


@pytest.mark.parametrize("consented", [False, None])
def test_who_did_not_agree_is_told_so(spark: SparkSession, placing: Placing, consented: bool | None) -> None:
    rows = spark.createDataFrame([("p", 0.5, 3.0, 3.0, consented)], f"{SCHEMA}, consented boolean")
    out = replace(MEMBER, method="fallback")
    settings = SegmentSettings(purpose="profiling")
    found = explain_placement(out, rows, placing, settings)
    assert (found.not_granted, found.nearest_segment_id, found.deciding) == ("profiling", None, ())
    said = str(placement_tree(found, {}, {}).label)
    assert said.endswith("they did not agree to be segmented (consent to 'profiling')")
    agreed = explain_placement(out, rows.withColumn("consented", F.lit(True)), placing, settings)
    assert (agreed.not_granted, agreed.nearest_segment_id is None) == (None, False)


def test_nobodys_id_is_refused(spark: SparkSession) -> None:
    columns = "segment_version long, person_id string, segment_id string, segment_name string, method string, "
    columns += "rule string, model_segment_id string, probability double, margin double"
    rows = spark.createDataFrame([(4, "p", "s", "Frequent", "model", None, None, None, 0.4)], columns)
    assert find_member(rows, 4, AS_OF, "p") == MEMBER
    for version, person in ((4, "q"), (3, "p")):
        with pytest.raises(InputError, match="has no person with this id"):
            find_member(rows, version, AS_OF, person)


def test_it_is_told_in_words(spark: SparkSession, placing: Placing) -> None:
    catalogue = {"visits": FeatureInfo("visits", "Visits", "visits", "How often.", "loyalty", "frequent", "rare")}
    console = Console(width=200)
    with console.capture() as said:
        names = {"first": "One", "second": "Two"}
        console.print(placement_tree(explain(spark, placing, 10.4, 3.0, 3.0), names, catalogue))
    text = said.get()
    assert "Person p is in Frequent (s), version 4, as of 2026-03-31: by the model, margin 0.40" in text
    other = names[segment_of(placing, 0)]
    assert f"against the nearest other segment, {other}" in text
    assert "Visits: 10 visits (typical here " in text
    assert f"What would move them to {other}, all together:" in text
