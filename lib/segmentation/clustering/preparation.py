"""Making features comparable: filling, winsorising, taking the skew away and scaling, as parts of the saved pipeline.

A coordinate counts standard deviations (or what `scale` names) from the lowest value, not from the mean: Spark's
bisecting k-means moves the two halves of a first cut apart by a ten-thousandth of the centre's length, and cuts nothing
where that is 0. Distances are the same either way.

What was learnt from the sample stands as numbers in one SQL statement, so that a saved model can be read by a
person, scores people in batch and in a stream alike, and needs no code of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pyspark.ml import PipelineModel
from pyspark.ml.base import Transformer
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from segmentation.clustering.outliers import SET_ASIDE, Fences, fence
from segmentation.clustering.power import fit_power, power_sql, raise_to, undo
from segmentation.clustering.rotation import Rotation, fit_rotation
from segmentation.config.clustering import Outliers, Transform
from segmentation.config.conditions import Condition
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.contracts.table import check_columns

VECTOR = "prepared"
"""Column of the prepared vectors."""

PREFIX = "prepared_"
"""Before the feature's name: the column of its coordinate."""

_STEPS = 1000
"""Quantiles by which a power is fitted: as good as everyone, and few."""


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

    @property
    def origin(self) -> float:
        """Where the coordinate is 0: the lowest value, on the scale that is cut."""
        return raise_to(self.low, self.power)

    @property
    def column(self) -> str:
        """Name of the coordinate."""
        return PREFIX + self.name

    def expression(self) -> str:
        """The coordinate as Spark SQL over the feature's column."""
        known = f"CASE WHEN {_is_known(self.name)} THEN `{self.name}` END"
        drawn_in = (
            f"least(greatest(coalesce({known}, {_number(self.fill)}), {_number(self.low)}), {_number(self.high)})"
        )
        value = power_sql(drawn_in, self.power, self.low)
        return f"(({value}) - {_number(self.origin)}) / {_number(self.unit)}"

    def original(self, coordinate: float) -> float:
        """The value in the feature's own unit that has this coordinate."""
        return undo(coordinate * self.unit + self.origin, self.power)


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
        return f"CASE WHEN {_is_known(self.feature)} THEN 0D ELSE {_number(1 / self.unit)} END"

    def original(self, coordinate: float) -> float:
        """The share of people without a value that has this coordinate."""
        return coordinate * self.unit


@dataclass(frozen=True)
class Preparation:
    """Everything learnt: the features that enter, and in words why others do not; which of them are also looked at for
    gaps; and the components that take their place, where they do."""

    features: tuple[PreparedFeature, ...]
    dropped: tuple[str, ...]
    flags: tuple[MissingFlag, ...] = ()
    rotation: Rotation | None = None
    fences: Fences | None = None
    """Beyond which people are outliers, where these are looked for."""

    @property
    def coordinates(self) -> list[str]:
        """The columns of the prepared vector, in order."""
        return self.rotation.names(PREFIX) if self.rotation else [part.column for part in self._parts]

    @property
    def _parts(self) -> tuple[PreparedFeature | MissingFlag, ...]:
        return (*self.features, *self.flags)

    def transformers(self) -> list[Transformer]:
        """The first stages of the saved pipeline: in, a row with the features; out, the same with `prepared`, and
        with `set_aside` where there are fences."""
        steps = [{part.column: part.expression() for part in self._parts}]
        if self.fences:
            steps[0][SET_ASIDE] = self.fences.expression()
        if self.rotation:
            steps.append(dict(zip(self.coordinates, self.rotation.expressions(), strict=True)))
        return [
            *(SQLTransformer(statement=_select(columns)) for columns in steps),
            VectorAssembler(inputCols=self.coordinates, outputCol=VECTOR),
        ]

    def original(self, centre: Sequence[float]) -> dict[str, float]:
        """A centre in the features' own units; of gaps (`NAME_missing`) the share of people who have one."""
        values = self.rotation.undo(centre) if self.rotation else centre
        return {part.name: part.original(float(value)) for part, value in zip(self._parts, values, strict=True)}


def coordinates_of(fitted: PipelineModel) -> list[str]:
    """The columns of the prepared vector of a saved pipeline, in order."""
    (assembler,) = (stage for stage in fitted.stages if isinstance(stage, VectorAssembler))
    return list(assembler.getInputCols())


def _select(columns: Mapping[str, str]) -> str:
    return f"SELECT *, {', '.join(f'{sql} AS `{name}`' for name, sql in columns.items())} FROM __THIS__"


def _is_known(name: str) -> str:
    """Whether there is a finite value, as SQL: null where there is none."""
    return f"abs(`{name}`) <= {_number(2.0**1023)}"


