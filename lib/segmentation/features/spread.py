"""How evenly something is spread over values."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

COUNTS, AMOUNTS = "bigint", "decimal(38,6)"
"""What sizes are added up as: of rows, and of what they are worth."""


def entropy_of(sizes: Sequence[Column], everything: Column) -> Column:
    """Shannon entropy in bits of a few sizes and of what they leave of `everything`; null where that is nothing."""
    total = everything.cast("double")
    rest = everything
    for size in sizes:
        rest = rest - F.coalesce(size, F.lit(0))
    logs: Column = _times_log(rest)
    for size in sizes:
        logs = logs + _times_log(size)
    return F.when(total > 0, F.greatest(F.log2(total) - logs / total, F.lit(0.0)))


def spread_of(pairs: Column, added_as: str) -> Column:
    """STRUCT of `entropy` (Shannon, in bits) and `top` (the largest value's share) of an ARRAY<STRUCT<value, size>>.

    Sizes are positive, and added as `COUNTS` or as `AMOUNTS`; both figures are null for an empty array. One walk over
    the sorted pairs: what has one value lies together, sizes are added exactly, and logarithms in the order of the
    values, so the order of the pairs does not matter.
    """
    nothing = F.lit(0).cast(added_as)
    start = F.struct(
        F.lit(None).cast("string").alias("value"),
        nothing.alias("run"),
        nothing.alias("all"),
        nothing.alias("best"),
        F.lit(0.0).alias("logs"),
    )

    def add(so_far: Column, pair: Column) -> Column:
        same = pair["value"].eqNullSafe(so_far["value"])
        run = (F.when(same, so_far["run"]).otherwise(nothing) + pair["size"]).cast(added_as)
        return F.struct(
            pair["value"].alias("value"),
            run.alias("run"),
            (so_far["all"] + pair["size"]).cast(added_as).alias("all"),
            F.greatest(so_far["best"], run).alias("best"),
            (so_far["logs"] + F.when(same, F.lit(0.0)).otherwise(_times_log(so_far["run"]))).alias("logs"),
        )

    def finish(ended: Column) -> Column:
        everything = ended["all"].cast("double")
        entropy = F.log2(everything) - (ended["logs"] + _times_log(ended["run"])) / everything
        return F.when(
            everything > 0,
            F.struct(
                F.greatest(entropy, F.lit(0.0)).alias("entropy"),
                (ended["best"].cast("double") / everything).alias("top"),
            ),
        )

    # Not `array_sort`: it compares by a function that can be given to it, which takes three times as long.
    return F.aggregate(F.sort_array(pairs), start, add, finish)


def _times_log(size: Column) -> Column:
    number = size.cast("double")
    return F.when(number > 0, number * F.log2(number)).otherwise(F.lit(0.0))
