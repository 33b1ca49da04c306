"""What gates judge of a candidate beside who is where: its inputs, its model, and how groups of people fare."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.segments import Fairness
from segmentation.contracts.table import check_columns
from segmentation.segments.measured import Measured

DIFFERENCE, GROUP = "difference_", "group_"
"""Prefixes of the figures about groups; behind them stands the attribute."""

FEWEST_NAMED = 20
"""People whom an attribute's value must have to be written down."""


def find_drift(profiles: DataFrame, as_of: date, names: Sequence[str]) -> Measured:
    """`drift`: the greatest population stability index at the date of the features `names`, and of which it is;
    nothing where none was compared with dates before. In: rows of `feature_profiles`."""
    check_columns(profiles, ["as_of", "feature", "stability_index"], "the table 'feature_profiles'")
    own = profiles.where((F.col("as_of") == F.lit(as_of)) & F.col("feature").isin(list(names)))
    compared = own.where(F.col("stability_index").isNotNull())
    row = compared.agg(F.max(F.struct("stability_index", "feature")).alias("most")).first()
    if row is None or row["most"] is None:
        return Measured()
    return Measured({"drift": float(row["most"]["stability_index"])}, {"drift": row["most"]["feature"]})


def find_age(events: DataFrame, as_of: date) -> Measured:
    """`age_days`: days from the newest event of `events` that happened by the date to the date; nothing without one."""
    check_columns(events, ["event_date"], "the table 'events'")
    row = events.where(F.col("event_date") <= F.lit(as_of)).agg(F.max("event_date").alias("newest")).first()
    if row is None or row["newest"] is None:
        return Measured()
    return Measured({"age_days": float((as_of - row["newest"]).days)})


def compare_groups(assigned: DataFrame, persons: DataFrame, fairness: Fairness) -> Measured:
    """`difference_ATTRIBUTE` of each attribute: how far the group that differs most is from everyone; and of that
    group `group_ATTRIBUTE`, its people, and its value, where these are at least `FEWEST_NAMED`.

    The difference is the total variation distance between the group's shares of the segments and everyone's: 0 where
    they are the same, 1 where nobody else is where they are. In: one row a person with `segment_id`; one row a person
    with the MAP `attributes`. People of whom an attribute is not known are in no group.
    """
    check_columns(assigned, ["person_id", "segment_id"], "the assigned people")
    check_columns(persons, ["person_id", "attributes"], "the table 'persons'")
    if not fairness.attributes:
        return Measured()
    values = [
        F.struct(F.lit(name).alias("attribute"), F.try_element_at("attributes", F.lit(name)).alias("value"))
        for name in fairness.attributes
    ]
    groups = persons.select("person_id", F.inline(F.array(*values))).where(F.col("value").isNotNull())
    within = assigned.join(groups, "person_id").groupBy("attribute", "value", "segment_id").agg(F.count("*").alias("n"))
    everyone = assigned.groupBy("segment_id").agg(F.count("*").alias("n")).collect()
    people = sum(row["n"] for row in everyone)
    if not people:
        return Measured()
    usual = F.create_map(*(F.lit(part) for row in everyone for part in (row["segment_id"], row["n"] / people)))
    # Of segments that nobody of the group is in the difference is everyone's share, so all shares add up to 1.
    own, others = F.col("n") / F.col("size"), F.element_at(usual, F.col("segment_id"))
    sizes = within.groupBy("attribute", "value").agg(F.sum("n").alias("size"))
    differences = (
        within.join(sizes.where(F.col("size") >= fairness.min_people), ["attribute", "value"])
        .groupBy("attribute", "value", "size")
        .agg(((F.sum(F.abs(own - others) - others) + 1) / 2).alias("distance"))
    )
    most = F.max(F.struct("distance", "size", "value"))
    rows = differences.groupBy("attribute").agg(most.alias("most")).select("attribute", "most.*").collect()
    return Measured(
        {f"{DIFFERENCE}{row['attribute']}": max(0.0, float(row["distance"])) for row in rows}
        | {f"{GROUP}{row['attribute']}": float(row["size"]) for row in rows},
        {f"{DIFFERENCE}{row['attribute']}": row["value"] for row in rows if row["size"] >= FEWEST_NAMED},
    )
