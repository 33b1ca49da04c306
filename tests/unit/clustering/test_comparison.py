"""Other methods beside the choice: blobs that every method finds, and one that only DBSCAN leaves out."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import silhouette_score

from segmentation.clustering.candidates import Candidate
from segmentation.clustering.comparison import check_installed, compare_methods
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import ConfigError

CHOSEN = Candidate("kmeans", 3)
SETTINGS = ClusteringSettings.model_validate({"compare_with": ["hierarchical", "dbscan"], "k": {"min": 2, "max": 4}})


def labelled(spark: SparkSession, points: np.ndarray, labels: np.ndarray) -> DataFrame:
    rows = [(n, float(x), float(y), int(label)) for n, ((x, y), label) in enumerate(zip(points, labels, strict=True))]
    return spark.createDataFrame(rows, "half long, x double, y double, kmeans_3 int")


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    random = np.random.default_rng(2)
    return np.repeat([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]], 60, axis=0) + random.normal(0, 1, (180, 2))


def test_methods_that_find_the_same_agree(spark: SparkSession, points: np.ndarray) -> None:
    groups = np.repeat([0, 1, 2], 60)
    stray = np.array([[90.0, 90.0]])
    rows = labelled(spark, np.concatenate([points, stray]), np.append(groups, 2))
    found = compare_methods(rows, ["x", "y"], CHOSEN, SETTINGS)
    assert [(c.method, c.k) for c in found] == [
        ("kmeans", 3),
        ("hierarchical", 2),
        ("hierarchical", 3),
        ("hierarchical", 4),
        ("dbscan", 3),
    ]
    own, *_, four, dbscan = found
    assert (own.agreement, own.left_out, own.people) == (1, 0, 181)
    assert four.agreement > 0.98, "the stray one has a cluster of its own"
    assert 1 <= dbscan.left_out < 20
    assert dbscan.agreement > 0.9
    assert dbscan.silhouette is not None
    assert own.silhouette is not None
    assert dbscan.silhouette > own.silhouette


def test_the_choice_is_judged_on_the_same_people(spark: SparkSession, points: np.ndarray) -> None:
    labels = np.arange(180) % 3
    settings = SETTINGS.model_copy(update={"compare_people": 120})
    own, *others = compare_methods(labelled(spark, points, labels), ["x", "y"], CHOSEN, settings)
    first = points[:120]
    assert own.people == 120
    assert own.silhouette == pytest.approx(silhouette_score(first, labels[:120], metric="sqeuclidean"))
    assert all(abs(other.agreement) < 0.1 for other in others)


def test_people_who_are_alike_are_one_cluster(spark: SparkSession) -> None:
    rows = labelled(spark, np.ones((30, 2)), np.zeros(30))
    *_, dbscan = compare_methods(rows, ["x", "y"], CHOSEN, SETTINGS)
    assert (dbscan.method, dbscan.k, dbscan.silhouette) == ("dbscan", 1, None)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    check_installed(ClusteringSettings())
    with pytest.raises(ConfigError, match=r"pip install 'segmentation\[comparison\]'"):
        check_installed(SETTINGS)
