"""What is known of people beside what they did, as numbers: whether an attribute has one of its values, or the mean of
a feature among those who share a value.

Values that few people have are never kept: they could tell who somebody is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.clustering.coordinates import ATTRIBUTE, Level, LevelMean, fold_sql
from segmentation.clustering.sql import is_known
from segmentation.config.clustering import AttributeEncoding, Transform
from segmentation.contracts.table import check_columns

LEAST_PEOPLE = 20
"""Values of fewer people are with the rest."""

_MOST = 200
"""Values of an attribute, those of most people first."""

_FOLDS = 5

_BEYOND_CHANCE = 9.0
"""So many times the variance that leaving out a fold makes must the means have. Of values that say nothing they have
some four times; a model would then be fitted on who is in which fold."""

_SAYS_NOTHING = {
    "one_hot": "next to all people have the same value",
    "target": "people with the same value have no more in common than by chance",
}


def attach_attributes(people: DataFrame, persons: DataFrame, names: Collection[str]) -> DataFrame:
    """The same rows with the STRING column `attribute_NAME` of each attribute: null where it is not known.

    In: one row a person (`person_id`); the table `persons`.
    """
    if not names:
        return people
    check_columns(persons, ["person_id", "attributes"], "the table 'persons'")
    own = (F.try_element_at("attributes", F.lit(name)).alias(ATTRIBUTE + name) for name in sorted(names))
    return people.join(persons.select("person_id", *own), "person_id", "left")


def fit_attributes(
    sample: DataFrame, encodings: Mapping[str, AttributeEncoding], transform: Transform
) -> tuple[tuple[Level | LevelMean, ...], tuple[str, ...]]:
    """The coordinates of each attribute, and in words why some have none; in one pass, and one a mean.

    In: one row a person with the columns `attribute_NAME`, the features that are averaged, and `half`.
    """
    if not encodings:
        return (), ()
    pairs = (F.struct(F.lit(name).alias("attribute"), F.col(ATTRIBUTE + name).alias("value")) for name in encodings)
    counted = sample.select(F.inline(F.array(*pairs))).groupBy("attribute", "value").agg(F.count("*").alias("people"))
    # Everyone has one row an attribute, without a value too.
    everyone = sample.count()
    common = counted.where((F.col("people") >= LEAST_PEOPLE) & F.col("value").isNotNull())
    place = F.row_number().over(Window.partitionBy("attribute").orderBy(F.col("people").desc(), "value"))
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in common.withColumn("place", place).where(F.col("place") <= _MOST).orderBy("place").collect():
        found[row["attribute"]].append((row["value"], row["people"]))
    made, dropped = list[Level | LevelMean](), []
    for name, how in encodings.items():
        if how.target is None:
            coordinates: Sequence[Level | LevelMean] = _levels(name, found[name], everyone, how, transform)
        else:
            coordinates = _means(sample, name, how.target, [value for value, _ in found[name]], how)
        made += coordinates
        if not coordinates:
            dropped.append(f"{name}: {_SAYS_NOTHING[how.encode]}")
    return tuple(made), tuple(dropped)


def _levels(
    name: str, common: Sequence[tuple[str, int]], everyone: int, how: AttributeEncoding, transform: Transform
) -> list[Level]:
    """A coordinate a value; the rest, who have a rare one or none, are where all are 0. Without a rest, those of the
    rarest value are: one coordinate less says the same, and a mixture can be fitted on it."""
    levels = [(value, people) for value, people in common if people >= how.rare_below * everyone]
    if sum(people for _, people in levels) == everyone:
        levels = levels[:-1]
    if not levels:
        return []
    shares = [people / everyone for _, people in levels]
    # All together differ as much as one feature does.
    unit = 1.0 if transform.scale in ("range", "quantile") else sqrt(sum(share * (1 - share) for share in shares))
    return [Level(name, value, place, unit) for place, (value, _) in enumerate(levels, 1)]


@dataclass
class _Sum:
    """Of the people with a value whose target is known: how many, and their sum."""

    people: int = 0
    total: float = 0.0

    def less(self, other: _Sum) -> _Sum:
        return _Sum(self.people - other.people, self.total - other.total)

    def mean(self, otherwise: float, smoothing: float) -> float:
        """As if `smoothing` more people had everyone's mean."""
        weight = self.people + smoothing
        return (self.total + smoothing * otherwise) / weight if weight else otherwise


def _means(sample: DataFrame, name: str, target: str, values: Sequence[str], how: AttributeEncoding) -> list[LevelMean]:
    value = F.when(F.col(ATTRIBUTE + name).isin(list(values)), F.col(ATTRIBUTE + name)).alias("value")
    rows = (
        sample.where(F.expr(is_known(target)))
        .groupBy(value, F.expr(fold_sql(_FOLDS)).alias("fold"))
        .agg(F.count("*").alias("people"), F.sum(target).alias("total"))
        .collect()
    )
    by_value: dict[str | None, list[_Sum]] = {v: [_Sum() for _ in range(_FOLDS)] for v in (*values, None)}
    for row in rows:
        by_value[row["value"]][row["fold"]] = _Sum(row["people"], row["total"])
    of_fold = [_added(sums[fold] for sums in by_value.values()) for fold in range(_FOLDS)]
    in_all = _added(of_fold)
    if not in_all.people:
        return []
    otherwise = in_all.mean(0.0, 0.0)
    of_value = {v: _added(sums) for v, sums in by_value.items() if v is not None}
    means = {v: found.mean(otherwise, how.smoothing) for v, found in of_value.items()}
    without = []
    for fold in range(_FOLDS):
        others = in_all.less(of_fold[fold]).mean(0.0, 0.0) if in_all.people > of_fold[fold].people else otherwise
        left = {v: of_value[v].less(by_value[v][fold]).mean(others, how.smoothing) for v in means}
        without.append((left, others))
    rest = in_all.people - sum(found.people for found in of_value.values())
    spread = sum(of_value[v].people * (mean - otherwise) ** 2 for v, mean in means.items())
    by_fold = sum(
        sums[fold].people * (without[fold][0][v] - means[v]) ** 2
        for v, sums in by_value.items()
        if v is not None
        for fold in range(_FOLDS)
    )
    if spread <= _BEYOND_CHANCE * by_fold:
        return []
    unit = sqrt(spread / in_all.people)
    lowest = min([*means.values(), *([otherwise] if rest else [])], default=otherwise)
    return [LevelMean(name, target, means, otherwise, tuple(without), lowest, unit)] if unit > 0 else []


def _added(sums: Iterable[_Sum]) -> _Sum:
    found = list(sums)
    return _Sum(sum(each.people for each in found), sum(each.total for each in found))
