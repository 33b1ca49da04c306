"""The tree of bisecting k-means: cut where splits gain least, and models that place people as the cut says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyspark.ml.clustering import BisectingKMeans, BisectingKMeansModel
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import silhouette_score

from segmentation.clustering.tree import Node, cut, prune, read_tree

CENTRES = [(0.0, 0.0), (12.0, 0.0), (0.0, 12.0), (40.0, 40.0), (44.0, 40.0)]


def _node(cost: float, *children: Node) -> Node:
    return Node(None, cost, children)


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.concatenate([rng.normal(centre, 1.0, (40, 2)) for centre in CENTRES])


@pytest.fixture(scope="module")
def people(spark: SparkSession, points: np.ndarray) -> DataFrame:
    rows = [(number, Vectors.dense(point)) for number, point in enumerate(points)]
    return spark.createDataFrame(rows, ["number", "features"]).coalesce(1).localCheckpoint()


@pytest.fixture(scope="module")
def fitted(people: DataFrame) -> BisectingKMeansModel:
    return BisectingKMeans(k=8, seed=5, maxIter=10).fit(people)


def _labels(model: BisectingKMeansModel, people: DataFrame) -> list[int]:
    return [row["prediction"] for row in model.transform(people).orderBy("number").collect()]


def test_the_split_that_gains_most_comes_first() -> None:
    small, wide = _node(4, _node(1), _node(1)), _node(50, _node(3), _node(30, _node(1), _node(2)))
    root = _node(100, small, wide)
    assert cut(root, 1) == {root}
    assert cut(root, 2) == {small, wide}
    assert cut(root, 3) == {small, *wide.children}, "gains 17, where the other gains 2"
    assert cut(root, 4) == {small, wide.children[0], *wide.children[1].children}
    assert {node.cost for node in cut(root, 5)} == {1, 3, 2}


def test_of_splits_that_gain_alike_the_first_comes_first() -> None:
    left, right = _node(4, _node(1), _node(1)), _node(4, _node(1), _node(1))
    assert cut(_node(10, left, right), 3) == {*left.children, right}


def test_more_clusters_than_the_tree_has_are_refused() -> None:
    with pytest.raises(ValueError, match="a tree of 2 leaves has no 3 clusters"):
        cut(_node(10, _node(1), _node(2)), 3)


def test_cut_at_all_leaves_is_the_model_itself(fitted: BisectingKMeansModel, people: DataFrame) -> None:
    root = read_tree(fitted)
    again = prune(fitted, root, cut(root, 8))
    assert np.array_equal(again.clusterCenters(), fitted.clusterCenters())
    assert _labels(again, people) == _labels(fitted, people)


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6, 7])
def test_a_pruned_model_joins_what_the_tree_splits_below(
    fitted: BisectingKMeansModel, people: DataFrame, k: int
) -> None:
    root = read_tree(fitted)
    pruned = prune(fitted, root, cut(root, k))
    assert pruned.getK() == k
    assert set(_labels(pruned, people)) == set(range(k))
    of_leaf = set(zip(_labels(fitted, people), _labels(pruned, people), strict=True))
    assert len(of_leaf) == 8, "whoever shares a leaf shares the cluster that it is cut to"


@pytest.mark.parametrize("k", [3, 4, 5, 6, 7])
def test_a_cut_tells_apart_at_least_as_well_as_a_fit_of_its_own(
    fitted: BisectingKMeansModel, people: DataFrame, points: np.ndarray, k: int
) -> None:
    root = read_tree(fitted)
    cut_off = silhouette_score(points, _labels(prune(fitted, root, cut(root, k)), people), metric="sqeuclidean")
    own = silhouette_score(
        points, _labels(BisectingKMeans(k=k, seed=5, maxIter=10).fit(people), people), metric="sqeuclidean"
    )
    assert cut_off >= own - 1e-3


def test_a_pruned_model_is_saved_and_read_as_any_other(
    fitted: BisectingKMeansModel, people: DataFrame, tmp_path: Path
) -> None:
    root = read_tree(fitted)
    pruned = prune(fitted, root, cut(root, 3))
    pruned.write().save(str(tmp_path / "model"))
    read = BisectingKMeansModel.load(str(tmp_path / "model"))
    assert np.array_equal(read.clusterCenters(), pruned.clusterCenters())
    assert _labels(read, people) == _labels(pruned, people)
    assert read.getK() == 3
