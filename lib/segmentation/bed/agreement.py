"""How far two partitions of the same things agree, from their contingency table: no pair is ever made."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns


@dataclass(frozen=True)
class Agreement:
    """A found partition against the true one."""

    things: int
    found_groups: int
    true_groups: int
    exact_groups: int
    """Groups that are the same set of things in both."""
    found_pairs: int
    """Pairs of things that are together in the found partition."""
    true_pairs: int
    shared_pairs: int
    """Pairs that are together in both."""
    split_groups: int
    """True groups whose things are in more than one found group."""
    mixed_groups: int
    """Found groups that hold things of more than one true group."""
    widest_mix: int
    """The most true groups that one found group holds."""

    @property
    def precision(self) -> float:
        return _share(self.shared_pairs, self.found_pairs)

    @property
    def recall(self) -> float:
        return _share(self.shared_pairs, self.true_pairs)

    @property
    def f1(self) -> float:
        return _share(2 * self.shared_pairs, self.found_pairs + self.true_pairs)

    @property
    def group_precision(self) -> float:
        return _share(self.exact_groups, self.found_groups)

    @property
    def group_recall(self) -> float:
        return _share(self.exact_groups, self.true_groups)

    @property
    def adjusted_rand(self) -> float:
        """Hubert and Arabie 1985; 1 for equal partitions, about 0 for independent ones."""
        all_pairs = self.things * (self.things - 1) // 2
        if not all_pairs:
            return 1.0
        expected = self.found_pairs * self.true_pairs / all_pairs
        most = (self.found_pairs + self.true_pairs) / 2
        return 1.0 if most == expected else (self.shared_pairs - expected) / (most - expected)


def compare_partitions(df: DataFrame, found: str, true: str) -> Agreement:
    """Counts how two partitions agree, in one Spark action over their contingency table.

    In: one row a thing, with the columns `found` and `true` that name its group in each (null: left out). The pairs
    within a group of n things are n·(n-1)/2, so the cost is that of two group-bys, whatever the groups' sizes.
    """
    check_columns(df, {found, true}, "the things to compare")
    cells = (
        df.where(F.col(found).isNotNull() & F.col(true).isNotNull())
        .groupBy(F.col(found).alias("found"), F.col(true).alias("true"))
        .agg(F.count("*").alias("n"))
    )
    by_found, by_true = Window.partitionBy("found"), Window.partitionBy("true")
    wide = cells.select(
        "n",
        F.sum("n").over(by_found).alias("in_found"),
        F.sum("n").over(by_true).alias("in_true"),
        F.count("*").over(by_found).alias("true_here"),
        F.count("*").over(by_true).alias("found_here"),
        F.row_number().over(by_found.orderBy("true")).alias("nth_of_found"),
        F.row_number().over(by_true.orderBy("found")).alias("nth_of_true"),
    )
    opens_found, opens_true = F.col("nth_of_found") == 1, F.col("nth_of_true") == 1
    row = wide.agg(
        F.sum("n"),
        F.count_if(opens_found),
        F.count_if(opens_true),
        F.count_if((F.col("n") == F.col("in_found")) & (F.col("n") == F.col("in_true"))),
        F.sum(F.when(opens_found, _pairs("in_found"))),
        F.sum(F.when(opens_true, _pairs("in_true"))),
        F.sum(_pairs("n")),
        F.count_if(opens_true & (F.col("found_here") > 1)),
        F.count_if(opens_found & (F.col("true_here") > 1)),
        F.max("true_here"),
    ).first()
    assert row is not None, "an aggregate without groups has one row"
    return Agreement(*(int(value or 0) for value in row))


def _pairs(count: str) -> Column:
    """n·(n-1)/2 as an exact LONG (n up to 4 billion)."""
    return F.shiftright(F.col(count) * (F.col(count) - 1), 1)


def _share(part: int, whole: int) -> float:
    """A share of nothing is 1: nothing was missed, nothing was wrong."""
    return part / whole if whole else 1.0
