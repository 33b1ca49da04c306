"""How good a clustering is by its own light: silhouette, Davies-Bouldin, Calinski-Harabasz and sizes.

All are those of scikit-learn on the same rows (`silhouette_score` with `metric="sqeuclidean"`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.parallel import at_once
from segmentation.clustering.preparation import VECTOR
from segmentation.contracts.table import check_columns


@dataclass(frozen=True)
class Figures:
    """One clustering. `sizes` has the people of each cluster that has any, by its number."""

    sizes: dict[int, int]
    silhouette: float
    davies_bouldin: float
    calinski_harabasz: float


def measure(labelled: DataFrame, coordinates: Sequence[str], labels: Sequence[str]) -> list[Figures | None]:
    """The figures of each column of `labels`; None where it has a single cluster, of which nothing can be said.

    In: one row a person with the vector, its coordinates as columns, and a cluster's number in each label column;
    kept in memory by the caller. Two passes for all together, and one job a label for the silhouette, whose cost is
    linear in people (for squared Euclidean distances; see Spark's `ClusteringEvaluator`).
    """
    check_columns(labelled, {VECTOR, *coordinates, *labels}, "the labelled people")
    clusters = _clusters(labelled, coordinates, labels)
    apart = [label for label in labels if len(clusters[label]) > 1]
    distances = _distances(labelled, coordinates, clusters, apart)
    silhouettes = dict(
        zip(apart, at_once(labelled.sparkSession, lambda x: _silhouette(labelled, x), apart), strict=True)
    )
    return [
        _figures(clusters[label], distances[label], silhouettes[label]) if label in silhouettes else None
        for label in labels
    ]


@dataclass(frozen=True)
class _Cluster:
    size: int
    centroid: tuple[float, ...]


def _clusters(labelled: DataFrame, coordinates: Sequence[str], labels: Sequence[str]) -> dict[str, dict[int, _Cluster]]:
    """Size and centroid of each cluster of each label."""
    means = [F.avg(name).alias(name) for name in coordinates]
    rows = (
        _long(labelled, coordinates, labels)
        .groupBy("label", "cluster")
        .agg(F.count("*").alias("size"), *means)
        .collect()
    )
    found: dict[str, dict[int, _Cluster]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: (row["label"], row["cluster"])):
        found[row["label"]][row["cluster"]] = _Cluster(row["size"], tuple(row[name] for name in coordinates))
    return found


def _distances(
    labelled: DataFrame, coordinates: Sequence[str], clusters: dict[str, dict[int, _Cluster]], labels: Sequence[str]
) -> dict[str, dict[int, tuple[float, float]]]:
    """Per cluster: mean distance of its people from the centroid, and the sum of the squares."""
    if not labels:
        return {}
    names = [f"centroid_{name}" for name in coordinates]
    schema = "label string, cluster int, " + ", ".join(f"`{name}` double" for name in names)
    rows = [(label, number, *cluster.centroid) for label in labels for number, cluster in clusters[label].items()]
    centroids = labelled.sparkSession.createDataFrame(rows, schema)
    squared = sum(((F.col(x) - F.col(c)) ** 2 for x, c in zip(coordinates, names, strict=True)), F.lit(0.0))
    found: dict[str, dict[int, tuple[float, float]]] = defaultdict(dict)
    for row in (
        _long(labelled, coordinates, labels)
        .join(F.broadcast(centroids), ["label", "cluster"])
        .select("label", "cluster", squared.alias("squared"))
        .groupBy("label", "cluster")
        .agg(F.avg(F.sqrt("squared")).alias("mean"), F.sum("squared").alias("squares"))
        .collect()
    ):
        found[row["label"]][row["cluster"]] = (row["mean"], row["squares"])
    return found


def _long(labelled: DataFrame, coordinates: Sequence[str], labels: Sequence[str]) -> DataFrame:
    """One row a person and label."""
    pairs = (F.struct(F.lit(x).alias("label"), F.col(x).cast("int").alias("cluster")) for x in labels)
    return labelled.select(*coordinates, F.inline(F.array(*pairs)))


def _silhouette(labelled: DataFrame, label: str) -> float:
    evaluator = ClusteringEvaluator(featuresCol=VECTOR, predictionCol=label, distanceMeasure="squaredEuclidean")
    return evaluator.evaluate(labelled.select(VECTOR, F.col(label).cast("int").alias(label)))


def _figures(clusters: dict[int, _Cluster], distances: dict[int, tuple[float, float]], silhouette: float) -> Figures:
    sizes = np.array([cluster.size for cluster in clusters.values()])
    centroids = np.array([cluster.centroid for cluster in clusters.values()])
    scatter = np.array([distances[number][0] for number in clusters])
    within = sum(distances[number][1] for number in clusters)
    return Figures(
        sizes={number: cluster.size for number, cluster in clusters.items()},
        silhouette=silhouette,
        davies_bouldin=_davies_bouldin(centroids, scatter),
        calinski_harabasz=_calinski_harabasz(sizes, centroids, within),
    )


def _davies_bouldin(centroids: np.ndarray, scatter: np.ndarray) -> float:
    """Davies & Bouldin, A cluster separation measure, IEEE PAMI 1 (1979): smaller is better."""
    apart = np.linalg.norm(centroids[:, None, :] - centroids[None, :, :], axis=2)
    if np.allclose(scatter, 0) or np.allclose(apart, 0):
        return 0.0
    apart[apart == 0] = np.inf
    return float(
        np.mean(
            np.max(
                (scatter[:, None] + scatter[None, :]) / apart,
                axis=1,
                where=~np.eye(len(apart), dtype=bool),
                initial=0.0,
            )
        )
    )


def _calinski_harabasz(sizes: np.ndarray, centroids: np.ndarray, within: float) -> float:
    """Calinski & Harabasz, A dendrite method for cluster analysis, Comm. in Statistics 3 (1974): larger is better."""
    people, k = int(sizes.sum()), len(sizes)
    middle = (sizes[:, None] * centroids).sum(axis=0) / people
    between = float((sizes * ((centroids - middle) ** 2).sum(axis=1)).sum())
    return 1.0 if within == 0 else between * (people - k) / (within * (k - 1))
