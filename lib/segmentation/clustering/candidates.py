"""The candidates: each algorithm with each number of clusters, fitted, and measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, log
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.ml.clustering import BisectingKMeansModel, GaussianMixtureModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.algorithms import CLUSTER, ESTIMATORS, NAMES, ClusterModel
from segmentation.clustering.figures import measure
from segmentation.clustering.parallel import at_once
from segmentation.clustering.preparation import VECTOR
from segmentation.clustering.tree import cut, prune, read_tree
from segmentation.config.clustering import Algorithm, ClusteringSettings

_APART = 1_000
"""Between the seeds of two restarts."""


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
    work = group_fits([(a, k) for a in algorithms for k in numbers if k <= distinct])
    fitted = at_once(prepared.sparkSession, lambda fit: fit_several(prepared, *fit, settings, settings.seed), work)
    everyone = [*too_many, *(candidate for several in fitted for candidate in several)]
    return sorted(everyone, key=lambda candidate: (candidate.k, algorithms.index(candidate.algorithm)))


def group_fits(wanted: Iterable[tuple[Algorithm, int]]) -> list[tuple[Algorithm, list[int]]]:
    """What one call of `fit_several` each fits: all k of bisecting k-means together, first since it takes longest."""
    together: list[int] = []
    alone: list[tuple[Algorithm, list[int]]] = []
    for algorithm, k in wanted:
        if algorithm == "bisecting_kmeans":
            together.append(k)
        else:
            alone.append((algorithm, [k]))
    return [("bisecting_kmeans", together), *alone] if together else alone


def fit_several(
    prepared: DataFrame, algorithm: Algorithm, numbers: Sequence[int], settings: ClusteringSettings, seed: int
) -> list[Candidate]:
    """A candidate for each of `numbers`: of bisecting k-means cut from one tree of `settings.k.max` leaves, else the
    best of `settings.restarts` fits from other beginnings.

    In: one row a person with the vector.
    """
    # A projection is not the kept table itself, so Spark keeps the fit's own rows decoded: ten times faster to go
    # over again and again than rows of the columnar store.
    rows = prepared.select(F.col(VECTOR).alias(VECTOR))
    if algorithm == "bisecting_kmeans":
        return _cut_tree(rows, numbers, settings, seed)
    best = []
    for k in numbers:
        seeds = [seed + _APART * number for number in range(settings.restarts)]
        fits = [_fit(rows, algorithm, k, settings.max_iterations, own) for own in seeds]
        best.append(max(fits, key=lambda fit: fit[0])[1])
    return best


def _cut_tree(rows: DataFrame, numbers: Sequence[int], settings: ClusteringSettings, seed: int) -> list[Candidate]:
    # Refits grow as far as the first fit, whichever numbers they are asked for. Of people who hardly differ so large a
    # tree may fail where a smaller one does not.
    for leaves in dict.fromkeys((settings.k.max, max(numbers))):
        _, grown = _fit(rows, "bisecting_kmeans", leaves, settings.max_iterations, seed)
        if grown.model is not None:
            break
    else:
        return [replace(grown, k=k) for k in numbers]
    assert isinstance(grown.model, BisectingKMeansModel), "what its estimator fits"
    root = read_tree(grown.model)
    return [
        Candidate(
            "bisecting_kmeans", k, failure=f"people differ too little to be split into more than {root.leaves} clusters"
        )
        if k > root.leaves
        else Candidate("bisecting_kmeans", k, prune(grown.model, root, cut(root, k)))
        for k in numbers
    ]


def _fit(rows: DataFrame, algorithm: Algorithm, k: int, iterations: int, seed: int) -> tuple[float, Candidate]:
    """A fit, and how good it is by its own objective: comparable between fits of one candidate."""
    worst = float("-inf")
    try:
        model = ESTIMATORS[algorithm](k, iterations, seed).fit(rows)
        if not isinstance(model, GaussianMixtureModel):
            return -model.summary.trainingCost, Candidate(algorithm, k, model)
        likelihood = model.summary.logLikelihood
    except (PySparkException, Py4JJavaError) as error:
        if not _degenerate(algorithm, error):
            raise
        return worst, Candidate(algorithm, k, failure="too few people differ from each other for so many clusters")
    if not isfinite(likelihood):
        return worst, Candidate(algorithm, k, failure="a covariance is singular (its likelihood is not finite)")
    return likelihood, Candidate(algorithm, k, model, figures={"log_likelihood": likelihood})


def _degenerate(algorithm: Algorithm, error: Exception) -> bool:
    """Whether the fit broke on the people and not on the cluster: Spark has no error of its own for it."""
    known = (
        ["IndexOutOfBounds"]
        if algorithm != "gaussian_mixture"
        else ["IndexOutOfBounds", "singular value", "NotConverged"]
    )
    return any(text in str(error) for text in known)


def label_people(prepared: DataFrame, candidates: Sequence[Candidate]) -> DataFrame:
    """The prepared people with one more INT column a fitted candidate: the cluster that it puts the person in."""
    labelled = prepared
    for candidate in candidates:
        if candidate.model is not None:
            labelled = label_column(labelled, candidate.model, candidate.label)
    return labelled


def label_column(prepared: DataFrame, model: ClusterModel, name: str) -> DataFrame:
    """The prepared people with the column `name`: the cluster that the model puts the person in."""
    kept = [column for column in prepared.columns if column != CLUSTER]
    return model.transform(prepared.select(kept)).select(*kept, F.col(CLUSTER).alias(name))


def measure_candidates(
    labelled: DataFrame, coordinates: Sequence[str], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """The candidates with their figures and sizes; one with an empty cluster has failed."""
    fitted = [candidate for candidate in candidates if candidate.failure is None]
    found = dict(zip((c.label for c in fitted), measure(labelled, coordinates, [c.label for c in fitted]), strict=True))
    measured = []
    for candidate in candidates:
        figures = found.get(candidate.label)
        if candidate.failure is not None:
            measured.append(candidate)
        elif figures is None or len(figures.sizes) < candidate.k:
            filled = 1 if figures is None else len(figures.sizes)
            measured.append(replace(candidate, model=None, failure=f"only {filled} of its clusters have people"))
        else:
            values = {
                "silhouette": figures.silhouette,
                "davies_bouldin": figures.davies_bouldin,
                "calinski_harabasz": figures.calinski_harabasz,
                **candidate.figures,
            }
            if "log_likelihood" in values:
                values["bic"] = _bic(
                    values["log_likelihood"], candidate.k, len(coordinates), sum(figures.sizes.values())
                )
            sizes = tuple(figures.sizes[number] for number in sorted(figures.sizes))
            measured.append(replace(candidate, sizes=sizes, figures=values))
    return measured


def _bic(log_likelihood: float, k: int, dimensions: int, people: int) -> float:
    """Schwarz, Estimating the dimension of a model, Annals of Statistics 6 (1978): smaller is better."""
    parameters = k * dimensions + k * dimensions * (dimensions + 1) // 2 + k - 1
    return parameters * log(people) - 2 * log_likelihood
