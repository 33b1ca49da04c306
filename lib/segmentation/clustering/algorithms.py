"""The algorithms that are tried, as Spark's own estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.ml.clustering import (
    BisectingKMeans,
    BisectingKMeansModel,
    GaussianMixture,
    GaussianMixtureModel,
    KMeans,
    KMeansModel,
)

from segmentation.clustering.preparation import VECTOR
from segmentation.config.clustering import Algorithm

ClusterModel = BisectingKMeansModel | GaussianMixtureModel | KMeansModel

CLUSTER = "cluster"
"""Column of the cluster's number."""

NAMES: dict[Algorithm, str] = {
    "bisecting_kmeans": "bisecting k-means",
    "gaussian_mixture": "Gaussian mixture",
    "kmeans": "k-means",
}
"""What each is called in sentences."""


def _bisecting(k: int, iterations: int, seed: int) -> BisectingKMeans:
    # Spark makes every iteration of every level a job and does not look whether the halves still change; ten suffice.
    return BisectingKMeans(k=k, maxIter=min(iterations, 10), seed=seed, featuresCol=VECTOR, predictionCol=CLUSTER)


def _mixture(k: int, iterations: int, seed: int) -> GaussianMixture:
    return GaussianMixture(k=k, maxIter=iterations, tol=1e-3, seed=seed, featuresCol=VECTOR, predictionCol=CLUSTER)


def _kmeans(k: int, iterations: int, seed: int) -> KMeans:
    return KMeans(k=k, maxIter=iterations, tol=1e-4, initSteps=2, seed=seed, featuresCol=VECTOR, predictionCol=CLUSTER)


ESTIMATORS: dict[Algorithm, Callable[[int, int, int], Any]] = {
    "bisecting_kmeans": _bisecting,
    "gaussian_mixture": _mixture,
    "kmeans": _kmeans,
}
"""Makes an estimator from k, the most iterations, and a seed."""


def centres(model: ClusterModel) -> list[list[float]]:
    """The middle of each cluster, in coordinates of the prepared vectors."""
    if isinstance(model, GaussianMixtureModel):
        return [[float(x) for x in gaussian.mean.toArray()] for gaussian in model.gaussians]
    return [[float(x) for x in centre] for centre in model.clusterCenters()]
