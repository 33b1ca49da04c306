"""The algorithms that are tried, and what their models have in common."""

from __future__ import annotations

from pyspark.ml.clustering import BisectingKMeansModel, GaussianMixtureModel, KMeansModel

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


def centres(model: ClusterModel) -> list[list[float]]:
    """The middle of each cluster, in coordinates of the prepared vectors."""
    if isinstance(model, GaussianMixtureModel):
        return [[float(x) for x in gaussian.mean.toArray()] for gaussian in model.gaussians]
    return [[float(x) for x in centre] for centre in model.clusterCenters()]
