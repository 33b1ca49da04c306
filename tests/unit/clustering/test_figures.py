"""Figures of clusterings: scikit-learn's on the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from segmentation.clustering.figures import measure

COORDINATES = ["x", "y", "z"]


def _labelled(spark: SparkSession, points: np.ndarray, labels: dict[str, np.ndarray]) -> DataFrame:
    rows = [(*map(float, point), *(int(values[i]) for values in labels.values())) for i, point in enumerate(points)]
    columns = [*(f"{name} double" for name in COORDINATES), *(f"{name} int" for name in labels)]
    df = spark.createDataFrame(rows, ", ".join(columns))
    return VectorAssembler(inputCols=COORDINATES, outputCol="prepared").transform(df).persist()


def test_figures_are_scikit_learns_to_a_millionth(spark: SparkSession) -> None:
    random = np.random.default_rng(5)
    points = random.normal(size=(150, 3)) + 10 + np.repeat(np.eye(3), 50, axis=0) * 3
    labels = {
        "good": np.repeat([0, 1, 2], 50),
        "random": random.integers(0, 5, 150),
        "lonely": np.r_[0, np.repeat(1, 149)],
        "one": np.zeros(150, int),
    }
    found = measure(_labelled(spark, points, labels), COORDINATES, list(labels))
    assert found[3] is None
    for figures, values in zip(found[:3], labels.values(), strict=False):
        assert figures is not None
        assert figures.silhouette == pytest.approx(silhouette_score(points, values, metric="sqeuclidean"), abs=1e-6)
        assert figures.davies_bouldin == pytest.approx(davies_bouldin_score(points, values), abs=1e-6)
        assert figures.calinski_harabasz == pytest.approx(calinski_harabasz_score(points, values), rel=1e-6)
        numbers, sizes = np.unique(values, return_counts=True)
        assert figures.sizes == dict(zip(numbers.tolist(), sizes.tolist(), strict=True))


def test_people_who_are_all_alike_within_their_clusters(spark: SparkSession) -> None:
    points, values = np.repeat([[0.0, 0, 0], [1, 1, 1]], 5, axis=0), np.repeat([0, 1], 5)
    (figures,) = measure(_labelled(spark, points, {"exact": values}), COORDINATES, ["exact"])
    assert figures is not None
    assert figures.davies_bouldin == davies_bouldin_score(points, values) == 0
    assert figures.calinski_harabasz == calinski_harabasz_score(points, values) == 1
