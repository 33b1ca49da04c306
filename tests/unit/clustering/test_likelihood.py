"""The log-likelihood of a mixture: scikit-learn's of the same mixture on the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.ml.clustering import GaussianMixture
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession
from sklearn.mixture import GaussianMixture as Theirs

from segmentation.clustering.candidates import label_column
from segmentation.clustering.likelihood import bic, log_likelihoods

NAMES = ["x", "y", "z"]


def test_likelihood_and_bic_are_scikit_learns_to_a_millionth(spark: SparkSession) -> None:
    random = np.random.default_rng(7)
    points = np.vstack([random.normal(middle, 1.0, size=(60, 3)) for middle in (0, 1.5, 4)])
    points[:, 1] += points[:, 0] / 2
    rows = spark.createDataFrame([tuple(map(float, point)) for point in points], NAMES)
    prepared = VectorAssembler(inputCols=NAMES, outputCol="prepared").transform(rows).persist()
    models = {
        f"mixture_{k}": GaussianMixture(k=k, seed=1, maxIter=9, featuresCol="prepared", predictionCol="cluster").fit(
            prepared
        )
        for k in (2, 3)
    }
    labelled = prepared
    for label, model in models.items():
        labelled = label_column(labelled, model, label)
    found = log_likelihoods(labelled, NAMES, models)
    for label, model in models.items():
        theirs = Theirs(k := len(model.weights))
        theirs.weights_ = np.array(model.weights)
        theirs.means_ = np.array([gaussian.mean.toArray() for gaussian in model.gaussians])
        theirs.covariances_ = np.array([gaussian.cov.toArray() for gaussian in model.gaussians])
        theirs.precisions_cholesky_ = np.array([np.linalg.cholesky(np.linalg.inv(c)) for c in theirs.covariances_])
        assert found[label] == pytest.approx(theirs.score_samples(points).sum(), rel=1e-6)
        assert bic(found[label], k, 3, len(points)) == pytest.approx(theirs.bic(points), rel=1e-6)
