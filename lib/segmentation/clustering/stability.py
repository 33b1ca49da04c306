"""Whether a clustering is found again: refits on random halves of the people, and on the people of earlier dates,
compared over everyone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.agreement import Contingency, adjusted_rand_index, best_jaccard, count_together
from segmentation.clustering.candidates import Candidate, fit, label_column
from segmentation.clustering.coordinates import HALF
from segmentation.clustering.parallel import at_once
from segmentation.config.clustering import ClusteringSettings


def measure_stability(
    labelled: DataFrame, earlier: Sequence[DataFrame], candidates: Sequence[Candidate], settings: ClusteringSettings
) -> list[Candidate]:
    """The candidates with more figures: `stability`, the mean adjusted Rand index between the candidate and its
    refits on halves of the people; `weakest_cluster`, the least mean Jaccard index of one of its clusters with its
    likeness in these; and `stability_over_time`, as the first, but of fits on the people of each `earlier` date. A
    refit that fails agrees in nothing.

    In: one row a person with the vector, of the `labelled` also `half` (a random LONG of the person's own) and a
    column of labels for each candidate.
    """
    halves = [
        labelled.where(F.pmod(F.xxhash64(HALF, F.lit(number)), F.lit(2)) == 0)
        for number in range(settings.stability.refits)
    ]
    samples = [*halves, *earlier]
    wanted = [(candidate.algorithm, candidate.k) for candidate in candidates]

    def refit(number: int) -> list[Candidate]:
        return fit(wanted, samples[number], settings, settings.seed + 1 + number)

    compared, pairs = labelled, []
    numbers = range(len(samples))
    for number, refitted in zip(numbers, at_once(labelled.sparkSession, refit, numbers), strict=True):
        for again in refitted:
            if again.model is not None:
                compared = label_column(compared, again.model, _refitted(again, number))
                pairs.append((again.label, _refitted(again, number)))
    tables = dict(zip(pairs, count_together(compared, pairs), strict=True))

    def figures(candidate: Candidate) -> dict[str, float]:
        own = [tables.get((candidate.label, _refitted(candidate, number))) for number in numbers]
        of_halves, of_earlier = own[: len(halves)], own[len(halves) :]
        found: dict[str, float] = {}
        if of_halves:
            found |= {"stability": _agreement(of_halves), "weakest_cluster": _weakest(of_halves, candidate.k)}
        if of_earlier:
            found["stability_over_time"] = _agreement(of_earlier)
        return found

    return [replace(candidate, figures=candidate.figures | figures(candidate)) for candidate in candidates]


def _refitted(candidate: Candidate, number: int) -> str:
    return f"{candidate.label}_refit_{number}"


def _agreement(refits: Sequence[Contingency | None]) -> float:
    return fmean(adjusted_rand_index(table) if table else 0.0 for table in refits)


def _weakest(refits: Sequence[Contingency | None], k: int) -> float:
    found_again = [best_jaccard(table) if table else {} for table in refits]
    return min(fmean(again.get(number, 0.0) for again in found_again) for number in range(k))
