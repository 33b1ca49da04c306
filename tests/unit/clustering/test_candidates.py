"""Candidates that fail, and whether each cluster of one is found again."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from unittest.mock import Mock

import numpy as np
import pytest
from pyspark.errors import PySparkException
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.clustering import candidates
from segmentation.clustering.candidates import Candidate, fit_candidates, label_people, measure_candidates
from segmentation.clustering.coordinates import HALF
from segmentation.clustering.preparation import VECTOR
from segmentation.clustering.stability import measure_stability
from segmentation.config.clustering import ClusteringSettings


def _prepared(spark: SparkSession, points: Sequence[tuple[float, float]]) -> DataFrame:
    rows = [(f"p{number}", float(x), float(y)) for number, (x, y) in enumerate(points)]
    people = spark.createDataFrame(rows, "person_id string, x double, y double").coalesce(1)
    prepared = VectorAssembler(inputCols=["x", "y"], outputCol=VECTOR).transform(people)
    return prepared.withColumn(HALF, F.xxhash64("person_id"))


def _settings(algorithm: str, k: int) -> ClusteringSettings:
    parts = {"algorithms": [algorithm], "k": {"min": k, "max": k}, "stability": {"refits": 2}}
    return ClusteringSettings.model_validate(parts)


def test_a_mixture_with_a_singular_covariance_is_a_candidate_with_its_reason(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = _prepared(spark, [(0.0, 0.0), (0.1, 0.0), (5.0, 5.0), (5.0, 5.1)])
    settings = _settings("gaussian_mixture", 2)
    fitted = fit_candidates(prepared, 4, settings)
    # What Spark throws, and a likelihood that is none.
    error = PySparkException("Covariance matrix has no non-zero singular values.")
    monkeypatch.setattr(candidates, "fit_mixture", Mock(side_effect=error))
    (thrown,) = fit_candidates(prepared, 4, settings)
    monkeypatch.setattr(candidates, "log_likelihoods", Mock(return_value={"gaussian_mixture_2": nan}))
    (unlikely,) = measure_candidates(label_people(prepared, fitted), ["x", "y"], fitted)
    assert (thrown.failure, unlikely.failure) == ("a covariance is singular", "a covariance is singular")
    assert unlikely.model is None


def test_a_candidate_with_an_empty_cluster_has_failed(spark: SparkSession) -> None:
    points = [(0.0, 0.0), (0.1, 0.0), (5.0, 5.0), (5.0, 5.1)]
    labelled = _prepared(spark, points).withColumn("kmeans_3", F.when(F.col("x") < 1, 0).otherwise(2))
    (fitted,) = fit_candidates(labelled, 4, _settings("kmeans", 2))
    (candidate,) = measure_candidates(labelled, ["x", "y"], [Candidate("kmeans", 3, fitted.model)])
    assert candidate.failure == "only 2 of its clusters have people"
    assert candidate.model is None


def test_half_of_a_cloud_is_a_cluster_that_refits_do_not_find_again(spark: SparkSession) -> None:
    random = np.random.default_rng(3)
    angles, distances = random.uniform(0, 2 * np.pi, 300), np.sqrt(random.uniform(0, 1, 300))
    cloud = np.column_stack([distances * np.cos(angles), distances * np.sin(angles)])
    points = [*cloud, *random.normal((20, 0), 0.1, (100, 2)), *random.normal((0, 20), 0.1, (100, 2))]
    prepared = _prepared(spark, points)

    def weakest(k: int) -> float:
        settings = _settings("kmeans", k)
        found = fit_candidates(prepared, len(points), settings)
        (measured,) = measure_stability(label_people(prepared, found), [], found, settings)
        return measured.figures["weakest_cluster"]

    assert weakest(3) == 1.0
    assert weakest(4) < 0.95
