"""Features that count within a cohort: a person against people of the same country, or of the same age as a customer.

On the scale on which the model sees a feature, each cohort's values are moved and stretched until their mean and
standard deviation are everyone's, so that what is left is how a person differs from their own kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.sql import is_known, number, text
from segmentation.config.clustering import CohortSettings

COHORT = "prepared_cohort"
"""INT column: the number of a person's cohort; 0 where there is none, or too few are in it."""

_MOST = 200


@dataclass(frozen=True)
class Shift:
    """What makes a feature's mean and deviation everyone's, a pair a cohort from 0 on."""

    means: tuple[float, ...]
    ratios: tuple[float, ...]
    """Everyone's standard deviation by the cohort's."""

    def expression(self, value: str) -> str:
        """The value as if the person were in a cohort like everyone, as Spark SQL."""
        means, ratios = (
            f"element_at(array({', '.join(map(number, values))}), `{COHORT}` + 1)"
            for values in (self.means, self.ratios)
        )
        return f"({value} - {means}) * {ratios} + {number(self.means[0])}"


@dataclass(frozen=True)
class Cohorts:
    """The number of a person's cohort, as Spark SQL, and each feature's shift."""

    key: str
    shifts: Mapping[str, Shift]


def fit_cohorts(
    sample: DataFrame,
    column: str,
    raised: Mapping[str, str],
    everyone: Mapping[str, tuple[float, float]],
    settings: CohortSettings,
) -> Cohorts:
    """In one pass, with an attribute two.

    In: one row a person with `column`, the attribute or feature that says whose cohort they are in; of each feature
    its value on the model's scale, as Spark SQL, and its mean and standard deviation among everyone. Cohorts of fewer
    than `min_people`, and beyond the 200 largest, are counted with everyone.
    """
    key = _by_edges(column, settings.edges) if settings.edges else _by_value(_values(sample, column, settings), column)
    of_each = [
        F.struct(F.avg(F.expr(value)).alias("mean"), F.stddev_pop(F.expr(value)).alias("deviation")).alias(name)
        for name, value in raised.items()
    ]
    found = sample.groupBy(F.expr(key).alias(COHORT)).agg(F.count("*").alias("people"), *of_each).collect()
    rows = {row[COHORT]: row for row in found if row["people"] >= settings.min_people}
    last = max(rows, default=0)

    def shift(name: str) -> Shift:
        mean, deviation = everyone[name]
        pairs = [(mean, 1.0)]
        for number_ in range(1, last + 1):
            own = rows[number_][name] if number_ in rows else None
            stretch = deviation / own["deviation"] if own and own["deviation"] > 0 else 1.0
            pairs.append((own["mean"], stretch) if own else (mean, 1.0))
        return Shift(tuple(first for first, _ in pairs), tuple(second for _, second in pairs))

    # Of what is beyond the last cohort that is large enough nothing is known, as of those without one.
    return Cohorts(f"CASE WHEN ({key}) <= {last} THEN {key} ELSE 0 END", {name: shift(name) for name in raised})


def _values(sample: DataFrame, column: str, settings: CohortSettings) -> list[str]:
    """Values that enough people have, those of most people first."""
    counted = sample.where(F.col(column).isNotNull()).groupBy(column).agg(F.count("*").alias("people"))
    common = counted.where(F.col("people") >= settings.min_people).orderBy(F.col("people").desc(), column)
    return [row[column] for row in common.limit(_MOST).collect()]


def _by_value(values: Sequence[str], column: str) -> str:
    whens = " ".join(f"WHEN {text(value)} THEN {place}" for place, value in enumerate(values, 1))
    return f"CASE `{column}` {whens} ELSE 0 END" if values else "0"


def _by_edges(column: str, edges: Sequence[float]) -> str:
    """Cohort 1 is below the first edge, 2 from it up to below the second."""
    whens = " ".join(f"WHEN `{column}` < {number(edge)} THEN {place}" for place, edge in enumerate(edges, 1))
    return f"CASE WHEN {is_known(column)} THEN CASE {whens} ELSE {len(edges) + 1} END ELSE 0 END"
