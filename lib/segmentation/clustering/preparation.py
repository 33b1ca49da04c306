"""Making features comparable: filling, winsorising, logarithms and scaling, as parts of the saved pipeline.

A coordinate counts standard deviations from the lowest value, not from the mean: Spark's bisecting k-means moves
the two halves of a first cut apart by a ten-thousandth of the centre's length, and cuts nothing where that is 0.
Distances are the same either way.

What was learnt from the sample stands as numbers in one SQL statement, so that a saved model can be read by a
person, scores people in batch and in a stream alike, and needs no code of this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, log1p

from pyspark.ml.base import Transformer
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from segmentation.config.clustering import Transform
from segmentation.contracts.errors import InputError
from segmentation.contracts.table import check_columns

VECTOR = "prepared"
"""Column of the prepared vectors."""

PREFIX = "prepared_"
"""Before the feature's name: the column of its coordinate."""


@dataclass(frozen=True)
class PreparedFeature:
    """One feature of the model: how a value becomes a coordinate."""

    name: str
    fill: float
    low: float
    high: float
    log: bool
    deviation: float

    @property
    def origin(self) -> float:
        """Where the coordinate is 0: the lowest value, on the scale that is cut."""
        return log1p(self.low) if self.log else self.low

    @property
    def column(self) -> str:
        """Name of the coordinate."""
        return PREFIX + self.name

    def expression(self) -> str:
        """The coordinate as Spark SQL over the feature's column."""
        known = f"CASE WHEN abs(`{self.name}`) <= {_number(2.0**1023)} THEN `{self.name}` END"
        drawn_in = (
            f"least(greatest(coalesce({known}, {_number(self.fill)}), {_number(self.low)}), {_number(self.high)})"
        )
        value = f"log1p({drawn_in})" if self.log else drawn_in
        return f"(({value}) - {_number(self.origin)}) / {_number(self.deviation)}"

    def original(self, coordinate: float) -> float:
        """The value in the feature's own unit that has this coordinate."""
        value = coordinate * self.deviation + self.origin
        return expm1(value) if self.log else value


@dataclass(frozen=True)
class Preparation:
    """Everything learnt: the features that enter, and in words why others do not."""

    features: tuple[PreparedFeature, ...]
    dropped: tuple[str, ...]

    def transformers(self) -> list[Transformer]:
        """The first stages of the saved pipeline: in, a row with the features; out, the same with `prepared`."""
        columns = ", ".join(f"{feature.expression()} AS `{feature.column}`" for feature in self.features)
        return [
            SQLTransformer(statement=f"SELECT *, {columns} FROM __THIS__"),
            VectorAssembler(inputCols=[feature.column for feature in self.features], outputCol=VECTOR),
        ]

    def original(self, centre: Sequence[float]) -> dict[str, float]:
        """A centre in the features' own units."""
        return {f.name: f.original(float(value)) for f, value in zip(self.features, centre, strict=True)}


def fit_preparation(sample: DataFrame, names: Sequence[str], transform: Transform) -> Preparation:
    """Learns the preparation of the columns `names` from one row a person, in two passes.

    A feature is left out where nobody has a value, and where next to all people have the same one. Quantiles are
    exact. Raises `InputError` where no feature is left.
    """
    check_columns(sample, list(names), "the people to fit on")
    spread = sample.agg(*(_spread(name, transform.winsorise).alias(name) for name in names)).first()
    assert spread is not None, "a global aggregate has one row"
    dropped = {name: f"{name}: nobody has a value" for name in names if spread[name]["quantiles"] is None}
    limits = {name: _limits(spread[name], transform) for name in names if name not in dropped}
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
        log = limit.low >= 0 and found["skewness"] is not None and found["skewness"] > transform.log_above_skewness
        deviation = found["log_deviation"] if log else found["deviation"]
        if deviation > 0:
            prepared.append(PreparedFeature(name, limit.fill, limit.low, limit.high, log, deviation))
        else:
            dropped[name] = f"{name}: its values do not differ enough to be told apart"
    return Preparation(tuple(prepared), tuple(dropped[name] for name in names if name in dropped))


@dataclass(frozen=True)
class _Limits:
    """Where a feature's values are drawn in, and what fills a gap."""

    low: float
    high: float
    fill: float

    def draw_in(self, name: str) -> Column:
        return F.least(F.greatest(F.coalesce(F.col(name), F.lit(self.fill)), F.lit(self.low)), F.lit(self.high))


def _spread(name: str, share: float) -> Column:
    wanted = F.array(F.lit(share), F.lit(0.5), F.lit(1 - share))
    return F.struct(F.percentile(name, wanted).alias("quantiles"))


def _limits(spread: Row, transform: Transform) -> _Limits:
    low, median, high = spread["quantiles"]
    fill = median if transform.missing == "median" else 0.0
    return _Limits(low, high, fill)


def _moments(name: str, limit: _Limits) -> Column:
    value = limit.draw_in(name)
    log = F.log1p(value) if limit.low >= 0 else value
    return F.struct(
        F.skewness(value).alias("skewness"),
        F.stddev_pop(value).alias("deviation"),
        F.stddev_pop(log).alias("log_deviation"),
    )


def _number(value: float) -> str:
    """A double as a Spark SQL literal that reads back to the same bits."""
    return f"{float(value)!r}D"
