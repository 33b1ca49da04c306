"""Scores of recency, frequency and money by quantiles of everyone who has any, and the usual grid of names.

Quantiles are exact, and ties are never torn apart: a score is a matter of the value alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.rfm import RFM_GRID, RfmScores
from segmentation.contracts.behaviour import RFM
from segmentation.contracts.table import check_columns
from segmentation.features.quantiles import values_at


def score_people(features: DataFrame, settings: RfmScores) -> DataFrame:
    """One row a person of one date -> rows as of `rfm`: the scores of everyone whose frequency is not 0.

    In: `person_id`, `as_of` and the features that the settings name. These columns are read three times: to count
    people, to find quantiles, to score.
    """
    check_columns(features, ("person_id", "as_of", *settings.features.values()), "the features to score")
    values = features.select(
        "person_id", "as_of", *(F.col(feature).alias(name) for name, feature in settings.features.items())
    )
    scored = values.where(F.col("frequency") > 0).dropna(subset=list(settings.features))
    edges = find_edges(scored, settings)
    scores = {name: _score(F.col(name), edges[name], settings) for name in settings.features}
    scores["recency"] = settings.scores + 1 - scores["recency"]
    numbered = scored.select(
        "person_id", "as_of", *(score.cast("long").alias(f"{name}_score") for name, score in scores.items())
    )
    named = settings.scores == 5
    rows = numbered.withColumn("rfm_segment", _name() if named else F.lit(None).cast("string"))
    return rows.select(*RFM.column_names)


def find_edges(values: DataFrame, settings: RfmScores) -> dict[str, list[float]]:
    """The edges of each score: those of the settings, else quantiles. In: one row a person with the three values."""
    declared = {name: getattr(settings.edges, name) for name in settings.features}
    open_ = [name for name, edges in declared.items() if edges is None]
    found = _quantiles(values, open_, settings) if open_ else {}
    return {name: edges if edges is not None else found.get(name, []) for name, edges in declared.items()}


def _quantiles(values: DataFrame, names: Sequence[str], settings: RfmScores) -> dict[str, list[float]]:
    last = values.count() - 1
    if last < 0:
        return {}
    targets = [number * last for number in range(1, settings.scores)]  # in `scores`ths of a place
    places = {rounded for target in targets for rounded in _around(target, settings.scores)}
    at = values_at(values, dict.fromkeys(names, places))
    return {
        name: [_between({p: at[name, p] for p in places}, target, settings) for target in targets] for name in names
    }


def _around(target: int, by: int) -> tuple[int, int]:
    """The places below and above `target` by `by`, one and the same where it is whole."""
    return target // by, -(-target // by)


def _between(at: Mapping[int, float], target: int, settings: RfmScores) -> float:
    """The value at `target`, in `scores`ths of a place, which may be between two places."""
    below, rest = divmod(target, settings.scores)
    low, high = (at[place] for place in _around(target, settings.scores))
    match settings.interpolation:
        case "lower":
            return low
        case "higher":
            return high
        case "midpoint":
            return low + (high - low) / 2 if rest else low
        case "nearest":
            twice = 2 * rest - settings.scores
            return low if twice < 0 or (twice == 0 and below % 2 == 0) else high
    return low + (high - low) * rest / settings.scores


def _score(value: Column, edges: Sequence[float], settings: RfmScores) -> Column:
    """1, and one more for each edge that the value is beyond."""
    beyond = [value > edge if settings.edge_belongs == "below" else value >= edge for edge in edges]
    return reduce(add, (passed.cast("int") for passed in beyond), F.lit(1))


def _name() -> Column:
    cell = F.concat(F.col("recency_score").cast("string"), F.col("frequency_score").cast("string"))
    names = [F.when(cell.isin(*cells), F.lit(name)) for name, cells in RFM_GRID.items()]
    return F.coalesce(*names)
