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

from segmentation.clustering.attributes import fit_attributes
from segmentation.clustering.cohorts import COHORT, Cohorts, fit_cohorts
from segmentation.clustering.coordinates import (
    ATTRIBUTE,
    PREFIX,
    Coordinate,
    Level,
    LevelMean,
    MissingFlag,
    PreparedFeature,
)
from segmentation.clustering.outliers import SET_ASIDE, Fences, fence
from segmentation.clustering.places import STEPS, place_sql
from segmentation.clustering.power import fit_power, power_sql, raise_to
from segmentation.clustering.rotation import Rotation, fit_rotation
from segmentation.clustering.sql import number
from segmentation.config.clustering import AttributeEncoding, CohortSettings, Outliers, Transform
from segmentation.config.conditions import Condition
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.contracts.table import check_columns

VECTOR = "prepared"
"""Column of the prepared vectors."""

_STEPS = 1000
"""Quantiles by which a power is fitted: as good as everyone, and few."""


@dataclass(frozen=True)
class Preparation:
    """Everything learnt: the features that enter, and in words why others do not; which of them are also looked at for
    gaps; the attributes of persons that enter; and the components that take their place, where they do."""

    features: tuple[PreparedFeature, ...]
    dropped: tuple[str, ...]
    flags: tuple[MissingFlag, ...] = ()
    attributes: tuple[Level | LevelMean, ...] = ()
    cohorts: Cohorts | None = None
    rotation: Rotation | None = None
    fences: Fences | None = None
    """Beyond which people are outliers, where these are looked for."""

    @property
    def coordinates(self) -> list[str]:
        """The columns of the prepared vector, in order."""
        return self.rotation.names(PREFIX) if self.rotation else [part.column for part in self._parts]

    @property
    def _parts(self) -> tuple[Coordinate, ...]:
        return (*self.features, *self.flags, *self.attributes)

    def transformers(self, fitting: bool = False) -> list[Transformer]:
        """The first stages of the saved pipeline: in, a row with the features, and the attributes and the feature of
        cohorts where these enter; out, the same with `prepared`, and with `set_aside` where there are fences.

        `fitting`: of the people who are fitted on, means are taken without their own."""
        steps = [{COHORT: self.cohorts.key}] if self.cohorts else []
        steps.append({part.column: _expression(part, fitting) for part in self._parts})
        if self.fences:
            steps[-1][SET_ASIDE] = self.fences.expression()
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


def _expression(part: Coordinate, fitting: bool) -> str:
    return part.expression_out_of_fold() if fitting and isinstance(part, LevelMean) else part.expression()


def _select(columns: Mapping[str, str]) -> str:
    return f"SELECT *, {', '.join(f'{sql} AS `{name}`' for name, sql in columns.items())} FROM __THIS__"


def fit_preparation(
    sample: DataFrame,
    names: Sequence[str],
    transform: Transform,
    outliers: Outliers | None = None,
    exempt: Sequence[Condition] = (),
    attributes: Mapping[str, AttributeEncoding] | None = None,
) -> Preparation:
    """Learns the preparation of the columns `names` from one row a person, in two passes; with components three more,
    with cohorts two, with `attributes` two and one a mean.

    A feature is left out where nobody has a value, and where next to all people have the same one. Quantiles are
    exact. With `outliers` also beyond which fences people are some; whoever meets all of `exempt` is none. Raises
    `InputError` where no feature is left, `ConfigError` where `exempt` names one that is left out.
    """
    whose = _cohort_column(transform)
    needed = [*names, *map(ATTRIBUTE.__add__, attributes or ()), *([whose] if whose else [])]
    check_columns(sample, needed, "the people to fit on")
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
            prepared.append(
                PreparedFeature(name, limit.fill, limit.low, limit.high, power, unit, quantiles=limit.quantiles)
            )
        else:
            dropped[name] = f"{name}: its values do not differ enough to be told apart"
    flags = _flags(prepared, moments) if transform.missing_flags else ()
    encoded, told_by_none = fit_attributes(sample, attributes or {}, transform)
    left_out = (*(dropped[name] for name in names if name in dropped), *told_by_none)
    fences = _fences(prepared, kept, outliers, exempt) if outliers else None
    found = Preparation(tuple(prepared), left_out, flags, encoded, fences=fences)
    if whose and transform.cohorts:
        found = _within_cohorts(found, sample, whose, kept, moments, transform.cohorts)
    if transform.components is None:
        return found
    coordinates = PipelineModel(found.transformers(fitting=True)).transform(sample).select(found.coordinates)
    return replace(found, rotation=fit_rotation(coordinates, found.coordinates, transform.components))


