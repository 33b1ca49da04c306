"""Fits begin so well that one ends where the best of many random ones does."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

from segmentation.clustering.beginnings import Beginning, find_beginnings
from segmentation.clustering.candidates import label_column
from segmentation.clustering.fitting import fit_kmeans, fit_mixture

DIMENSIONS, KINDS = 8, 6


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """Six kinds of people that overlap: where a fit has fewer clusters, many ends are near to each other."""
    random = np.random.default_rng(3)
    middles = random.uniform(0, 5, size=(KINDS, DIMENSIONS))
    return np.vstack([random.normal(middle, 0.7, size=(150, DIMENSIONS)) for middle in middles]) + 5


@pytest.fixture(scope="module")
def rows(spark: SparkSession, points: np.ndarray) -> DataFrame:
    return _prepared(spark, points)


@pytest.fixture(scope="module")
def beginnings(rows: DataFrame) -> dict[int, Beginning]:
    return find_beginnings(rows, 8, seed=1)


def _prepared(spark: SparkSession, points: np.ndarray) -> DataFrame:
    names = [f"x{at}" for at in range(points.shape[1])]
    df = spark.createDataFrame([tuple(map(float, point)) for point in points], names).coalesce(1)
    return VectorAssembler(inputCols=names, outputCol="prepared").transform(df).persist()


@pytest.mark.parametrize("k", range(2, 9))
def test_one_fit_is_as_good_as_the_best_of_ten_of_scikit_learn(
    rows: DataFrame, points: np.ndarray, beginnings: dict[int, Beginning], k: int
) -> None:
    fitted = fit_kmeans(rows, beginnings[k], 50)
    found = label_column(rows, fitted, "label").toPandas()["label"].to_numpy()
    best = KMeans(k, n_init=10, random_state=0).fit(points)
    middles = np.array([points[found == cluster].mean(axis=0) for cluster in range(k)])
    assert ((points - middles[found]) ** 2).sum() <= best.inertia_ * 1.002
    assert np.array(fitted.clusterCenters()) == pytest.approx(middles, abs=0.05), "each is the mean of its people"


@pytest.mark.parametrize("k", [2, 4, 6])
def test_a_mixture_tells_people_apart_as_well_as_scikit_learns(
    rows: DataFrame, points: np.ndarray, beginnings: dict[int, Beginning], k: int
) -> None:
    found = label_column(rows, fit_mixture(rows, beginnings[k], 50), "label").toPandas()["label"]
    theirs = GaussianMixture(k, n_init=10, random_state=0).fit_predict(points)
    assert silhouette_score(points, found) >= silhouette_score(points, theirs) - 0.01


def test_beginnings_are_of_all_people_and_their_widths(points: np.ndarray, beginnings: dict[int, Beginning]) -> None:
    assert sorted(beginnings) == list(range(1, 9))
    everyone = beginnings[1]
    assert everyone.sizes.tolist() == [len(points)]
    assert everyone.means[0] == pytest.approx(points.mean(axis=0))
    assert everyone.variances[0] == pytest.approx(points.var(axis=0))
    for k, beginning in beginnings.items():
        assert (len(beginning.sizes), beginning.sizes.sum()) == (k, len(points))
        mean = np.average(beginning.means, axis=0, weights=beginning.sizes)
        within = np.average(beginning.variances, axis=0, weights=beginning.sizes)
        between = np.average((beginning.means - mean) ** 2, axis=0, weights=beginning.sizes)
        assert within + between == pytest.approx(points.var(axis=0)), "what is not within groups is between them"


def test_as_many_groups_as_people_who_differ(spark: SparkSession) -> None:
    few = _prepared(spark, np.repeat([[1.0, 5], [1, 6], [2, 9]], 4, axis=0))
    beginnings = find_beginnings(few, 8, seed=1)
    assert sorted(beginnings) == [1, 2, 3]
    assert sorted(map(tuple, beginnings[2].means.tolist())) == [(1.0, 5.5), (2.0, 9.0)]
    assert (beginnings[3].variances > 0).all(), "a density needs some width"
