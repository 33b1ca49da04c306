"""Who is elsewhere than in the published version, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.fitted import FittedModel
from segmentation.clustering.scorer import Scorer
from segmentation.config.segments import SegmentSettings
from segmentation.contracts.table import check_columns
from segmentation.segments.membership import name_clusters, place_people


@dataclass(frozen=True)
class Placing:
    """A way of placing people: a model with its pipelines, and the segment of each of its clusters."""

    scorer: Scorer
    segments: Mapping[int, str]

    @property
    def model(self) -> FittedModel:
        """What it scores by."""
        return self.scorer.model

    def of_part(self, value: str | None) -> Placing:
        """The way of placing the people of a part, or those of none."""
        scorer, first = self.scorer.of_part(value)
        own = {n: self.segments[first + n] for n in range(scorer.model.k)}
        apart = {scorer.model.k: self.segments[self.model.k]} if self.model.sets_apart else {}
        return Placing(scorer, own | apart)

    def place(self, features: DataFrame, settings: SegmentSettings) -> DataFrame:
        """`person_id` and `segment_id`, rules aside."""
        alone = settings.model_copy(update={"rules": []})
        placed = place_people(features, self.scorer, alone)
        return name_clusters(placed, self.segments, settings).select("person_id", "segment_id")


@dataclass(frozen=True)
class Replay:
    """What it takes to ask what would have been: both ways of placing, and the features of both dates."""

    before: Placing
    now: Placing
    features_before: DataFrame
    features_now: DataFrame


def find_moves(assigned: DataFrame, before: DataFrame) -> DataFrame:
    """Everyone who is elsewhere, new or gone.

    In: one row a person, now and in the published version: `segment_id`, and `model_segment_id`, where the model alone
    has or had them. Out: `person_id`, `from_segment_id`, `to_segment_id` (null: in neither), `by_rule`: whether the
    model would have left the person where they were, so that rules have moved them.
    """
    columns = ["person_id", "segment_id", "model_segment_id"]
    check_columns(assigned, columns, "the assigned people")
    check_columns(before, columns, "the published segments")
    now, earlier = (
        rows.select(
            "person_id",
            F.col("segment_id").alias(f"{side}_segment_id"),
            F.col("model_segment_id").alias(f"{side}_by_model"),
        )
        for side, rows in (("to", assigned), ("from", before))
    )
    by_rule = F.col("from_by_model") == F.col("to_by_model")
    return (
        earlier.join(now, "person_id", "full_outer")
        .where(~F.col("from_segment_id").eqNullSafe(F.col("to_segment_id")))
        .select("person_id", "from_segment_id", "to_segment_id", by_rule.alias("by_rule"))
    )


def explain_moves(moves: DataFrame, why: Replay | str, settings: SegmentSettings) -> DataFrame:
    """The cause of each move, by replaying it.

    `why` is what a replay takes; or the cause of all moves that have no plainer one: `behaviour` where the model is
    the one that it was, `refit` where the two models know different features and none can be replayed.

    In: what `find_moves` gives. Out: `person_id`, `from_segment_id`, `to_segment_id`, `cause`: `new` and `left` for
    people who are in one version only, `rule` for those whom rules moved. Of the others two replays tell what would
    have happened without the refit (the new features under the old model) and without new behaviour (the old features
    under the new model):

    - the old model would have left the person where they were: `refit`;
    - it would have moved them to where they are now: `behaviour`;
    - to another segment, and the new model moves them here even with the old features: `refit`; else `behaviour`.
    """
    if isinstance(why, str):
        rows, behaviour = moves, F.lit(why)
    else:
        moved = moves.where("from_segment_id IS NOT NULL AND to_segment_id IS NOT NULL").select("person_id")
        without_refit = why.before.place(why.features_now.join(moved, "person_id", "left_semi"), settings)
        without_behaviour = why.now.place(why.features_before.join(moved, "person_id", "left_semi"), settings)
        rows = moves.join(
            without_refit.select("person_id", F.col("segment_id").alias("old_model")), "person_id", "left"
        ).join(without_behaviour.select("person_id", F.col("segment_id").alias("old_features")), "person_id", "left")
        behaviour = (
            F.when(F.col("old_model") == F.col("from_segment_id"), "refit")
            .when(F.col("old_model") == F.col("to_segment_id"), "behaviour")
            .when(F.col("old_features") == F.col("to_segment_id"), "refit")
            .otherwise("behaviour")
        )
    cause = (
        F.when(F.col("from_segment_id").isNull(), "new")
        .when(F.col("to_segment_id").isNull(), "left")
        .when(F.col("by_rule"), "rule")
        .otherwise(behaviour)
    )
    return rows.select("person_id", "from_segment_id", "to_segment_id", cause.alias("cause"))
