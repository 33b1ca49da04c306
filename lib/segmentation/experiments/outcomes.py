"""What the people of each arm did since they were assigned to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import MONEY, check_columns
from segmentation.experiments.lift import Arm


@dataclass(frozen=True)
class Outcomes:
    """What became of one audience: when its first person was assigned, and stratum -> arm -> its sums."""

    since: date
    arms: Mapping[str, Mapping[str, Arm]]


def sum_outcomes(holdouts: DataFrame, purchases: DataFrame) -> DataFrame:
    """Rows of `holdouts` -> one row an audience, stratum and arm: `since`, `people`, `converted`, `amount`, `squares`.

    `purchases`: one row a purchase (`person_id`, `event_date`, `amount`, which may be null), read once for all
    audiences. Those after the date on which a person was assigned count, of everyone who was, whether or not anything
    was delivered to them: so the arms stay comparable. `squares` is the sum of the squares of what each person spent.
    """
    check_columns(holdouts, ("audience", "person_id", "arm", "stratum", "assigned_as_of"), "the control groups")
    check_columns(purchases, ("person_id", "event_date", "amount"), "the purchases")
    assigned = holdouts.select("audience", "person_id", "assigned_as_of")
    spent = (
        purchases.join(assigned, "person_id")
        .where(F.col("event_date") > F.col("assigned_as_of"))
        .groupBy("audience", "person_id")
        .agg(F.coalesce(F.sum("amount"), F.lit(0)).cast(MONEY).alias("spent"))
    )
    return (
        holdouts.join(spent, ["audience", "person_id"], "left")
        .groupBy("audience", "stratum", "arm")
        .agg(
            F.min("assigned_as_of").alias("since"),
            F.count("*").alias("people"),
            F.count("spent").alias("converted"),
            F.coalesce(F.sum("spent"), F.lit(0)).alias("amount"),
            F.coalesce(F.sum(F.col("spent") * F.col("spent")), F.lit(0)).alias("squares"),
        )
    )


def read_outcomes(sums: DataFrame) -> dict[str, Outcomes]:
    """Audience -> what became of it: two rows an audience and segment come to the driver."""
    found: dict[str, dict[str, dict[str, Arm]]] = {}
    since: dict[str, date] = {}
    for row in sums.orderBy("audience", "stratum", "arm").collect():
        audience = row["audience"]
        arm = Arm(row["people"], row["converted"], float(row["amount"]), float(row["squares"]))
        found.setdefault(audience, {}).setdefault(row["stratum"], {})[row["arm"]] = arm
        since[audience] = min(row["since"], since.get(audience, row["since"]))
    return {audience: Outcomes(since[audience], arms) for audience, arms in found.items()}
