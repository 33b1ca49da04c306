"""Whether a clustering is found again: refits on random halves of the people, compared over everyone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.agreement import adjusted_rand_index, best_jaccard, count_together
from segmentation.clustering.candidates import Candidate, fit, label_column
from segmentation.clustering.coordinates import HALF
from segmentation.clustering.parallel import at_once
from segmentation.config.clustering import ClusteringSettings


def measure_stability(
    labelled: DataFrame, candidates: Sequence[Candidate], settings: ClusteringSettings
) -> list[Candidate]:
    """The candidates with two more figures: `stability`, the mean adjusted Rand index between the candidate and its
    refits on halves of the people, and `weakest_cluster`, the least mean Jaccard index of one of its clusters with
    its likeness in the refits. A refit that fails agrees in nothing.

    In: one row a person with the vector, `half` (a random LONG of the person's own) and a column of labels for each
    candidate.
    """
    refits = range(settings.stability.refits)
    wanted = [(candidate.algorithm, candidate.k) for candidate in candidates]

    def refit(number: int) -> list[Candidate]:
        half = labelled.where(F.pmod(F.xxhash64(HALF, F.lit(number)), F.lit(2)) == 0)
        return fit(wanted, half, settings, settings.seed + 1 + number)

    compared, pairs = labelled, []
    for number, refitted in zip(refits, at_once(labelled.sparkSession, refit, refits), strict=True):
        for again in refitted:
            if again.model is not None:
                name = f"{again.label}_refit_{number}"
                compared = label_column(compared, again.model, name)
                pairs.append((again.label, name))
    tables = dict(zip(pairs, count_together(compared, pairs), strict=True))
    measured = []
    for candidate in candidates:
        own = [table for (label, _), table in tables.items() if label == candidate.label]
        if not refits:
            measured.append(candidate)
            continue
        agreement = sum(adjusted_rand_index(table) for table in own) / len(refits)
        found_again = [best_jaccard(table) for table in own]
        weakest = (
            min((fmean(again.get(number, 0.0) for again in found_again) for number in range(candidate.k)), default=0.0)
            if found_again
            else 0.0
        )
        measured.append(
            replace(candidate, figures={**candidate.figures, "stability": agreement, "weakest_cluster": weakest})
        )
    return measured
