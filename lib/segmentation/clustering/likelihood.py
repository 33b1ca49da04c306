"""How likely people are under a mixture: its log-likelihood, and Schwarz' criterion, by which mixtures are compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from math import log, pi
from typing import Any

import numpy as np
from pyspark.ml.clustering import GaussianMixtureModel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns


def probability_column(label: str) -> str:
    """Beside a mixture's column of labels: DOUBLE, the probability of the cluster that the person is put in."""
    return f"{label}_probability"


def log_likelihoods(
    labelled: DataFrame, coordinates: Sequence[str], mixtures: Mapping[str, GaussianMixtureModel]
) -> dict[str, float]:
    """The log-likelihood of all people under each mixture, by its label; not finite where a covariance is singular.

    In: one row a person with its coordinates, in the order of the vector, and of each label the cluster and
    `probability_column`. One pass for all together.

    Of a model Spark tells the probability p of a person's cluster c, w_c N_c(x) / N(x), and so ln N(x) is
    ln w_c + ln N_c(x) - ln p. Of N_c(x) the sum over the people of c takes nothing but their second moments.
    """
    if not mixtures:
        return {}
    needed = {name for label in mixtures for name in (label, probability_column(label))}
    check_columns(labelled, {*coordinates, *needed}, "the labelled people")
    pairs = list(combinations_with_replacement(range(len(coordinates)), 2))
    sums = [
        "count(*) AS people",
        "sum(ln(probability)) AS certainty",
        *(f"sum(`{name}`) AS sum_{at}" for at, name in enumerate(coordinates)),
        *(f"sum(`{coordinates[a]}` * `{coordinates[b]}`) AS sum_{a}_{b}" for a, b in pairs),
    ]
    rows = (
        labelled.select(*coordinates, F.inline(F.array(*map(_placed, mixtures))))
        .groupBy("label", "cluster")
        .agg(*map(F.expr, sums))
        .collect()
    )
    found: dict[str, float] = defaultdict(float)
    for row in sorted(rows, key=lambda row: (row["label"], row["cluster"])):
        found[row["label"]] += _of_cluster(row, mixtures[row["label"]], len(coordinates))
    return dict(found)


def bic(log_likelihood: float, k: int, dimensions: int, people: int) -> float:
    """Schwarz, Estimating the dimension of a model, Annals of Statistics 6 (1978): smaller is better."""
    parameters = k * dimensions + k * dimensions * (dimensions + 1) // 2 + k - 1
    return parameters * log(people) - 2 * log_likelihood


def _placed(label: str) -> Column:
    cluster, probability = F.col(label).cast("int"), F.col(probability_column(label))
    return F.struct(F.lit(label).alias("label"), cluster.alias("cluster"), probability.alias("probability"))


def _of_cluster(row: Row, mixture: GaussianMixtureModel, dimensions: int) -> float:
    """The log-likelihood of the people whom the mixture puts in one cluster."""
    gaussian: Any = mixture.gaussians[row["cluster"]]
    mean, covariance = gaussian.mean.toArray(), gaussian.cov.toArray()
    people, sums = row["people"], np.array([row[f"sum_{at}"] for at in range(dimensions)])
    squares = np.empty((dimensions, dimensions))
    for a, b in combinations_with_replacement(range(dimensions), 2):
        squares[a, b] = squares[b, a] = row[f"sum_{a}_{b}"]
    scatter = squares - np.outer(sums, mean) - np.outer(mean, sums) + people * np.outer(mean, mean)
    # As Spark's density: directions in which a covariance has no width are left out.
    widths, axes = np.linalg.eigh(covariance)
    kept = widths > np.finfo(float).eps * max(widths.max(), 0.0) * dimensions
    if not kept.any():
        return float("nan")
    along = np.einsum("da,de,ea->a", axes, scatter, axes)
    far = float((along[kept] / widths[kept]).sum())
    height = log(mixture.weights[row["cluster"]]) - (dimensions * log(2 * pi) + float(np.log(widths[kept]).sum())) / 2
    return people * height - far / 2 - float(row["certainty"])
