"""What the people of each arm did since they were assigned to it."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import MONEY, check_columns
from segmentation.experiments.lift import Arm


def sum_outcomes(holdouts: DataFrame, purchases: DataFrame) -> DataFrame:
    """Rows of `holdouts` of one audience -> one row a stratum and arm: `people`, `converted`, `amount`, `squares`.

    `purchases`: one row a purchase (`person_id`, `event_date`, `amount`, which may be null). Those after the date on
    which a person was assigned count, of everyone who was, whether or not anything was delivered to them: so the arms
    stay comparable. `squares` is the sum of the squares of what each person spent.
    """
    check_columns(holdouts, ("person_id", "arm", "stratum", "assigned_as_of"), "the control groups")
    check_columns(purchases, ("person_id", "event_date", "amount"), "the purchases")
    since = holdouts.select("person_id", "assigned_as_of")
    spent = (
        purchases.join(since, "person_id")
        .where(F.col("event_date") > F.col("assigned_as_of"))
        .groupBy("person_id")
        .agg(F.coalesce(F.sum("amount"), F.lit(0)).cast(MONEY).alias("spent"))
    )
    people = holdouts.select("person_id", "arm", "stratum").join(spent, "person_id", "left")
    return people.groupBy("stratum", "arm").agg(
        F.count("*").alias("people"),
        F.count("spent").alias("converted"),
        F.coalesce(F.sum("spent"), F.lit(0)).alias("amount"),
        F.coalesce(F.sum(F.col("spent") * F.col("spent")), F.lit(0)).alias("squares"),
    )


def read_arms(outcomes: DataFrame) -> Mapping[str, Mapping[str, Arm]]:
    """Stratum -> arm -> its sums: two rows a segment come to the driver."""
    found: dict[str, dict[str, Arm]] = {}
    for row in outcomes.orderBy("stratum", "arm").collect():
        arm = Arm(row["people"], row["converted"], float(row["amount"]), float(row["squares"]))
        found.setdefault(row["stratum"], {})[row["arm"]] = arm
    return found
