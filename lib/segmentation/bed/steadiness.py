"""People whose person or segment changed between two runs, and nothing says why."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def share_of_persons_changed_without_cause(before: DataFrame, now: DataFrame, history: DataFrame) -> float:
    """Share of the identifiers in both maps whose `person_id` is another and has no period in `identity_history`."""
    key = ["identifier_type", "identifier_value"]
    explained = (
        history.where("change <> 'new'").select(*key, "person_id").distinct().withColumn("explained", F.lit(True))
    )
    row = (
        before.select(*key, F.col("person_id").alias("was"))
        .join(now.select(*key, "person_id"), key)
        .join(explained, [*key, "person_id"], "left")
        .agg(
            F.count("*").alias("both"),
            F.count_if((F.col("was") != F.col("person_id")) & F.col("explained").isNull()).alias("unexplained"),
        )
        .first()
    )
    return row["unexplained"] / row["both"] if row and row["both"] else 0.0


def share_of_segments_changed_without_cause(before: DataFrame, now: DataFrame, changes: DataFrame) -> float:
    """Share of the people in both versions whose `segment_id` is another and who are not in `segment_changes`."""
    explained = changes.select("person_id").distinct().withColumn("explained", F.lit(True))
    row = (
        before.select("person_id", F.col("segment_id").alias("was"))
        .join(now.select("person_id", "segment_id"), "person_id")
        .join(explained, "person_id", "left")
        .agg(
            F.count("*").alias("both"),
            F.count_if((F.col("was") != F.col("segment_id")) & F.col("explained").isNull()).alias("unexplained"),
        )
        .first()
    )
    return row["unexplained"] / row["both"] if row and row["both"] else 0.0
