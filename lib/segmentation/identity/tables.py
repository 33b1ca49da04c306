"""From what a replay found to the rows that others read."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def map_identifiers(
    members: DataFrame, identifiers: DataFrame, hubs: DataFrame, confidence: DataFrame | None = None
) -> DataFrame:
    """`identity_map`. In: members and hubs (`replay_batches`), and `list_identifiers`; `rate_confidence` where records
    were matched. Out: one identifier, now."""
    members = members.join(hubs.select("node", "hub_reason"), "node", "left")
    if confidence is not None:
        members = members.join(confidence, "node", "left")
    rated = F.coalesce("confidence", F.lit(1.0)) if confidence is not None else F.lit(1.0)
    seen = identifiers.select("node", "first_seen", "last_seen", "events")
    return members.join(seen, "node").select(
        F.col("type").alias("identifier_type"),
        F.col("value").alias("identifier_value"),
        "person_id",
        rated.alias("confidence"),
        "since",
        "first_seen",
        "last_seen",
        "events",
        F.col("batch_seq").alias("first_batch_seq"),
        "component",
        "hub_reason",
    )


def tell_history(changes: DataFrame, members: DataFrame) -> DataFrame:
    """`identity_history`. In: changes and members (`replay_batches`). Out: one identifier over one period."""
    names = members.select("node", F.col("type").alias("identifier_type"), F.col("value").alias("identifier_value"))
    return changes.join(names, "node").select(
        "identifier_type", "identifier_value", "person_id", "valid_from", "valid_to", "change", "reason", "batch_seq"
    )


def describe_persons(members: DataFrame, identifiers: DataFrame, attributes: DataFrame | None) -> DataFrame:
    """`persons`. In: members (`replay_batches`), `list_identifiers`, and `choose_attributes` where there are any. Out:
    one person.

    An event belongs to the person of its strongest identifier, so a person's first and last event are those in
    which one of its identifiers is the strongest; a person who has none is dated by any event.
    """
    led = ("led_first", "led_last", "first_seen", "last_seen")
    persons = (
        members.join(identifiers.select("node", *led), "node")
        .groupBy("person_id")
        .agg(
            F.coalesce(F.min("led_first"), F.min("first_seen")).alias("first_seen"),
            F.coalesce(F.max("led_last"), F.max("last_seen")).alias("last_seen"),
            F.count("*").alias("identifier_count"),
        )
    )
    none = F.create_map().cast("map<string,string>")
    if attributes is None:
        return persons.withColumn("attributes", none)
    return persons.join(attributes, "person_id", "left").withColumn("attributes", F.coalesce("attributes", none))