def fit_preparation(
    sample: DataFrame,
    names: Sequence[str],
    transform: Transform,
    outliers: Outliers | None = None,
    exempt: Sequence[Condition] = (),
) -> Preparation:
    """Learns the preparation of the columns `names` from one row a person, in two passes, with components five.

    A feature is left out where nobody has a value, and where next to all people have the same one. Quantiles are
    exact. With `outliers` also beyond which fences people are some; whoever meets all of `exempt` is none. Raises
    `InputError` where no feature is left, `ConfigError` where `exempt` names one that is left out.
    """
    check_columns(sample, list(names), "the people to fit on")
    spread = sample.agg(*(_spread(name, transform).alias(name) for name in names)).first()
    assert spread is not None, "a global aggregate has one row"
    dropped = {name: f"{name}: nobody has a value" for name in names if spread[name]["quantiles"] is None}
    limits = {name: _limits(name, spread[name], transform) for name in names if name not in dropped}
    for name, limit in limits.items():
        if limit.low == limit.high:
            dropped[name] = f"{name}: next to all people have the same value"
    kept = {name: limit for name, limit in limits.items() if name not in dropped}
    if not kept:
        raise InputError(f"No feature tells people apart ({'; '.join(list(dropped.values())[:5])}): measure others.")
    moments = sample.agg(*(_moments(name, limit).alias(name) for name, limit in kept.items())).first()
    assert moments is not None, "a global aggregate has one row"
    prepared = []
    for name, limit in kept.items():
        found = moments[name]
        power = limit.power if _is_skewed(found["skewness"], transform) else 1.0
        deviation = found["deviation"] if power == 1 else found["raised_deviation"]
        if deviation > 0:
            unit = limit.unit(power, deviation, transform)
            prepared.append(PreparedFeature(name, limit.fill, limit.low, limit.high, power, unit))
        else:
            dropped[name] = f"{name}: its values do not differ enough to be told apart"
    flags = _flags(prepared, moments) if transform.missing_flags else ()
    left_out = tuple(dropped[name] for name in names if name in dropped)
    fences = _fences(prepared, kept, outliers, exempt) if outliers else None
    found = Preparation(tuple(prepared), left_out, flags, fences=fences)
    if transform.components is None:
        return found
    coordinates = PipelineModel(found.transformers()).transform(sample).select(found.coordinates)
    return replace(found, rotation=fit_rotation(coordinates, found.coordinates, transform.components))


def _fences(
    prepared: Sequence[PreparedFeature],
    limits: Mapping[str, _Limits],
    outliers: Outliers,
    exempt: Sequence[Condition],
) -> Fences:
    known = {feature.name for feature in prepared}
    if missing := [condition.feature for condition in exempt if condition.feature not in known]:
        raise ConfigError(
            f"clustering.always_in: with outliers, '{missing[0]}' has to be in the model, and is not, since it tells "
            "people apart too little. Name another feature."
        )
    found = (fence(f.name, *limits[f.name].quartiles, f.power, outliers) for f in prepared)
    return Fences(tuple(each for each in found if each), outliers.features, tuple(exempt))


def _flags(prepared: Sequence[PreparedFeature], moments: Row) -> tuple[MissingFlag, ...]:
    deviations = {feature.name: moments[feature.name]["missing_deviation"] for feature in prepared}
    return tuple(MissingFlag(name, deviation) for name, deviation in deviations.items() if deviation > 0)


def _is_skewed(skewness: float | None, transform: Transform) -> bool:
    if skewness is None:
        return False
    # A logarithm draws in what is far above, and nothing else.
    return (abs(skewness) if transform.skewed == "yeo_johnson" else skewness) > transform.log_above_skewness


@dataclass(frozen=True)
class _Limits:
    """Where a feature's values are drawn in, what fills a gap, and the power that would take its skew away."""

    low: float
    high: float
    fill: float
    quartiles: tuple[float, float]
    power: float

    def draw_in(self, name: str) -> str:
        return f"least(greatest(coalesce(`{name}`, {_number(self.fill)}), {_number(self.low)}), {_number(self.high)})"

    def unit(self, power: float, deviation: float, transform: Transform) -> float:
        """What counts as one, on the scale of the power."""
        if transform.scale == "deviation":
            return deviation
        ends = self.quartiles if transform.scale == "interquartile" else (self.low, self.high)
        first, last = (raise_to(min(max(value, self.low), self.high), power) for value in ends)
        return last - first if last > first else deviation


def _spread(name: str, transform: Transform) -> Column:
    share = transform.winsorise
    points = [step / _STEPS for step in range(_STEPS + 1)] if transform.skewed == "yeo_johnson" else []
    wanted = F.array(*map(F.lit, (share, 0.25, 0.5, 0.75, 1 - share, *points)))
    return F.struct(F.percentile(name, wanted).alias("quantiles"))


def _limits(name: str, spread: Row, transform: Transform) -> _Limits:
    low, first, median, third, high, *others = spread["quantiles"]
    fill = transform.fill.get(name, median if transform.missing == "median" else 0.0)
    power = {"log": 0.0 if low >= 0 else 1.0, "as_is": 1.0}.get(transform.skewed)
    if power is None:
        power = fit_power([min(max(value, low), high) for value in others])
    return _Limits(low, high, fill, (first, third), power)


def _moments(name: str, limit: _Limits) -> Column:
    value = limit.draw_in(name)
    raised = F.expr(power_sql(value, limit.power, limit.low))
    return F.struct(
        F.skewness(F.expr(value)).alias("skewness"),
        F.stddev_pop(F.expr(value)).alias("deviation"),
        F.stddev_pop(raised).alias("raised_deviation"),
        F.stddev_pop(F.col(name).isNull().cast("double")).alias("missing_deviation"),
    )


def _number(value: float) -> str:
    """A double as a Spark SQL literal that reads back to the same bits."""
    return f"{float(value)!r}D"