def _cohort_column(transform: Transform) -> str | None:
    if transform.cohorts is None:
        return None
    return transform.cohorts.feature or f"{ATTRIBUTE}{transform.cohorts.attribute}"


def _within_cohorts(
    found: Preparation,
    sample: DataFrame,
    column: str,
    limits: Mapping[str, _Limits],
    moments: Row,
    settings: CohortSettings,
) -> Preparation:
    raised, everyone = {}, {}
    for feature in found.features:
        raised[feature.name] = feature.on_scale(limits[feature.name].draw_in(feature.name))
        side = "raised_" if feature.power != 1 or feature.quantiles else ""
        everyone[feature.name] = tuple(moments[feature.name][f"{side}{figure}"] for figure in ("mean", "deviation"))
    cohorts = fit_cohorts(sample, column, raised, everyone, settings)
    shifted = (replace(feature, shift=cohorts.shifts[feature.name]) for feature in found.features)
    return replace(found, features=tuple(shifted), cohorts=cohorts)


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
    quantiles: tuple[float, ...] = ()
    """Of the values that are drawn in, where a value counts by its place among the people."""

    def draw_in(self, name: str) -> str:
        return f"least(greatest(coalesce(`{name}`, {number(self.fill)}), {number(self.low)}), {number(self.high)})"

    def on_scale(self, value: str) -> str:
        """A value that is drawn in, by its place or without its skew, as Spark SQL."""
        return place_sql(value, self.quantiles) if self.quantiles else power_sql(value, self.power, self.low)

    def unit(self, power: float, deviation: float, transform: Transform) -> float:
        """What counts as one, on the scale of the power."""
        if transform.scale == "quantile":
            return 1.0
        if transform.scale == "deviation":
            return deviation
        ends = self.quartiles if transform.scale == "interquartile" else (self.low, self.high)
        first, last = (raise_to(min(max(value, self.low), self.high), power) for value in ends)
        return last - first if last > first else deviation


def _spread(name: str, transform: Transform) -> Column:
    share = transform.winsorise
    steps = STEPS if transform.scale == "quantile" else _STEPS if transform.skewed == "yeo_johnson" else None
    points = [step / steps for step in range(steps + 1)] if steps else []
    wanted = F.array(*map(F.lit, (share, 0.25, 0.5, 0.75, 1 - share, *points)))
    return F.struct(F.percentile(name, wanted).alias("quantiles"))


def _limits(name: str, spread: Row, transform: Transform) -> _Limits:
    low, first, median, third, high, *others = spread["quantiles"]
    fill = transform.fill.get(name, median if transform.missing == "median" else 0.0)
    if transform.scale == "quantile":
        drawn_in = tuple(min(max(value, low), high) for value in others)
        return _Limits(low, high, fill, (first, third), 1.0, drawn_in)
    power = {"log": 0.0 if low >= 0 else 1.0, "as_is": 1.0}.get(transform.skewed)
    if power is None:
        power = fit_power([min(max(value, low), high) for value in others])
    return _Limits(low, high, fill, (first, third), power)


def _moments(name: str, limit: _Limits) -> Column:
    value = limit.draw_in(name)
    raised = F.expr(limit.on_scale(value))
    return F.struct(
        F.skewness(F.expr(value)).alias("skewness"),
        F.avg(F.expr(value)).alias("mean"),
        F.stddev_pop(F.expr(value)).alias("deviation"),
        F.avg(raised).alias("raised_mean"),
        F.stddev_pop(raised).alias("raised_deviation"),
        F.stddev_pop(F.col(name).isNull().cast("double")).alias("missing_deviation"),
    )
