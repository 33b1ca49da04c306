"""Preparing features: what a person could compute by hand, and what is left out."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession

from segmentation.clustering.preparation import PreparedFeature, fit_preparation
from segmentation.config.clustering import Transform
from segmentation.contracts.errors import InputError

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
    assert not preparation.features[2].log, "a feature that can be negative has no logarithm"
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
    feature = PreparedFeature("spend", 1.0, 0.5, 1e300, log, 3.7)
    assert feature.original(0.0) == pytest.approx(0.5)
    coordinate = ((np.log1p(42.0) - np.log1p(0.5)) if log else (42.0 - 0.5)) / 3.7
    assert feature.original(coordinate) == pytest.approx(42.0)
