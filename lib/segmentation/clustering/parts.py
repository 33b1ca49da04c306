"""Models for parts of the people, such as those of a region, beside the global one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.agreement import adjusted_rand_index
from segmentation.clustering.algorithms import CLUSTER
from segmentation.clustering.coordinates import ATTRIBUTE
from segmentation.clustering.parallel import at_once
from segmentation.clustering.saving import Fit, part_id, pipeline
from segmentation.clustering.scoring import score_people
from segmentation.clustering.selection import columns_beside, columns_to_fit, describe_population
from segmentation.clustering.training import train_model
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import ConfigError, InputError


def fit_parts(
    people: DataFrame,
    names: Sequence[str],
    whole: Fit,
    settings: ClusteringSettings,
    tell: Callable[[str], None],
    earlier: Sequence[DataFrame] = (),
) -> tuple[list[Fit], list[str]]:
    """A model for each part that has enough people, as many at a time as there are cores; and in words, of which parts
    none could be fitted.

    In: the people whom `whole` was fitted on: the features `names`, `columns_to_fit` beside them; `earlier`: the same
    at earlier dates. The parts of most people come first.
    """
    by = settings.parts
    if by is None:
        return [], []
    column = ATTRIBUTE + by.attribute
    counted = people.where(F.col(column).isNotNull()).groupBy(column).agg(F.count("*").alias("people"))
    large = counted.where(F.col("people") >= by.min_people).orderBy(F.col("people").desc(), column).limit(by.most)
    values = [row[column] for row in large.collect()]
    if not values:
        return [], [f"no part has {by.min_people:,} people"]
    tell(f"fitting models for {len(values)} parts")

    def fit(value: str) -> Fit | str:
        own, before = people.where(F.col(column) == value), [each.where(F.col(column) == value) for each in earlier]
        population = describe_population(own, [*names, *columns_to_fit(names, settings)])
        try:
            trained = train_model(own, names, population, settings, lambda _: None, before)
        except (InputError, ConfigError) as error:  # a feature that has to be in may tell nobody apart there
            return f"{value}: {error}"
        found = Fit(part_id(whole.model_id, value), population, trained, value)
        agreement = _agreement(_place(own, found, settings), _place(own, whole, settings))
        return replace(found, agreement=agreement)

    fitted = at_once(people.sparkSession, fit, values)
    return [each for each in fitted if isinstance(each, Fit)], [each for each in fitted if isinstance(each, str)]


def _place(people: DataFrame, fit: Fit, settings: ClusteringSettings) -> DataFrame:
    features = [feature.name for feature in fit.trained.preparation.features]
    reads = [*features, *columns_beside(features, settings)]
    return score_people(people, pipeline(fit.trained, settings), reads).select("person_id", CLUSTER)


def _agreement(by_part: DataFrame, by_whole: DataFrame) -> float:
    both = by_part.join(by_whole.withColumnRenamed(CLUSTER, "of_whole"), "person_id")
    counted = both.groupBy(CLUSTER, "of_whole").count().collect()
    return adjusted_rand_index(Counter({(row[CLUSTER], row["of_whole"]): row["count"] for row in counted}))
