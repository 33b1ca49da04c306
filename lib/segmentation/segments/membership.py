"""Who is in which segment: scoring, scope and the fallback."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.algorithms import CLUSTER
from segmentation.clustering.conditions import meets
from segmentation.clustering.matching import People
from segmentation.clustering.scorer import Scorer
from segmentation.clustering.scoring import HOW_SURE
from segmentation.config.segments import SegmentSettings
from segmentation.contracts.segments import SEGMENTS
from segmentation.contracts.table import check_columns

CONSENTED = "consented"
"""BOOLEAN column: whether a person granted `segments.purpose`, where there is one."""

_NOT_PLACED = -1


@dataclass(frozen=True)
class Overlap:
    """People by where they are now (a cluster; None: the fallback) and where they were (None: in no segment)."""

    counts: Mapping[tuple[int | None, str | None], int]
    gone: Mapping[str, int]
    """Of each published segment, the people who are nowhere now."""
    ambiguous: int
    """People whose margin is below `segments.ambiguous_margin`."""

    @property
    def people(self) -> int:
        return sum(self.counts.values())

    def for_matching(self, k: int, beside: Collection[str]) -> People:
        """What the model's `k` clusters and the published segments share; those `beside`, the fallback and that of
        outliers, are no segments of the model.

        Where people were, here, is where the model alone had them: what a rule has done makes no cluster another.
        """
        together, before = Counter[tuple[str, int]](), Counter[str](self.gone)
        now = Counter(dict.fromkeys(range(k), 0))
        for (cluster, segment), people in self.counts.items():
            if segment is not None:
                before[segment] += people
            if cluster is None or cluster >= k:
                continue
            now[cluster] += people
            if segment is not None and segment not in beside:
                together[segment, cluster] += people
        for segment in beside:
            before.pop(segment, None)
        return People(together, before, now)


def keep_scope(features: DataFrame, settings: SegmentSettings) -> DataFrame:
    """The people who meet every condition of `segments.scope`, and consented where that is asked for; same columns.

    In: one row a person with the features that the conditions name, and `CONSENTED`. Raises `MissingColumnsError`.
    """
    _check_scope(features, settings)
    return features.where(meets(settings.scope) & _consents(settings))


def place_people(features: DataFrame, scorer: Scorer, settings: SegmentSettings) -> DataFrame:
    """Scores everyone who is in scope.

    In: one row a person with all that the model reads, and `CONSENTED` where that is asked for. Out: `person_id`,
    `cluster` INT (null: the fallback), `HOW_SURE`; with rules also `ranked`, all clusters from the nearest on, and
    `meets`, ARRAY<BOOLEAN>: whether the person meets the conditions of each. People of whom no feature of the model is
    known are out of scope; so is, for rules too, whoever did not consent.
    Raises `MissingColumnsError`, also where a condition names a feature that is not there.
    """
    _check_scope(features, settings)
    named = [condition.feature for rule in settings.rules for condition in rule.when]
    check_columns(features, named, "the features (segments.rules)")
    known, of_model = {"in_scope": _in_scope(scorer.model.features, settings)}, [CLUSTER, *HOW_SURE]
    if settings.rules:
        known["meets"] = F.array(*(meets(rule.when) & _consents(settings) for rule in settings.rules))
        of_model.append("ranked")
    scored = scorer.score(features.withColumns(known), list(known), ranked=bool(settings.rules))
    kept = [F.when(F.col("in_scope"), F.col(name)).alias(name) for name in of_model]
    return scored.select("person_id", *kept, *(name for name in known if name != "in_scope"))


def count_overlap(placed: DataFrame, before: DataFrame, settings: SegmentSettings) -> Overlap:
    """Counts people by cluster and published segment, in one pass.

    In: what `place_people` gives; one row a person with the published `segment_id` (no rows: nothing is published).
    """
    ambiguous = F.count_if(F.col("margin") < settings.ambiguous_margin)
    rows = (
        placed.select("person_id", F.coalesce(CLUSTER, F.lit(_NOT_PLACED)).alias("now"), "margin")
        .join(before.select("person_id", "segment_id"), "person_id", "full_outer")
        .groupBy("now", "segment_id")
        .agg(F.count("*").alias("people"), ambiguous.alias("ambiguous"))
        .collect()
    )
    counts = {
        (None if row["now"] == _NOT_PLACED else row["now"], row["segment_id"]): row["people"]
        for row in rows
        if row["now"] is not None
    }
    gone = {row["segment_id"]: row["people"] for row in rows if row["now"] is None}
    return Overlap(counts, gone, sum(row["ambiguous"] for row in rows))


def name_clusters(placed: DataFrame, segments: Mapping[int, str], settings: SegmentSettings) -> DataFrame:
    """Where the model alone has everyone placed: `person_id`, `segment_id`, `probability`, `margin`,
    `nearest_segment_id`, `method` (model, fallback, outlier), `rule` (null) and `model_segment_id` (the same as
    `segment_id`)."""
    segment = model_segment(segments, settings)
    method = method_of(segment, settings)
    return placed.select(
        "person_id",
        segment.alias("segment_id"),
        "probability",
        "margin",
        nearest_segment(segments).alias("nearest_segment_id"),
        method.alias("method"),
        F.lit(None).cast("string").alias("rule"),
        segment.alias("model_segment_id"),
    )


def placed_by_model(people: DataFrame) -> DataFrame:
    """`person_id` and, as `segment_id`, where the model alone has everyone. In: one row a person."""
    return people.select("person_id", F.col("model_segment_id").alias("segment_id"))


def model_segment(segments: Mapping[int, str], settings: SegmentSettings) -> Column:
    """The segment of a person's cluster; without one, the fallback."""
    return F.coalesce(_look_up(segments, F.col(CLUSTER)), F.lit(settings.fallback.segment_id))


