"""Where k-means and mixtures begin: small pieces of the people, joined until as many are left as are wanted.

A fit ends at the best clustering near its beginning, and from a random one that is often a bad one: a pair of kinds as
one cluster, another kind as two. Pieces far smaller than any kind are found well enough from anywhere, and joining
those whose union spreads the least (Ward, Hierarchical grouping to optimize an objective function, JASA 58 (1963))
finds the kinds again: what mixtures are begun from in mclust (Fraley & Raftery, JASA 97 (2002)). One beginning then
ends where the best of many random ones does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyspark.ml.clustering import KMeans
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.algorithms import CLUSTER
from segmentation.clustering.preparation import VECTOR

_PIECES = 50
_ROUNDS = 10
_THINNEST = 1e-3
"""Least variance of a group in a coordinate, as a share of everyone's: a density needs some width."""


@dataclass(frozen=True)
class Beginning:
    """k groups of people: how many are in each (k), its means (k x d) and variances (k x d) by coordinate."""

    sizes: np.ndarray
    means: np.ndarray
    variances: np.ndarray


def find_beginnings(rows: DataFrame, most: int, seed: int) -> dict[int, Beginning]:
    """A beginning for each number of clusters, up to `most`, or to how many people differ where they are fewer.

    In: one row a person with the vector, read some ten times.
    """
    wanted = max(_PIECES, 2 * most)
    pieces = KMeans(k=wanted, maxIter=_ROUNDS, initSteps=2, seed=seed, featuresCol=VECTOR, predictionCol=CLUSTER)
    found = (
        pieces.fit(rows)
        .transform(rows)
        .groupBy(CLUSTER)
        .agg(Summarizer.metrics("count", "mean", "variance").summary(F.col(VECTOR)).alias("of"))
        .orderBy(CLUSTER)
        .collect()
    )
    sizes = np.array([float(row["of"]["count"]) for row in found])
    means = np.array([row["of"]["mean"].toArray() for row in found])
    spreads = np.array([row["of"]["variance"].toArray() for row in found]) * (sizes - 1)[:, None]
    return _join(sizes, means, spreads, most)


def _join(sizes: np.ndarray, means: np.ndarray, spreads: np.ndarray, most: int) -> dict[int, Beginning]:
    """`spreads`: sums of squared differences from the group's mean, by coordinate."""
    beginnings = {}
    while True:
        if len(sizes) <= most:
            beginnings[len(sizes)] = Beginning(sizes, means, spreads / sizes[:, None])
        if len(sizes) == 1:
            break
        one, other = _nearest(sizes, means)
        both = sizes[one] + sizes[other]
        apart = means[one] - means[other]
        mean = (sizes[one] * means[one] + sizes[other] * means[other]) / both
        spread = spreads[one] + spreads[other] + sizes[one] * sizes[other] / both * apart**2
        rest = [group for group in range(len(sizes)) if group not in (one, other)]
        sizes = np.append(sizes[rest], both)
        means = np.vstack([means[rest], mean])
        spreads = np.vstack([spreads[rest], spread])
    thinnest = _THINNEST * beginnings[1].variances
    return {
        k: Beginning(found.sizes, found.means, np.maximum(found.variances, thinnest)) for k, found in beginnings.items()
    }


def _nearest(sizes: np.ndarray, means: np.ndarray) -> tuple[int, int]:
    """The two groups whose union adds the least to the sum of squares; of two pairs that add alike the first."""
    squares = ((means[:, None, :] - means[None, :, :]) ** 2).sum(axis=2)
    added = squares * (sizes[:, None] * sizes[None, :]) / (sizes[:, None] + sizes[None, :])
    np.fill_diagonal(added, np.inf)
    one, other = np.unravel_index(np.argmin(added), added.shape)
    return int(one), int(other)
