"""People who are far out: whom a model is fitted without, and who may have a segment of their own.

The fences are those of Tukey (Exploratory Data Analysis, 1977), on the scale on which the model sees a feature. They
are written in the feature's own unit, as part of the saved pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, inf

from segmentation.clustering.power import raise_to, undo
from segmentation.clustering.sql import is_known, number
from segmentation.config.clustering import Outliers
from segmentation.config.conditions import Condition

SET_ASIDE = "set_aside"
"""BOOLEAN column: whether a person is an outlier."""


@dataclass(frozen=True)
class Fence:
    """Where the ordinary values of a feature end, on either side."""

    feature: str
    low: float
    high: float

    def expression(self) -> str:
        """1 beyond the fence, else 0, as Spark SQL: a value that is missing is ordinary."""
        value = f"`{self.feature}`"
        beyond = f"({value} < {number(self.low)} OR {value} > {number(self.high)})"
        return f"CASE WHEN {is_known(self.feature)} AND {beyond} THEN 1 ELSE 0 END"


@dataclass(frozen=True)
class Fences:
    """An outlier is beyond at least `features` of the fences, unless they meet all of the conditions `exempt`."""

    fences: tuple[Fence, ...]
    features: int
    exempt: tuple[Condition, ...] = ()

    def expression(self) -> str:
        """Whether a person is an outlier, as Spark SQL over the features."""
        if not self.fences:
            return "false"
        beyond = f"({' + '.join(fence.expression() for fence in self.fences)}) >= {self.features}"
        if not self.exempt:
            return beyond
        met = " AND ".join(bound for condition in self.exempt for bound in _bounds(condition))
        return f"{beyond} AND NOT coalesce({met}, false)"


def fence(name: str, first: float, third: float, power: float, outliers: Outliers) -> Fence | None:
    """The fence of a feature with these quartiles, that a model sees through this power; None where they coincide."""
    low, high = raise_to(first, power), raise_to(third, power)
    if low == high:
        return None
    reach = outliers.beyond * (high - low)
    return Fence(name, _end(low - reach, power), _end(high + reach, power))


def _end(raised: float, power: float) -> float:
    """The value that is transformed into this; without end where none is."""
    try:
        return undo(raised, power)
    except (OverflowError, ZeroDivisionError):
        return copysign(inf, raised)


def _bounds(condition: Condition) -> Sequence[str]:
    value = f"nanvl(`{condition.feature}`, NULL)"
    both = ((">=", condition.at_least), ("<=", condition.at_most))
    return [f"{value} {sign} {number(bound)}" for sign, bound in both if bound is not None]
