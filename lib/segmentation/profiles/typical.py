"""Who is typical of a segment: the people nearest to its middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.clustering.sql import is_known, number
from segmentation.profiles.statistics import FeatureStatistics


def find_typical(
    segments: DataFrame,
    features: DataFrame,
    statistics: Mapping[str, Mapping[str, FeatureStatistics]],
    names: Sequence[str],
    most: int,
) -> dict[str, list[str]]:
    """Segment id -> ids of its `most` most typical people, the most typical first.

    In: one row a person (`person_id`, `segment_id`); one row a person with the features `names`; of each segment to
    look into, its `statistics`. How far somebody is from the middle is the sum over these features of the distance to
    the segment's median, in standard deviations of the segment; one deviation where it is not known of them. Features
    in which nobody of the segment differs say nothing.
    """
    away = {segment: told for segment, known in statistics.items() if (told := _away(known, names)) is not None}
    if not away or not most:
        return {}
    people = segments.where(F.col("segment_id").isin([*away])).select("person_id", "segment_id")
    far = F.coalesce(*(F.when(F.col("segment_id") == segment, column) for segment, column in away.items()))
    measured = people.join(features.select("person_id", *names), "person_id").select(
        "person_id", "segment_id", far.alias("far")
    )
    place = F.row_number().over(Window.partitionBy("segment_id").orderBy("far", "person_id"))
    found: dict[str, list[str]] = {}
    for row in sorted(
        measured.withColumn("place", place).where(F.col("place") <= most).collect(), key=lambda r: r["place"]
    ):
        found.setdefault(row["segment_id"], []).append(row["person_id"])
    return found


def _away(known: Mapping[str, FeatureStatistics], names: Sequence[str]) -> Column | None:
    parts = [
        f"CASE WHEN {is_known(name)} THEN abs(`{name}` - {number(one.median)}) / {number(one.standard_deviation)} "
        "ELSE 1D END"
        for name in names
        if (one := known.get(name)) and one.median is not None and one.standard_deviation
    ]
    return F.expr(" + ".join(parts)) if parts else None
