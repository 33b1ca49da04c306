"""The parts of a prepared vector: what each is made of, and back from a coordinate to what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segmentation.clustering.cohorts import Shift
from segmentation.clustering.places import place_sql, value_at
from segmentation.clustering.power import power_sql, raise_to, undo
from segmentation.clustering.sql import is_known, look_up, number, text

PREFIX = "prepared_"
"""Before a part's name: the column of its coordinate."""

ATTRIBUTE = "attribute_"
"""Before an attribute's name: the STRING column in which a person's row has it."""

HALF = "half"
"""LONG column of those who are fitted on: a random number of the person's own."""


@dataclass(frozen=True)
class PreparedFeature:
    """One feature of the model: how a value becomes a coordinate."""

    name: str
    fill: float
    low: float
    high: float
    power: float
    """Of `clustering.power`: 1 as it is, 0 its logarithm."""
    unit: float
    """What counts as one, on the scale that is cut."""
    shift: Shift | None = None
    """How it counts within a person's cohort, where it does."""
    quantiles: tuple[float, ...] = ()
    """By which a value is taken as its place among the people, where it is; the scale is that of places then."""

    @property
    def origin(self) -> float:
        """Where the coordinate is 0: the lowest value, on the scale that is cut."""
        return 0.0 if self.quantiles else raise_to(self.low, self.power)

    @property
    def column(self) -> str:
        """Name of the coordinate."""
        return PREFIX + self.name

    def expression(self) -> str:
        """The coordinate as Spark SQL over the feature's column."""
        own = f"CASE WHEN {is_known(self.name)} THEN `{self.name}` END"
        drawn_in = f"least(greatest(coalesce({own}, {number(self.fill)}), {number(self.low)}), {number(self.high)})"
        value = f"({self.on_scale(drawn_in)})"
        if self.shift:
            value = f"({self.shift.expression(value)})"
        return f"({value} - {number(self.origin)}) * {number(1 / self.unit)}"

    def original(self, coordinate: float) -> float:
        """The value in the feature's own unit that has this coordinate; with cohorts, in one that is like everyone."""
        scaled = coordinate * self.unit + self.origin
        return value_at(scaled, self.quantiles) if self.quantiles else undo(scaled, self.power)

    def on_scale(self, drawn_in: str) -> str:
        """A value between the lowest and the highest, on the scale that is cut, as Spark SQL."""
        return place_sql(drawn_in, self.quantiles) if self.quantiles else power_sql(drawn_in, self.power, self.low)


@dataclass(frozen=True)
class MissingFlag:
    """That a feature's value is missing, as a coordinate: 0 where it is there."""

    feature: str
    unit: float
    """The standard deviation of the flag among the people who are fitted on."""

    @property
    def name(self) -> str:
        return f"{self.feature}_missing"

    @property
    def column(self) -> str:
        """Name of the coordinate."""
        return PREFIX + self.name

    def expression(self) -> str:
        """The coordinate as Spark SQL over the feature's column."""
        return f"CASE WHEN {is_known(self.feature)} THEN 0D ELSE {number(1 / self.unit)} END"

    def original(self, coordinate: float) -> float:
        """The share of people without a value that has this coordinate."""
        return coordinate * self.unit


@dataclass(frozen=True)
class Level:
    """That an attribute has one of its values, as a coordinate: 0 where it has another or none."""

    attribute: str
    value: str
    number: int
    """1, 2, 3, … among those of the attribute."""
    unit: float

    @property
    def name(self) -> str:
        return f"{self.attribute}={self.value}"

    @property
    def column(self) -> str:
        """Name of the coordinate."""
        return f"{PREFIX}{ATTRIBUTE}{self.attribute}_{self.number}"

    def expression(self) -> str:
        """The coordinate as Spark SQL over the attribute's column."""
        is_it = f"`{ATTRIBUTE}{self.attribute}` = {text(self.value)}"
        return f"CASE WHEN {is_it} THEN {number(1 / self.unit)} ELSE 0D END"

    def original(self, coordinate: float) -> float:
        """The share of people with this value that has this coordinate."""
        return coordinate * self.unit


@dataclass(frozen=True)
class LevelMean:
    """The mean of a feature among those who have the same value of an attribute, as a coordinate."""

    attribute: str
    target: str
    means: Mapping[str, float]
    otherwise: float
    """Everyone's mean: of values that are rare or not known."""
    without_fold: tuple[tuple[Mapping[str, float], float], ...]
    """The means, and everyone's, without the people of fold 0, 1, 2, …"""
    origin: float
    unit: float

    @property
    def name(self) -> str:
        return f"{self.target}_by_{self.attribute}"

    @property
    def column(self) -> str:
        """Name of the coordinate."""
        return f"{PREFIX}{ATTRIBUTE}{self.attribute}"

    def expression(self) -> str:
        """The coordinate as Spark SQL over the attribute's column."""
        return self._scaled(self._mean(self.means, self.otherwise))

    def expression_out_of_fold(self) -> str:
        """The same for the people who are fitted on: from the others' values alone, so that nobody's own is in it."""
        folds = " ".join(
            f"WHEN {fold} THEN {self._mean(means, otherwise)}"
            for fold, (means, otherwise) in enumerate(self.without_fold)
        )
        return self._scaled(f"CASE {fold_sql(len(self.without_fold))} {folds} END")

    def original(self, coordinate: float) -> float:
        """The mean that has this coordinate, in the feature's own unit."""
        return coordinate * self.unit + self.origin

    def _mean(self, means: Mapping[str, float], otherwise: float) -> str:
        return look_up(f"`{ATTRIBUTE}{self.attribute}`", means, otherwise)

    def _scaled(self, value: str) -> str:
        return f"(({value}) - {number(self.origin)}) * {number(1 / self.unit)}"


Coordinate = PreparedFeature | MissingFlag | Level | LevelMean


def fold_sql(folds: int) -> str:
    """The number of a person's fold, among those who are fitted on."""
    return f"pmod(`{HALF}`, {folds})"
