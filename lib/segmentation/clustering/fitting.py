"""K-means and Gaussian mixtures, fitted from a beginning that is given.

Spark's estimators of data frames begin where they like; those of RDDs beneath them (k-means is the very same code) can
be told where. Only Java code can bring rows to them without a Python process, so they are called there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyspark.ml.clustering import GaussianMixtureModel, KMeansModel
from pyspark.sql import DataFrame

from segmentation.clustering.algorithms import CLUSTER
from segmentation.clustering.beginnings import Beginning
from segmentation.clustering.preparation import VECTOR

_SETTLED = 1e-3
"""A mixture is fitted when a pass lifts the log-likelihood by no more than this a person; as in scikit-learn."""


def fit_kmeans(rows: DataFrame, beginning: Beginning, iterations: int) -> KMeansModel:
    """In: one row a person with the vector."""
    java = _Java(rows)
    clustering = java.mllib.clustering
    k = len(beginning.sizes)
    middles = java.jvm.java.util.ArrayList()
    for mean in beginning.means:
        middles.add(java.vector(mean))
    fit = clustering.KMeans().setK(k).setMaxIterations(iterations).setInitialModel(clustering.KMeansModel(middles))
    found = KMeansModel(java.ml.clustering.KMeansModel(f"kmeans_{k}", fit.run(java.vectors())))
    return found._set(k=k, featuresCol=VECTOR, predictionCol=CLUSTER)


def fit_mixture(rows: DataFrame, beginning: Beginning, iterations: int) -> GaussianMixtureModel:
    """In: one row a person with the vector."""
    java = _Java(rows)
    clustering, normal = java.mllib.clustering, java.mllib.stat.distribution.MultivariateGaussian
    k = len(beginning.sizes)
    parts = zip(beginning.means, beginning.variances, strict=True)
    normals = [normal(java.vector(m), java.mllib.linalg.Matrices.diag(java.vector(v))) for m, v in parts]
    first = clustering.GaussianMixtureModel(
        java.doubles(beginning.sizes / beginning.sizes.sum()), java.array(normal, normals)
    )
    fit = clustering.GaussianMixture().setK(k).setMaxIterations(iterations).setInitialModel(first)
    found = fit.setConvergenceTol(_SETTLED * float(beginning.sizes.sum())).run(java.vectors())
    own = java.ml.stat.distribution.MultivariateGaussian
    gaussians = java.array(own, [own(each.mu().asML(), each.sigma().asML()) for each in found.gaussians()])
    mixture = java.ml.clustering.GaussianMixtureModel(f"mixture_{k}", found.weights(), gaussians)
    return GaussianMixtureModel(mixture)._set(k=k, featuresCol=VECTOR, predictionCol=CLUSTER)


class _Java:
    """What a fit is handed in the JVM."""

    def __init__(self, rows: DataFrame) -> None:
        context: Any = rows.sparkSession.sparkContext
        self._rows, self._gateway = rows, context._gateway
        self.jvm = context._jvm
        self.mllib, self.ml = self.jvm.org.apache.spark.mllib, self.jvm.org.apache.spark.ml

    def vectors(self) -> Any:
        """The people's vectors, as an RDD."""
        names = self.array(self.jvm.java.lang.String, [VECTOR])
        old = self.mllib.util.MLUtils.convertVectorColumnsFromML(self._rows.select(VECTOR)._jdf, names)
        # What `Encoders.udt` makes, which Spark 4.0 has not.
        encoder = getattr(self.jvm, "org.apache.spark.sql.catalyst.encoders.AgnosticEncoders$UDTEncoder")
        vector = self.jvm.org.apache.spark.mllib.linalg.VectorUDT()
        return getattr(old, "as")(encoder(vector, vector.getClass())).rdd()

    def vector(self, values: Iterable[float]) -> Any:
        return self.mllib.linalg.DenseVector(self.doubles(values))

    def doubles(self, values: Iterable[float]) -> Any:
        return self.array(self.jvm.double, [float(value) for value in values])

    def array(self, of: Any, values: Sequence[Any]) -> Any:
        """A Java array of a class."""
        made = self._gateway.new_array(of, len(values))
        for place, value in enumerate(values):
            made[place] = value
        return made
