"""The candidates: each algorithm with each number of clusters, fitted, and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.ml.clustering import BisectingKMeans, BisectingKMeansModel, GaussianMixtureModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.algorithms import CLUSTER, NAMES, ClusterModel
from segmentation.clustering.beginnings import Beginning, find_beginnings
from segmentation.clustering.figures import measure
from segmentation.clustering.fitting import fit_kmeans, fit_mixture
from segmentation.clustering.likelihood import bic, log_likelihoods, probability_column
from segmentation.clustering.parallel import at_once
from segmentation.clustering.preparation import VECTOR
from segmentation.clustering.tree import cut, prune, read_tree
from segmentation.config.clustering import Algorithm, ClusteringSettings

_TOO_ALIKE = "too few people differ from each other for so many clusters"
_SINGULAR = "a covariance is singular"


@dataclass(frozen=True)
class Candidate:
    """One fit: its model, the people of each cluster, its figures; or why there is none."""

    algorithm: Algorithm
    k: int
    model: ClusterModel | None = field(default=None, compare=False)
    sizes: tuple[int, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    failure: str | None = None

    @property
    def label(self) -> str:
        """Name of its column among the labelled people."""
        return f"{self.algorithm}_{self.k}"

    @property
    def title(self) -> str:
        return f"{NAMES[self.algorithm]} with k = {self.k}"

    @property
    def shares(self) -> tuple[float, ...]:
        return tuple(size / sum(self.sizes) for size in self.sizes)

    def summary(self) -> dict[str, Any]:
        """For `models.candidates`."""
        return {
            "algorithm": self.algorithm,
            "k": self.k,
            "sizes": list(self.sizes),
            "figures": self.figures,
            "failure": self.failure,
        }


def fit_candidates(prepared: DataFrame, distinct: int, settings: ClusteringSettings) -> list[Candidate]:
    """Fits every candidate on the prepared people, several at once; a fit that fails is a candidate with its reason.

    In: one row a person with the vector, in one order. `distinct` is how many different vectors there are. Out: by k,
    then in the order of the algorithms.
    """
    numbers = range(settings.k.min, settings.k.max + 1)
    algorithms = list(dict.fromkeys(settings.algorithms))
    too_many = [
        Candidate(a, k, failure=f"only {distinct} people differ from each other")
        for a in algorithms
        for k in numbers
        if k > distinct
    ]
    fitted = fit([(a, k) for a in algorithms for k in numbers if k <= distinct], prepared, settings, settings.seed)
    return sorted([*too_many, *fitted], key=lambda candidate: (candidate.k, algorithms.index(candidate.algorithm)))


def fit(
    wanted: Sequence[tuple[Algorithm, int]], prepared: DataFrame, settings: ClusteringSettings, seed: int
) -> list[Candidate]:
    """A candidate for each algorithm and number of clusters, several at once. Those of bisecting k-means are cut from
    one tree of `settings.k.max` leaves; the others begin where `find_beginnings` says.

    In: one row a person with the vector.
    """
    # A projection is not the kept table itself, so Spark keeps the fit's own rows decoded: ten times faster to go
    # over again and again than rows of the columnar store.
    rows = prepared.select(F.col(VECTOR).alias(VECTOR))
    in_tree = [k for algorithm, k in wanted if algorithm == "bisecting_kmeans"]
    begun = [(algorithm, k) for algorithm, k in wanted if algorithm != "bisecting_kmeans"]
    beginnings = find_beginnings(rows, settings.k.max, seed) if begun else {}
    work = [partial(_fit, rows, *each, beginnings, settings.max_iterations) for each in begun]
    # The tree first, since it takes longest.
    trees = [partial(_cut_tree, rows, in_tree, settings, seed)] if in_tree else []
    found = at_once(prepared.sparkSession, lambda one: one(), [*trees, *work])
    return [candidate for several in found for candidate in several]


def _cut_tree(rows: DataFrame, numbers: Sequence[int], settings: ClusteringSettings, seed: int) -> list[Candidate]:
    # Refits grow as far as the first fit, whichever numbers they are asked for. Of people who hardly differ so large a
    # tree may fail where a smaller one does not.
    for leaves in dict.fromkeys((settings.k.max, max(numbers))):
        grown = _grow_tree(rows, leaves, settings.max_iterations, seed)
        if grown is not None:
            break
    else:
        return [Candidate("bisecting_kmeans", k, failure=_TOO_ALIKE) for k in numbers]
    root = read_tree(grown)
    return [
        Candidate(
            "bisecting_kmeans", k, failure=f"people differ too little to be split into more than {root.leaves} clusters"
        )
        if k > root.leaves
        else Candidate("bisecting_kmeans", k, prune(grown, root, cut(root, k)))
        for k in numbers
    ]


def _grow_tree(rows: DataFrame, leaves: int, iterations: int, seed: int) -> BisectingKMeansModel | None:
    # Spark makes every iteration of every level a job and does not look whether the halves still change; ten suffice.
    most = min(iterations, 10)
    grower = BisectingKMeans(k=leaves, maxIter=most, seed=seed, featuresCol=VECTOR, predictionCol=CLUSTER)
    try:
        return grower.fit(rows)
    except (PySparkException, Py4JJavaError) as error:
        if "IndexOutOfBounds" in str(error):
            return None
        raise


def _fit(
    rows: DataFrame, algorithm: Algorithm, k: int, beginnings: Mapping[int, Beginning], iterations: int
) -> list[Candidate]:
    if k not in beginnings:
        return [Candidate(algorithm, k, failure=_TOO_ALIKE)]
    if algorithm == "kmeans":
        return [Candidate(algorithm, k, fit_kmeans(rows, beginnings[k], iterations))]
    try:
        return [Candidate(algorithm, k, fit_mixture(rows, beginnings[k], iterations))]
    except (PySparkException, Py4JJavaError) as error:
        # Spark has no error of its own for people who are too much alike.
        if any(text in str(error) for text in ("singular value", "NotConverged")):
            return [Candidate(algorithm, k, failure=_SINGULAR)]
        raise


def label_people(prepared: DataFrame, candidates: Sequence[Candidate]) -> DataFrame:
    """The prepared people with one more INT column a fitted candidate, the cluster that it puts the person in, and of
    a mixture the probability of that cluster."""
    labelled = prepared
    for candidate in candidates:
        if candidate.model is not None:
            labelled = label_column(labelled, candidate.model, candidate.label)
    return labelled


def label_column(prepared: DataFrame, model: ClusterModel, name: str) -> DataFrame:
    """The prepared people with the column `name`: the cluster that the model puts the person in; of a mixture with
    the `probability_column` beside it."""
    kept = [column for column in prepared.columns if column != CLUSTER]
    found = [F.col(CLUSTER).alias(name)]
    if isinstance(model, GaussianMixtureModel):
        found.append(F.array_max(vector_to_array(F.col("probability"))).alias(probability_column(name)))
    return model.transform(prepared.select(kept)).select(*kept, *found)


def measure_candidates(
    labelled: DataFrame, coordinates: Sequence[str], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """The candidates with their figures and sizes; one with an empty cluster has failed, and a mixture under which
    people have no likelihood."""
    models = {candidate.label: candidate.model for candidate in candidates if candidate.model is not None}
    mixtures = {label: model for label, model in models.items() if isinstance(model, GaussianMixtureModel)}
    figures = dict(zip(models, measure(labelled, coordinates, list(models)), strict=True))
    likelihoods = log_likelihoods(labelled, coordinates, mixtures)

    def measured(candidate: Candidate) -> Candidate:
        if candidate.failure is not None:
            return candidate
        found = figures[candidate.label]
        if found is None or len(found.sizes) < candidate.k:
            filled = 1 if found is None else len(found.sizes)
            return replace(candidate, model=None, failure=f"only {filled} of its clusters have people")
        values = {
            "silhouette": found.silhouette,
            "davies_bouldin": found.davies_bouldin,
            "calinski_harabasz": found.calinski_harabasz,
        }
        if candidate.label in mixtures:
            likelihood = likelihoods[candidate.label]
            if not isfinite(likelihood):
                return replace(candidate, model=None, failure=_SINGULAR)
            people = sum(found.sizes.values())
            values["log_likelihood"] = likelihood
            values["bic"] = bic(likelihood, candidate.k, len(coordinates), people)
        sizes = tuple(found.sizes[number] for number in sorted(found.sizes))
        return replace(candidate, sizes=sizes, figures=values)

    return [measured(candidate) for candidate in candidates]