def nearest_segment(segments: Mapping[int, str]) -> Column:
    """The segment of the cluster that is next nearest to a person; null where the model has none."""
    return _look_up(segments, F.col("nearest_other"))


def method_of(segment: Column, settings: SegmentSettings) -> Column:
    """How somebody came to be in a segment, rules aside."""
    beside = {settings.fallback.segment_id: "fallback", settings.outliers.segment_id: "outlier"}
    return F.coalesce(_look_up(beside, segment), F.lit("model"))


def count_flows(assigned: DataFrame, before: DataFrame) -> dict[tuple[str, str | None], int]:
    """People by the segment that they are in and the published one that they were in (None: in none), in one pass.

    In: one row a person with `segment_id`, on both sides.
    """
    was = before.select("person_id", F.col("segment_id").alias("was"))
    both = assigned.select("person_id", "segment_id").join(was, "person_id", "left")
    counted = both.groupBy("segment_id", "was").agg(F.count("*").alias("people")).collect()
    return {(row["segment_id"], row["was"]): row["people"] for row in counted}


def membership_rows(
    assigned: DataFrame, version: int, names: Mapping[str, str], settings: SegmentSettings
) -> DataFrame:
    """One row a person for `segments`. In: what `name_clusters` gives, and the name of each segment."""
    known = {
        "segment_version": F.lit(version).cast("bigint"),
        "segment_name": _look_up(names, F.col("segment_id")),
        "ambiguous": F.coalesce(F.col("margin") < settings.ambiguous_margin, F.lit(False)),
    }
    return assigned.withColumns(known).select(*SEGMENTS.column_names)


def _in_scope(names: Sequence[str], settings: SegmentSettings) -> Column:
    known = F.coalesce(*(F.nanvl(F.col(name), F.lit(None).cast("double")) for name in names)).isNotNull()
    return known & meets(settings.scope) & _consents(settings)


def _consents(settings: SegmentSettings) -> Column:
    return F.coalesce(CONSENTED, F.lit(False)) if settings.purpose else F.lit(True)


def _check_scope(people: DataFrame, settings: SegmentSettings) -> None:
    needed = ["person_id", *(condition.feature for condition in settings.scope)]
    check_columns(people, [*needed, *([CONSENTED] if settings.purpose else [])], "the features (segments.scope)")


def _look_up(values: Mapping[int, str] | Mapping[str, str], key: Column) -> Column:
    """The value of a small mapping."""
    return reduce(
        lambda chain, item: chain.when(key == item[0], F.lit(item[1])), values.items(), F.when(F.lit(False), None)
    )
