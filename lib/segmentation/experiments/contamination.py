"""What makes the arms of an audience less unlike than they were meant to be."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns
from segmentation.experiments.holdouts import CONTROL


@dataclass(frozen=True)
class Contamination:
    """Of one audience: people who were in both arms, and who count in their first; and people of the control group
    whom a destination holds all the same."""

    in_both_arms: int
    controls_delivered: int


def count_contamination(holdouts: DataFrame, delivered: DataFrame) -> dict[str, Contamination]:
    """Audience -> what is mixed up in its arms: one row an audience comes to the driver.

    In: rows of `holdouts`; `delivered`: `audience`, `person_id` of whoever a destination of an audience holds, which
    may be told several times.
    """
    check_columns(holdouts, ("audience", "person_id", "arm", "other_arm"), "the control groups")
    check_columns(delivered, ("audience", "person_id"), "the people who were delivered")
    key = ["audience", "person_id"]
    held = delivered.select(*key, F.lit(True).alias("is_held")).distinct()
    rows = (
        holdouts.join(held, key, "left")
        .groupBy("audience")
        .agg(
            F.count("other_arm").alias("both"),
            F.count_if(F.col("is_held") & (F.col("arm") == CONTROL)).alias("held"),
        )
        .collect()
    )
    return {row["audience"]: Contamination(row["both"], row["held"]) for row in rows}
