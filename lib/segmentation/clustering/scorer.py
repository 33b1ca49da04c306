"""A model with its pipelines, ready to score: of everyone, and of the parts that have one of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.algorithms import CLUSTER
from segmentation.clustering.fitted import FittedModel, Part
from segmentation.clustering.saving import load_pipeline
from segmentation.clustering.scoring import HOW_SURE, score_people


@dataclass(frozen=True)
class Scorer:
    """A model and its pipeline; and each part with its own."""

    model: FittedModel
    fitted: PipelineModel
    parts: tuple[tuple[Part, Scorer], ...] = ()

    def score(self, people: DataFrame, keep: Sequence[str] = (), ranked: bool = False) -> DataFrame:
        """Places everyone by the model of their part, or by the global one: columns as of `score_people`, without
        `far`. Clusters are numbered through all parts; outliers who are set apart are in the one behind all."""
        shown = ["person_id", *keep, CLUSTER, *HOW_SURE, *(["ranked"] if ranked else [])]
        if not self.parts:
            return score_people(people, self.fitted, self.model.reads, keep, ranked).select(*shown)
        column = F.col(self.model.parts_by)
        named = F.coalesce(column.isin([part.value for part, _ in self.parts]), F.lit(False))
        whole = Scorer(self.model.without_parts, self.fitted)
        placed = self._renumbered(whole, 0, people.where(~named), keep, ranked).select(*shown)
        for part, scorer in self.parts:
            own = self._renumbered(scorer, part.first, people.where(column == part.value), keep, ranked)
            placed = placed.unionByName(own.select(*shown))
        return placed

    def of_part(self, value: str | None) -> tuple[Scorer, int]:
        """What scores the people with this value, and the number of its first cluster among all."""
        for part, scorer in self.parts:
            if part.value == value:
                return scorer, part.first
        return Scorer(self.model.without_parts, self.fitted), 0

    def _renumbered(
        self, scorer: Scorer, first: int, people: DataFrame, keep: Sequence[str], ranked: bool
    ) -> DataFrame:
        def through_all(number: Column) -> Column:
            own = F.when(number < scorer.model.k, number + first).otherwise(F.lit(self.model.k))
            return F.when(number.isNotNull(), own)

        found = scorer.score(people, keep, ranked)
        numbers = {name: through_all(F.col(name)) for name in (CLUSTER, "nearest_other")}
        if ranked:
            numbers["ranked"] = F.transform("ranked", through_all)
        return found.withColumns(numbers)


def load_scorer(model: FittedModel, models: DataFrame, path_of: Callable[[str], str]) -> Scorer:
    """Reads the pipelines of a model. In: the table `models`; `path_of`: where a path of it is."""
    spark, parts = models.sparkSession, list[tuple[Part, Scorer]]()
    if model.parts:
        ids = [part.model_id for part in model.parts]
        rows = {row["model_id"]: row for row in models.where(F.col("model_id").isin(ids)).collect()}
        for part in model.parts:
            own = FittedModel.from_row(rows[part.model_id])
            parts.append((part, Scorer(own, load_pipeline(spark, path_of(own.path)))))
    return Scorer(model, load_pipeline(spark, path_of(model.path)), tuple(parts))
