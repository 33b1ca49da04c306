"""People whose person or segment changed between two versions of the segments, and nothing says why."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_KEY = ["identifier_type", "identifier_value"]


def share_of_persons_changed_without_cause(before: DataFrame, now: DataFrame, history: DataFrame) -> float:
    """Share of the people of `before` who have an identifier that is another person's now, of which `identity_history`
    has no change. In: rows of `identity_map` at two moments."""
    explained = history.where("change <> 'new'").select(*_KEY, "person_id").distinct()
    row = (
        before.select(*_KEY, F.col("person_id").alias("was"))
        .join(now.select(*_KEY, "person_id"), _KEY)
        .join(explained.withColumn("explained", F.lit(True)), [*_KEY, "person_id"], "left")
        .groupBy("was")
        .agg(F.bool_or((F.col("was") != F.col("person_id")) & F.col("explained").isNull()).alias("unexplained"))
        .agg(F.count("*").alias("people"), F.count_if("unexplained").alias("unexplained"))
        .first()
    )
    return row["unexplained"] / row["people"] if row and row["people"] else 0.0


def share_of_segments_changed_without_cause(before: DataFrame, now: DataFrame, changes: DataFrame) -> float:
    """Share of the people in both versions whose `segment_id` is another, and of whom the later version's `changes`
    do not say why. In: rows of `segments` and `segment_changes` of these versions."""
    explained = changes.where("cause IS NOT NULL").select("person_id").distinct()
    row = (
        before.select("person_id", F.col("segment_id").alias("was"))
        .join(now.select("person_id", "segment_id"), "person_id")
        .join(explained.withColumn("explained", F.lit(True)), "person_id", "left")
        .agg(
            F.count("*").alias("both"),
            F.count_if((F.col("was") != F.col("segment_id")) & F.col("explained").isNull()).alias("unexplained"),
        )
        .first()
    )
    return row["unexplained"] / row["both"] if row and row["both"] else 0.0


def find_regrouped(before: DataFrame, now: DataFrame) -> DataFrame:
    """`person_id` of people who have an identifier that was another's, or had one that now is. In: rows of
    `identity_map` at two moments."""
    both = before.select(*_KEY, F.col("person_id").alias("was")).join(now.select(*_KEY, "person_id"), _KEY)
    return both.where("was <> person_id").select(F.explode(F.array("was", "person_id")).alias("person_id")).distinct()
