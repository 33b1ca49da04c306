"""Preparing features: what a person could compute by hand, and what is left out."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import KMeans
from pyspark.sql import DataFrame, SparkSession
from scipy.stats import skew, yeojohnson
from sklearn.decomposition import PCA
from sklearn.preprocessing import QuantileTransformer

from segmentation.clustering.coordinates import PreparedFeature
from segmentation.clustering.power import power_sql, raise_to, undo
from segmentation.clustering.preparation import VECTOR, fit_preparation
from segmentation.clustering.scoring import score_people
from segmentation.config.clustering import ClusteringSettings, CohortSettings, Outliers, Transform
from segmentation.config.conditions import Condition
from segmentation.contracts.errors import ConfigError, InputError

VALUES = [float(x) for x in range(1, 100)] + [1e6]
SKEWED = [float(x**4) for x in range(100)]


@pytest.fixture(scope="module")
def sample(spark: SparkSession) -> DataFrame:
    rows = [
        (value, skewed, -skewed, 7.0, None, 1.0 if number == 0 else 0.0, None if number < 10 else float(number))
        for number, (value, skewed) in enumerate(zip(VALUES, SKEWED, strict=True))
    ]
    columns = "even double, skewed double, negative double, constant double, unknown double, rare double, gaps double"
    return spark.createDataFrame(rows, columns).coalesce(1).persist()


def test_coordinates_are_drawn_in_put_on_a_log_scale_where_skewed_and_scaled(sample: DataFrame) -> None:
    preparation = fit_preparation(sample, ["even", "skewed", "negative"], Transform(winsorise=0.05))
    found = PipelineModel(preparation.transformers()).transform(sample).toPandas()

    even = np.clip(VALUES, *np.quantile(VALUES, [0.05, 0.95]))
    assert found["prepared_even"].to_numpy() == pytest.approx((even - even.min()) / even.std())
    log = np.log1p(np.clip(SKEWED, *np.quantile(SKEWED, [0.05, 0.95])))
    assert found["prepared_skewed"].to_numpy() == pytest.approx((log - log.min()) / log.std())
    assert preparation.features[2].power == 1, "a feature that can be negative has no logarithm"
    assert (
        found["prepared"][3].toArray().tolist()
        == found.loc[3, ["prepared_even", "prepared_skewed", "prepared_negative"]].tolist()
    )


def test_gaps_are_filled_as_declared_and_infinite_values_are_gaps(spark: SparkSession, sample: DataFrame) -> None:
    people = spark.createDataFrame([(None,), (nan,), (inf,), (-inf,), (54.5,)], "gaps double").coalesce(1)
    for missing, expected in (("median", 54.5), ("zero", 10.0)):
        preparation = fit_preparation(sample, ["gaps"], Transform(winsorise=0, missing=missing))
        (feature,) = preparation.features
        found = [
            r[0] for r in PipelineModel(preparation.transformers()).transform(people).select("prepared_gaps").collect()
        ]
        assert [feature.original(x) for x in found[:4]] == pytest.approx([expected] * 4)


def test_features_that_tell_nobody_apart_are_left_out_with_the_reason(sample: DataFrame) -> None:
    preparation = fit_preparation(sample, ["constant", "even", "rare", "unknown"], Transform(winsorise=0.02))
    assert [feature.name for feature in preparation.features] == ["even"]
    assert preparation.dropped == (
        "constant: next to all people have the same value",
        "rare: next to all people have the same value",
        "unknown: nobody has a value",
    )


def test_no_feature_left_is_an_error_that_names_them(sample: DataFrame) -> None:
    with pytest.raises(InputError, match=r"No feature tells people apart \(unknown: nobody.*constant: next"):
        fit_preparation(sample, ["constant", "unknown"], Transform())


@pytest.mark.parametrize("log", [True, False])
def test_a_coordinate_goes_back_to_the_value_that_it_came_from(log: bool) -> None:
    feature = PreparedFeature("spend", 1.0, 0.5, 1e300, 0.0 if log else 1.0, 3.7)
    assert feature.original(0.0) == pytest.approx(0.5)
    coordinate = ((np.log1p(42.0) - np.log1p(0.5)) if log else (42.0 - 0.5)) / 3.7
    assert feature.original(coordinate) == pytest.approx(42.0)


def test_the_power_of_yeo_and_johnson_takes_the_skew_away_whatever_the_sign(sample: DataFrame) -> None:
    how = Transform(winsorise=0, skewed="yeo_johnson")
    preparation = fit_preparation(sample, ["skewed", "negative"], how)
    found = PipelineModel(preparation.transformers()).transform(sample).toPandas()
    for feature, values in zip(preparation.features, (np.array(SKEWED), -np.array(SKEWED)), strict=True):
        assert feature.power == pytest.approx(yeojohnson(values)[1], abs=0.01)
        again = yeojohnson(values, lmbda=feature.power)
        assert found[feature.column].to_numpy() == pytest.approx((again - again.min()) / again.std())
        assert abs(skew(found[feature.column])) < abs(skew(values)) / 4
        back = [feature.original(x) for x in found[feature.column]]
        assert back == pytest.approx(values.tolist(), rel=1e-6, abs=1e-6)


def test_what_is_not_skewed_or_is_to_stay_enters_as_it_is(sample: DataFrame) -> None:
    def power(name: str, transform: Transform) -> float:
        return fit_preparation(sample, [name], transform).features[0].power

    assert power("gaps", Transform(winsorise=0, skewed="yeo_johnson")) == 1
    assert power("skewed", Transform(winsorise=0, skewed="as_is")) == 1
    assert power("skewed", Transform(winsorise=0)) == 0


def test_one_is_what_the_scale_says(sample: DataFrame) -> None:
    def span(**how: Any) -> float:
        preparation = fit_preparation(sample, ["gaps"], Transform(winsorise=0, **how))
        found = PipelineModel(preparation.transformers()).transform(sample).toPandas()["prepared_gaps"]
        return float(found.max() - found.min())

    assert span(scale="range") == pytest.approx(1)
    assert span(scale="interquartile") == pytest.approx((99 - 10) / (np.quantile(range(10, 100), 0.75) - 32.25))


TIED = [0.0] * 37 + [float(x % 9) for x in range(40)] + [1.5**x for x in range(23)]


@pytest.mark.parametrize("winsorise", [0, 0.05])
def test_a_place_among_the_people_is_that_of_scikit_learn(spark: SparkSession, winsorise: float) -> None:
    people = spark.createDataFrame(zip(VALUES, TIED, strict=True), "even double, tied double").coalesce(1)
    preparation = fit_preparation(people, ["even", "tied"], Transform(winsorise=winsorise, scale="quantile"))
    found = PipelineModel(preparation.transformers()).transform(people).toPandas()
    for feature, values in zip(preparation.features, (VALUES, TIED), strict=True):
        ends = np.quantile(values, [winsorise, 1 - winsorise])
        drawn_in = np.clip(values, *ends).reshape(-1, 1)
        theirs = QuantileTransformer(n_quantiles=len(values), subsample=None).fit(drawn_in)
        assert found[feature.column].to_numpy() == pytest.approx(theirs.transform(drawn_in)[:, 0], abs=0.01)
        # The same map to the last digits, once it goes by our 101 percentiles and not by theirs of each value.
        theirs.references_ = np.linspace(0, 1, 101)
        theirs.quantiles_ = np.clip(np.quantile(values, theirs.references_), *ends).reshape(-1, 1)
        places = theirs.transform(drawn_in)
        assert found[feature.column].to_numpy() == pytest.approx(places[:, 0])
        back = [feature.original(place) for place in places[:, 0]]
        assert back == pytest.approx(theirs.inverse_transform(places)[:, 0])


def test_places_count_within_cohorts_too(spark: SparkSession) -> None:
    rows = [(float(n % 2), float(n) + 1000 * (n % 2)) for n in range(400)]
    people = spark.createDataFrame(rows, "kind double, spend double").coalesce(1)
    cohorts = CohortSettings(feature="kind", edges=[1.0])
    preparation = fit_preparation(people, ["spend"], Transform(scale="quantile", cohorts=cohorts))
    found = PipelineModel(preparation.transformers()).transform(people).toPandas()
    assert found.groupby("kind")["prepared_spend"].mean().to_numpy() == pytest.approx([0.5, 0.5], abs=1e-6)


def test_where_the_quartiles_coincide_one_is_the_deviation(sample: DataFrame) -> None:
    (quartiles,) = fit_preparation(sample, ["rare"], Transform(winsorise=0, scale="interquartile")).features
    (deviation,) = fit_preparation(sample, ["rare"], Transform(winsorise=0)).features
    assert quartiles.unit == deviation.unit > 0


@pytest.mark.parametrize("power", [-1.5, 0.0, 0.5, 1.0, 2.0, 3.3])
@pytest.mark.parametrize("value", [-17.0, -0.3, 0.0, 0.2, 40.0])
def test_a_power_can_be_undone_and_says_in_sql_what_it_says_here(
    spark: SparkSession, power: float, value: float
) -> None:
    raised = raise_to(value, power)
    assert raised == pytest.approx(float(yeojohnson(np.array([value]), lmbda=power)[0]))
    assert undo(raised, power) == pytest.approx(value)
    (row,) = spark.range(1).selectExpr(f"{power_sql(f'({value!r}D)', power, min(value, -1.0))} AS raised").collect()
    assert row["raised"] == pytest.approx(raised)


def test_single_features_are_filled_as_they_ask(spark: SparkSession, sample: DataFrame) -> None:
    people = spark.createDataFrame([(None, None)], "gaps double, even double")
    preparation = fit_preparation(sample, ["gaps", "even"], Transform(winsorise=0, fill={"gaps": 70.0}))
    found = PipelineModel(preparation.transformers()).transform(people).collect()[0]
    values = {feature.name: feature.original(found[feature.column]) for feature in preparation.features}
    assert values == {"gaps": pytest.approx(70), "even": pytest.approx(50.5)}


def test_that_a_value_is_missing_is_a_coordinate_where_it_tells_people_apart(
    spark: SparkSession, sample: DataFrame
) -> None:
    preparation = fit_preparation(sample, ["even", "gaps"], Transform(missing_flags=True))
    assert preparation.coordinates == ["prepared_even", "prepared_gaps", "prepared_gaps_missing"]
    people = spark.createDataFrame([(1.0, None), (1.0, nan), (1.0, inf), (1.0, 50.0)], "even double, gaps double")
    rows = PipelineModel(preparation.transformers()).transform(people).collect()
    # Ten of a hundred have a gap, so a gap is as far from none as people differ in it: 1 / sqrt(0.1 * 0.9).
    assert [row["prepared_gaps_missing"] for row in rows] == pytest.approx([1 / 0.3] * 3 + [0])
    centre = [sum(row["prepared"][number] for row in rows) / 4 for number in range(3)]
    assert preparation.original(centre)["gaps_missing"] == pytest.approx(0.75)


def test_components_are_those_of_scikit_learn_and_lead_back_to_the_features(spark: SparkSession) -> None:
    random = np.random.default_rng(5)
    hidden = random.normal(size=(400, 2)) * (3.0, 1.0)
    mixed = hidden @ random.normal(size=(2, 5)) + random.normal(size=(400, 5)) * 0.05 + 4
    columns = [f"f{number}" for number in range(5)]
    rows = [tuple(map(float, row)) for row in mixed]
    sample = spark.createDataFrame(rows, ", ".join(f"{name} double" for name in columns)).coalesce(1).persist()
    asked = Transform(winsorise=0, skewed="as_is", components=0.98)
    preparation = fit_preparation(sample, columns, asked)
    assert preparation.coordinates == ["prepared_component_1", "prepared_component_2"]
    prepared = PipelineModel(preparation.transformers()).transform(sample).select("prepared").collect()
    found = np.array([row["prepared"].toArray() for row in prepared])
    scaled = (mixed - mixed.min(axis=0)) / mixed.std(axis=0)
    oracle = PCA(n_components=0.98).fit(scaled)
    expected = oracle.transform(scaled)
    for own, theirs in zip(found.T, expected.T, strict=True):
        assert own.min() == pytest.approx(0)
        differences = own - own.mean()
        assert np.allclose(differences, theirs, atol=1e-8) or np.allclose(differences, -theirs, atol=1e-8)
    restored = preparation.original(found[7])
    kept = oracle.inverse_transform(expected[7:8])[0] * mixed.std(axis=0) + mixed.min(axis=0)
    assert [restored[name] for name in columns] == pytest.approx(kept.tolist())
    everything = fit_preparation(sample, columns, asked.model_copy(update={"components": 1.0}))
    assert len(everything.coordinates) == 5


def test_people_are_scored_by_the_coordinates_that_the_model_was_fitted_on(spark: SparkSession) -> None:
    """Margins are distances in components and flags, not in the features alone."""
    rows = [(float(n % 7), None if n % 3 == 0 else float(n % 5), f"p{n}") for n in range(60)]
    people = spark.createDataFrame(rows, "x double, y double, person_id string").coalesce(1)
    for asked in (Transform(missing_flags=True), Transform(missing_flags=True, components=0.7)):
        preparation = fit_preparation(people, ["x", "y"], asked)
        preparing = PipelineModel(preparation.transformers())
        model = KMeans(k=3, seed=2, featuresCol=VECTOR, predictionCol="cluster").fit(preparing.transform(people))
        scored = score_people(people, PipelineModel([*preparing.stages, model]), ["x", "y"]).collect()
        vectors = {r["person_id"]: r[VECTOR].toArray() for r in preparing.transform(people).collect()}
        for row in scored:
            near = sorted(np.linalg.norm(vectors[row["person_id"]] - centre) for centre in model.clusterCenters())
            assert row["margin"] == pytest.approx(1 - near[0] / near[1])


def test_who_is_no_outlier_is_told_by_a_feature_of_the_model(sample: DataFrame) -> None:
    rich, same = Condition(feature="even", at_least=90.0), Condition(feature="constant", at_least=1.0)
    found = fit_preparation(sample, ["even", "constant"], Transform(), Outliers(), [rich])
    assert found.fences is not None
    assert found.fences.exempt == (rich,)
    with pytest.raises(ConfigError, match=r"always_in: with outliers, 'constant' has to be in the model"):
        fit_preparation(sample, ["even", "constant"], Transform(), Outliers(), [same])


def test_nobody_is_far_out_by_places() -> None:
    with pytest.raises(ValidationError, match="nobody is far out"):
        ClusteringSettings.model_validate({"transform": {"scale": "quantile"}, "outliers": {}})
