"""What the people of each arm did since they were assigned to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from operator import add

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import MONEY, check_columns
from segmentation.experiments.lift import Arm


@dataclass(frozen=True)
class Outcomes:
    """What became of one audience: when its first person was assigned, and stratum -> arm -> its sums.

    `groups` are the same sums of each of the groups into which an arm falls at random.
    """

    since: date
    arms: Mapping[str, Mapping[str, Arm]]
    groups: Mapping[str, Mapping[str, Sequence[Arm]]] = field(default_factory=dict, compare=False)


BEFORE_DAYS = 90
"""What people had bought in so many days up to their assignment tells how much they would buy anyway."""

GROUPS = 200
"""At most so many groups an arm and stratum: what is drawn from, and all that comes to the driver."""

_SUMS = ("amount", "squares", "before", "before_squares", "products")


def sum_outcomes(holdouts: DataFrame, purchases: DataFrame) -> DataFrame:
    """Rows of `holdouts` -> one row an audience, stratum, arm and `group`: `since`, and the sums of `Arm`.

    `purchases`: one row a purchase (`person_id`, `event_date`, `amount`, which may be null), read once for all
    audiences. Those after the date on which a person was assigned count, of everyone who was, whether or not anything
    was delivered to them: so the arms stay comparable. Those of the `BEFORE_DAYS` up to that date are summed apart.
    """
    check_columns(holdouts, ("audience", "person_id", "arm", "stratum", "assigned_as_of"), "the control groups")
    check_columns(purchases, ("person_id", "event_date", "amount"), "the purchases")
    assigned = holdouts.select("audience", "person_id", "assigned_as_of")
    after, amount = F.col("event_date") > F.col("assigned_as_of"), F.coalesce("amount", F.lit(0))
    bought = (
        purchases.join(assigned, "person_id")
        .where(F.col("event_date") > F.date_sub("assigned_as_of", BEFORE_DAYS))
        .groupBy("audience", "person_id")
        .agg(
            # Null where nothing was bought, which is not the same as something for nothing.
            F.sum(F.when(after, amount)).cast(MONEY).alias("bought"),
            F.coalesce(F.sum(F.when(~after, amount)), F.lit(0)).cast(MONEY).alias("had"),
        )
    )
    spent, had = F.coalesce("bought", F.lit(0).cast(MONEY)), F.coalesce("had", F.lit(0).cast(MONEY))
    sums = (spent, spent * spent, had, had * had, spent * had)
    return (
        holdouts.join(bought, ["audience", "person_id"], "left")
        .groupBy("audience", "stratum", "arm", F.pmod(F.xxhash64("person_id"), F.lit(GROUPS)).alias("group"))
        .agg(
            F.min("assigned_as_of").alias("since"),
            F.count("*").alias("people"),
            F.count("bought").alias("converted"),
            *(F.sum(each).cast("double").alias(name) for each, name in zip(sums, _SUMS, strict=True)),
        )
    )


def read_outcomes(sums: DataFrame) -> dict[str, Outcomes]:
    """Audience -> what became of it: `GROUPS` rows a segment and arm of each come to the driver."""
    found: dict[str, dict[str, dict[str, list[Arm]]]] = {}
    since: dict[str, date] = {}
    for row in sums.orderBy("audience", "stratum", "arm", "group").collect():
        audience = row["audience"]
        group = Arm(row["people"], row["converted"], *(row[name] for name in _SUMS))
        found.setdefault(audience, {}).setdefault(row["stratum"], {}).setdefault(row["arm"], []).append(group)
        since[audience] = min(row["since"], since.get(audience, row["since"]))
    return {
        audience: Outcomes(
            since[audience],
            {stratum: {arm: reduce(add, of) for arm, of in arms.items()} for stratum, arms in groups.items()},
            groups,
        )
        for audience, groups in found.items()
    }
