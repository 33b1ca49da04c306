"""Quantiles that come out the same on any partitioning, and what can be told from a hundred of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

DIGITS = 3
"""Quantiles are exact for values rounded to this many significant digits: at most 0.5 % from the exact ones."""

PERCENTILES = tuple(percent / 100 for percent in range(101))


def quantiles(name: str, shares: float | Sequence[float]) -> Column:
    """Exact percentiles of a DOUBLE column over few distinct values, instead of approximate ones whose answers depend
    on the order of the rows. One share: a DOUBLE; several: an ARRAY; null where nobody has a value."""
    value = F.col(name)
    exponent = F.greatest(F.floor(F.log10(F.abs(value))).cast("double"), F.lit(-300.0))
    step = F.pow(F.lit(10.0), exponent - (DIGITS - 1))
    small = (F.abs(value) < 10**DIGITS) & (value == F.floor(value))
    rounded = F.when(small, value).otherwise(F.round(value / step) * step)
    if isinstance(shares, float):
        return F.percentile(rounded, F.lit(shares))
    # One literal: a hundred of them would cost more to plan than small data to read.
    wanted = F.split(F.lit(",".join(map(str, shares))), ",").cast("array<double>")
    return F.percentile(rounded, wanted)


def values_at(values: DataFrame, places: Mapping[str, Collection[int]]) -> dict[tuple[str, int], float]:
    """The values that stand at places (from 0) of columns, DOUBLE, in ascending order: exact, and few of them.

    How often each value stands in a column is counted first; one task a column then walks over its different values in
    order, and has few of them in memory. Where a column has no such place, there is no value.
    """
    wanted = {name: sorted(set(at)) for name, at in places.items() if at}
    if not wanted:
        return {}
    named = values.unpivot([], list(wanted), "name", "value").where("value IS NOT NULL")
    counted = named.groupBy("name", "value").agg(F.count("*").alias("times"))
    before = Window.partitionBy("name").orderBy("value").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    placed = counted.withColumn("end", F.sum("times").over(before)).withColumn("begin", F.col("end") - F.col("times"))
    asked = [F.when(F.col("name") == name, F.lit(at).cast("array<bigint>")) for name, at in wanted.items()]
    here = F.filter(F.coalesce(*asked), lambda place: (place >= F.col("begin")) & (place < F.col("end")))
    rows = placed.select("name", "value", F.explode(here).alias("place")).collect()
    return {(row["name"], row["place"]): float(row["value"]) for row in rows}


def share_up_to(edge: float, percentiles: Sequence[float]) -> float:
    """What share of the values is at most `edge`, by the 101 percentiles of a feature; 0 to 1."""
    if edge < percentiles[0]:
        return 0.0
    place = bisect_right(percentiles, edge) - 1
    if place >= len(percentiles) - 1:
        return 1.0
    low, high = percentiles[place], percentiles[place + 1]
    return (place + (edge - low) / (high - low)) / (len(percentiles) - 1)
