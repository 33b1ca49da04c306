"""How far two partitions of the same people agree, from the table of who is where in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from math import comb

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns

Contingency = Mapping[tuple[Hashable, Hashable], int]
"""People by (cluster in the one partition, cluster in the other)."""


def count_together(labelled: DataFrame, pairs: Sequence[tuple[str, str]]) -> list[Contingency]:
    """The contingency table of each pair of label columns, all in one pass. In: one row a person."""
    check_columns(labelled, {label for pair in pairs for label in pair}, "the labelled people")
    if not pairs:
        return []
    rows = (
        labelled.select(
            F.explode(
                F.array(
                    *(
                        F.struct(F.lit(number).alias("pair"), F.col(one).alias("one"), F.col(other).alias("other"))
                        for number, (one, other) in enumerate(pairs)
                    )
                )
            ).alias("together")
        )
        .select("together.*")
        .groupBy("pair", "one", "other")
        .count()
        .collect()
    )
    return [{(r["one"], r["other"]): r["count"] for r in rows if r["pair"] == number} for number in range(len(pairs))]


def adjusted_rand_index(together: Contingency) -> float:
    """1 where the partitions are the same, 0 on average where they have nothing to do with each other.

    Hubert & Arabie, Comparing partitions, Journal of Classification 2 (1985).
    """
    ones, others = _margins(together)
    people = sum(together.values())
    same = sum(comb(count, 2) for count in together.values())
    in_one = sum(comb(count, 2) for count in ones.values())
    in_other = sum(comb(count, 2) for count in others.values())
    pairs = comb(people, 2)
    expected = in_one * in_other / pairs if pairs else 0.0
    most = (in_one + in_other) / 2
    return 1.0 if most == expected else (same - expected) / (most - expected)


def jaccard(together: Contingency) -> dict[tuple[Hashable, Hashable], float]:
    """People in both of two clusters as a share of people in either, for each pair that shares anyone."""
    ones, others = _margins(together)
    return {(one, other): n / (ones[one] + others[other] - n) for (one, other), n in together.items() if n}


def best_jaccard(together: Contingency) -> dict[Hashable, float]:
    """For each cluster of the first partition, its overlap with the most alike cluster of the second.

    Hennig, Cluster-wise assessment of cluster stability, Computational Statistics & Data Analysis 52 (2007).
    """
    best: dict[Hashable, float] = {}
    for (one, _), value in jaccard(together).items():
        best[one] = max(value, best.get(one, 0.0))
    return best


def _margins(together: Contingency) -> tuple[Counter[Hashable], Counter[Hashable]]:
    ones: Counter[Hashable] = Counter()
    others: Counter[Hashable] = Counter()
    for (one, other), count in together.items():
        ones[one] += count
        others[other] += count
    return ones, others
