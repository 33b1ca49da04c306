"""What methods that do not scale to everyone find in a sample of the people, beside the choice.

They choose nothing. Where they agree with the choice, its segments are no matter of the method; where they do not, and
tell people apart better, it is worth a look at the features.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from segmentation.clustering.agreement import adjusted_rand_index
from segmentation.clustering.candidates import Candidate
from segmentation.clustering.coordinates import HALF
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import ConfigError

METHODS = {"hierarchical": "hierarchical (Ward)", "dbscan": "DBSCAN"}
"""What each is called in tables."""


@dataclass(frozen=True)
class Comparison:
    """What one method finds in the sample, the choice itself among them."""

    method: str
    k: int
    people: int
    """In the sample."""
    left_out: int
    """Of these, whom the method puts into no cluster."""
    silhouette: float | None
    """Of squared distances, over those who are in a cluster; None where there is one cluster only."""
    agreement: float
    """Adjusted Rand index with the choice, in which people who are left out are a cluster."""


def compare_methods(
    labelled: DataFrame, coordinates: Sequence[str], chosen: Candidate, settings: ClusteringSettings
) -> list[Comparison]:
    """The choice and each of `settings.compare_with`, over the same people: `settings.compare_people`, or everyone.

    In: one row a person with the coordinates, `half` (a random LONG of the person's own), and the chosen candidate's
    label. So many rows come to the driver, and no more. Hierarchical clustering is cut at each k that was tried;
    DBSCAN finds its own, with as far a reach as the bend in the people's distances to their neighbours says. Raises
    `ConfigError` where scikit-learn is not installed.
    """
    check_installed(settings)
    if not settings.compare_with:
        return []
    rows = labelled.orderBy(HALF).limit(settings.compare_people).select(*coordinates, chosen.label).toArrow()
    points = np.column_stack([rows.column(name).to_numpy() for name in coordinates])
    own = rows.column(chosen.label).to_numpy()
    found = [(str(chosen.algorithm), chosen.k, own)]
    if "hierarchical" in settings.compare_with:
        found += [("hierarchical", k, labels) for k, labels in _hierarchical(points, settings)]
    if "dbscan" in settings.compare_with:
        labels = _dbscan(points)
        found.append(("dbscan", len(set(labels) - {-1}), labels))
    return [_judge(method, k, points, labels, own) for method, k, labels in found]


def check_installed(settings: ClusteringSettings) -> None:
    """Raises `ConfigError` where a method is asked for and scikit-learn is not installed."""
    if settings.compare_with:
        _sklearn()


def _sklearn() -> Any:
    try:
        import sklearn.cluster
        import sklearn.metrics
        import sklearn.neighbors
    except ImportError:
        raise ConfigError(
            "clustering.compare_with needs scikit-learn, which is not here: pip install 'segmentation[comparison]'."
        ) from None
    return sklearn


def _hierarchical(points: np.ndarray, settings: ClusteringSettings) -> Iterator[tuple[int, np.ndarray]]:
    for k in range(settings.k.min, min(settings.k.max, len(points)) + 1):
        yield k, _sklearn().cluster.AgglomerativeClustering(n_clusters=k, linkage="ward").fit_predict(points)


def _dbscan(points: np.ndarray) -> np.ndarray:
    """Sander and others (Density-based clustering in spatial databases, 1998): neighbours twice the dimensions."""
    neighbours = min(2 * points.shape[1], len(points) - 1)
    near = _sklearn().neighbors.NearestNeighbors(n_neighbors=neighbours + 1).fit(points)
    distances = np.sort(near.kneighbors(points)[0][:, -1])
    # The bend is where the curve is furthest below the line between its ends.
    line = np.linspace(distances[0], distances[-1], len(distances))
    reach = float(distances[int(np.argmax(line - distances))])
    if reach <= 0:
        return np.zeros(len(points), dtype=int)
    return _sklearn().cluster.DBSCAN(eps=reach, min_samples=neighbours).fit_predict(points)


def _judge(method: str, k: int, points: np.ndarray, labels: np.ndarray, own: np.ndarray) -> Comparison:
    inside = labels >= 0
    clusters, people = len(set(labels[inside])), int(inside.sum())
    silhouette = None
    if 1 < clusters < people:
        silhouette = float(_sklearn().metrics.silhouette_score(points[inside], labels[inside], metric="sqeuclidean"))
    together = Counter(zip(own.tolist(), labels.tolist(), strict=True))
    return Comparison(method, k, len(labels), len(labels) - people, silhouette, adjusted_rand_index(together))
