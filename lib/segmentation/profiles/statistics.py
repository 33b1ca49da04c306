"""What sets each segment apart, in figures: means, medians and effect sizes against everyone.

Sums of doubles depend on the order in which they are added. So every feature is first laid on a grid of 2**40
steps (fewer, from four million people on) between its smallest and its largest value, and whole numbers are
added: the result is the same bits on any number of cores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import sqrt
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType, DoubleType

from segmentation.contracts.errors import InputError
from segmentation.contracts.table import check_columns
from segmentation.features.quantiles import quantiles

_GRID_BITS = 40
_SUM_BITS = 62
_LARGEST = 1.7976931348623157e308


@dataclass(frozen=True)
class FeatureStatistics:
    """One feature within one segment, and the same over everyone. None where no person has a value."""

    known: int
    mean: float | None
    median: float | None
    standard_deviation: float | None
    effect_size: float
    """(mean here - mean of everyone) / standard deviation of everyone; 0 where that is 0 or nobody has a value."""
    everyone_mean: float | None
    everyone_median: float | None

    @property
    def times(self) -> float | None:
        """Mean here as a multiple of everyone's; None where that says nothing."""
        if self.mean is None or not self.everyone_mean or self.everyone_mean < 0 or self.mean < 0:
            return None
        return self.mean / self.everyone_mean


@dataclass(frozen=True)
class SegmentStatistics:
    """One segment: people, their share of everyone (0 to 1), each feature, and what they spent."""

    segment_id: str
    size: int
    share: float
    features: Mapping[str, FeatureStatistics]
    revenue: float | None = None
    revenue_share: float | None = None

    def features_json(self) -> str:
        """The features for `segment_profiles.statistics`."""
        return json.dumps({name: asdict(value) for name, value in self.features.items()})


def profile_segments(
    assigned: DataFrame, features: DataFrame, revenue: str | None = "monetary"
) -> list[SegmentStatistics]:
    """Statistics of each segment, largest first.

    In: one row a person (`person_id`, `segment_id`); one row a person with DOUBLE columns, each a feature (other
    columns are passed over). Out: one object a segment. People without features count in the size. Missing, NaN
    and infinite values count as unknown. `revenue` names the feature whose sum is the segment's revenue, where
    there is one. Standard deviations are of the population.

    Two passes over the people: bounds first, then one group-by. Raises `MissingColumnsError`, and `InputError`
    where nobody is assigned.
    """
    check_columns(assigned, ["person_id", "segment_id"], "the assigned people")
    check_columns(features, ["person_id"], "the features")
    names = [field.name for field in features.schema.fields if isinstance(field.dataType, DoubleType)]
    finite = [F.when(F.abs(F.col(name)) <= _LARGEST, F.col(name)).alias(name) for name in names]
    people = (
        assigned.select("person_id", "segment_id")
        .join(features.select("person_id", *finite), "person_id", "left")
        .localCheckpoint()
    )
    everyone = people.agg(F.count("*").alias("people"), *(c for name in names for c in _bounds(name))).first()
    if everyone is None or everyone["people"] == 0:
        raise InputError("Nobody is assigned to a segment: there is nothing to profile.")
    bits = min(_GRID_BITS, _SUM_BITS - int(everyone["people"]).bit_length())
    grids = {name: _Grid(everyone[f"{name}:low"] or 0.0, everyone[f"{name}:high"] or 0.0, bits) for name in names}
    sums = [column for name in names for column in _sums(name, grids[name])]
    money = [F.sum(F.col(revenue).cast(DecimalType(28, 4))).alias(":revenue")] if revenue in names else []
    collected = people.groupBy("segment_id").agg(F.count("*").alias("people"), *sums, *money).collect()
    rows = [row.asDict() for row in collected]
    return _segments(rows, everyone, grids)


@dataclass(frozen=True)
class _Grid:
    """The grid of one feature: where it begins and ends, and in how many steps (2**bits)."""

    low: float
    high: float
    bits: int

    @property
    def is_point(self) -> bool:
        """Whether all values are one (or there are none)."""
        return self.low == self.high

    def position(self, name: str) -> Column:
        """Position of the value between the bounds, 0 to 1."""
        return (F.col(name) - F.lit(self.low)) / F.lit(self.high - self.low)

    def whole(self, position: Column) -> Column:
        return F.round(position * F.lit(float(2**self.bits))).cast("long")

    def moments(self, known: int, total: int, squares: int) -> tuple[float | None, float | None]:
        """Mean and standard deviation from the sums of grid positions and of their squares."""
        if known == 0:
            return None, None
        if self.is_point:
            return self.low, 0.0
        position = Fraction(total, known * 2**self.bits)
        variance = max(Fraction(squares, known * 2**self.bits) - position**2, Fraction(0))
        width = self.high - self.low
        return float(Fraction(self.low) + position * Fraction(width)), sqrt(variance) * width


def _bounds(name: str) -> list[Column]:
    return [
        F.min(name).alias(f"{name}:low"),
        F.max(name).alias(f"{name}:high"),
        quantiles(name, 0.5).alias(f"{name}:median"),
    ]


def _sums(name: str, grid: _Grid) -> list[Column]:
    position = F.lit(0.0) if grid.is_point else grid.position(name)
    return [
        F.count(name).alias(f"{name}:known"),
        F.sum(grid.whole(position)).alias(f"{name}:total"),
        F.sum(grid.whole(position * position)).alias(f"{name}:squares"),
        quantiles(name, 0.5).alias(f"{name}:median"),
    ]


def _segments(rows: Sequence[Mapping[str, Any]], everyone: Row, grids: Mapping[str, _Grid]) -> list[SegmentStatistics]:
    overall = {name: _moments(rows, name, grid) for name, grid in grids.items()}
    paid: dict[str, Any] = {row["segment_id"]: row.get(":revenue") for row in rows}
    revenue = sum(amount for amount in paid.values() if amount is not None)
    segments = []
    for row in sorted(rows, key=lambda row: (-row["people"], row["segment_id"])):
        features = {}
        for name, grid in grids.items():
            mean, deviation = _moments([row], name, grid)
            everyone_mean, everyone_deviation = overall[name]
            apart = mean is not None and everyone_mean is not None and everyone_deviation
            features[name] = FeatureStatistics(
                known=row[f"{name}:known"],
                mean=mean,
                median=row[f"{name}:median"],
                standard_deviation=deviation,
                effect_size=(mean - everyone_mean) / everyone_deviation if apart else 0.0,  # type: ignore[operator]
                everyone_mean=everyone_mean,
                everyone_median=everyone[f"{name}:median"],
            )
        amount = paid[row["segment_id"]]
        segments.append(
            SegmentStatistics(
                segment_id=row["segment_id"],
                size=row["people"],
                share=row["people"] / everyone["people"],
                features=features,
                revenue=None if amount is None else float(amount),
                revenue_share=float(amount / revenue) if amount is not None and revenue else None,
            )
        )
    return segments


def _moments(rows: Sequence[Mapping[str, Any]], name: str, grid: _Grid) -> tuple[float | None, float | None]:
    known, total, squares = (sum(row[f"{name}:{part}"] or 0 for row in rows) for part in ("known", "total", "squares"))
    return grid.moments(known, total, squares)
