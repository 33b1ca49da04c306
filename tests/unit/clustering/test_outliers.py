"""Fences: where values begin to be far out, in the feature's own unit, and who is an outlier by them."""

from __future__ import annotations

from math import exp, inf, log, nan

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.clustering.outliers import Fence, Fences, fence
from segmentation.config.clustering import Outliers
from segmentation.config.conditions import Condition

RICH = Condition(feature="x", at_least=1000.0)


def test_a_fence_stands_as_far_beyond_the_quartiles_as_is_asked() -> None:
    assert fence("x", 10.0, 20.0, 1.0, Outliers(beyond=3)) == Fence("x", -20.0, 50.0)


def test_on_a_logarithm_a_fence_is_a_ratio() -> None:
    found = fence("x", 9.0, 99.0, 0.0, Outliers(beyond=2))
    assert found is not None
    assert found.high == pytest.approx(100 * 100 - 1), "from log(10) to log(100), and twice as far again"
    assert found.low < 0


def test_where_the_scale_ends_so_does_the_fence() -> None:
    steep = fence("x", 1.0, 2.0, -3.0, Outliers(beyond=3))
    assert steep is not None
    assert steep.high == inf, "no value is transformed into more than a third"
    assert fence("x", 1.0, exp(600.0), 0.0, Outliers(beyond=3)) == Fence("x", pytest.approx(log(2.0), abs=1e9), inf)


def test_a_feature_whose_quartiles_coincide_has_no_fence() -> None:
    assert fence("x", 1.0, 1.0, 1.0, Outliers()) is None


@pytest.mark.parametrize(
    ("features", "exempt", "expected"),
    [
        (1, (), {"low", "high", "both", "vip"}),
        (2, (), {"both", "vip"}),
        (1, (RICH,), {"low", "high", "both"}),
        (1, (RICH, Condition(feature="y", at_most=3.0)), {"low", "high", "both", "vip"}),
    ],
)
def test_who_is_beyond_enough_fences_and_not_exempt_is_an_outlier(
    spark: SparkSession, features: int, exempt: tuple[Condition, ...], expected: set[str]
) -> None:
    people = [
        ("ordinary", 5.0, 5.0),
        ("on the fence", 10.0, 0.0),
        ("low", -1.0, 5.0),
        ("high", 5.0, 11.0),
        ("both", 11.0, -1.0),
        ("vip", 1000.0, 11.0),
        ("unknown", None, nan),
        ("infinite", inf, 5.0),
    ]
    fences = Fences((Fence("x", 0.0, 10.0), Fence("y", 0.0, 10.0)), features, exempt)
    rows = spark.createDataFrame(people, "who string, x double, y double")
    assert {row["who"] for row in rows.where(F.expr(fences.expression())).collect()} == expected


def test_without_fences_nobody_is_an_outlier() -> None:
    assert Fences((), 1).expression() == "false"
