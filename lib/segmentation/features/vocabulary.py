"""Which steps in a row are worth a feature: those in which people differ most.

A feature tells people apart by how much it differs between them, so each row of steps is rated by the standard
deviation of the feature that it would be, over everyone with a journey. Steps in a row that say next to the same as a
part of them are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.journeys import END, OTHER, JourneySettings, Measure
from segmentation.contracts.table import check_columns
from segmentation.features.journeys import keep_common_steps

LENGTHS = (2, 3)
"""Steps in a row that are rated."""

_RATED = 500
"""Of each kind and length, so many that differ most come to the driver."""

_SAME = 0.1
"""Two differ in nothing where the mean and the deviation of the longer are within this share of the shorter's."""


@dataclass(frozen=True)
class Rated:
    """Steps in a row, and the feature that they would be: its mean and standard deviation over everyone with a journey
    (0 for who never got that far), and how many have any."""

    kind: Measure
    steps: tuple[str, ...]
    people: int
    mean: float
    deviation: float


def rate_steps(journeys: DataFrame, settings: JourneySettings, most: int) -> list[Rated]:
    """The `most` rows of steps of each kind (`follows`, `contains`) in which people differ most, best first.

    In: `list_journeys`, persisted: it is read several times. Only the commonest steps are looked at, so what comes to
    the driver does not grow with the people.
    """
    check_columns(journeys, ("person_id", "steps", "reached", "open"), "the journeys")
    everyone = journeys.select("person_id").distinct().count()
    common = keep_common_steps(journeys, settings)
    found: list[Rated] = []
    for length in LENGTHS:
        found += _rate(_followed(common, length), "follows", everyone)
        found += _rate(_held(common, length), "contains", everyone)
    return [*_choose("follows", found, most), *_choose("contains", found, most)]


def _followed(journeys: DataFrame, length: int) -> DataFrame:
    """One person and `steps`: the `share` of the times that all but the last were taken in which the last came next."""
    ended = F.when(F.col("reached") | F.col("open"), F.col("steps")).otherwise(F.array_append("steps", F.lit(END)))
    taken = journeys.select("person_id", F.explode(_grams(ended, length)).alias("steps"))
    counted = taken.groupBy("person_id", "steps").agg(F.count("*").alias("times"))
    before = Window.partitionBy("person_id", F.slice("steps", 1, length - 1))
    return counted.withColumn("share", F.col("times") / F.sum("times").over(before))


def _held(journeys: DataFrame, length: int) -> DataFrame:
    """One person and `steps`: the `share` of the person's journeys that hold them."""
    grams = F.array_distinct(_grams(F.col("steps"), length))
    held = journeys.select("person_id", F.explode(grams).alias("steps"))
    counted = held.groupBy("person_id", "steps").agg(F.count("*").alias("times"))
    everything = journeys.groupBy("person_id").agg(F.count("*").alias("all"))
    return counted.join(everything, "person_id").withColumn("share", F.col("times") / F.col("all"))


def _grams(steps: Column, length: int) -> Column:
    """ARRAY of the rows of `length` steps, from the first to the last."""
    starts = F.when(F.size(steps) >= length, F.sequence(F.lit(1), F.size(steps) - F.lit(length - 1)))
    return F.transform(F.coalesce(starts, F.array().cast("array<int>")), lambda at: F.slice(steps, at, F.lit(length)))


def _rate(shares: DataFrame, kind: Measure, everyone: int) -> list[Rated]:
    # Shares as whole billionths: sums are the same whatever the order.
    part = F.round(F.col("share") * 10**9).cast("decimal(20,0)")
    told = shares.where(~F.array_contains("steps", F.lit(OTHER)))
    sums = told.groupBy("steps").agg(
        F.count("*").alias("people"),
        F.sum(part).alias("sum"),
        F.sum((part * part).cast("decimal(38,0)")).alias("squares"),
    )
    mean = F.col("sum").cast("double") / F.lit(1e9 * everyone)
    variance = F.col("squares").cast("double") / F.lit(1e18 * everyone) - mean * mean
    best = sums.select("steps", "people", mean.alias("mean"), variance.alias("variance")).orderBy(
        F.desc("variance"), "steps"
    )
    return [
        Rated(kind, tuple(row["steps"]), row["people"], row["mean"], sqrt(max(row["variance"], 0.0)))
        for row in best.limit(_RATED).collect()
    ]


def _choose(kind: Measure, rated: Iterable[Rated], most: int) -> list[Rated]:
    own = [one for one in rated if one.kind == kind and one.deviation > 0]
    own.sort(key=lambda one: (-one.deviation, len(one.steps), one.steps))
    shorter = [one for one in own if len(one.steps) == min(LENGTHS)]
    return [one for one in own if not any(_says_more(one, part) for part in shorter)][:most]


def _says_more(longer: Rated, shorter: Rated) -> bool:
    """Whether the longer row of steps holds the shorter and says next to the same."""
    if len(longer.steps) <= len(shorter.steps):
        return False
    inside = shorter.steps in (longer.steps[:-1], longer.steps[1:])
    near = (abs(a - b) <= _SAME * b for a, b in ((longer.mean, shorter.mean), (longer.deviation, shorter.deviation)))
    return inside and all(near)
