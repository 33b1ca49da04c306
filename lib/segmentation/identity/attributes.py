"""The golden record: of all values that events say of a person's attribute, the one that a declared rule prefers."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.identity import AttributeRule
from segmentation.contracts.table import check_columns


def rank_values(events: DataFrame, rules: Mapping[str, AttributeRule]) -> DataFrame:
    """Every value of every attribute of every person, the preferred one first.

    In: events with their `person_id`. Out: one value of one attribute of one person, as `person_attributes` has them;
    `place` is 1 for the one that the rule prefers. Of two that it prefers alike it is the more recent, then the more
    frequent, then the smaller.
    """
    check_columns(events, ("person_id", "event_ts", "source", "properties", "identifiers"), "the events of persons")
    said = [F.struct(F.lit(name).alias("attribute"), _field(rule).alias("value")) for name, rule in rules.items()]
    found = (
        events.select("person_id", "event_ts", "source", F.inline(F.array(*said)))
        .where("value IS NOT NULL AND value != ''")
        .groupBy("person_id", "attribute", "value", "source")
        .agg(F.count("*").alias("events"), F.min("event_ts").alias("first_seen"), F.max("event_ts").alias("last_seen"))
        .groupBy("person_id", "attribute", "value")
        .agg(
            F.sum("events").alias("events"),
            F.min("first_seen").alias("first_seen"),
            F.max("last_seen").alias("last_seen"),
            F.array_sort(F.collect_set("source")).alias("sources"),
        )
    )
    order = [_preference(rules), F.desc("last_seen"), F.desc("events"), F.col("value")]
    return found.withColumn("place", F.row_number().over(Window.partitionBy("person_id", "attribute").orderBy(*order)))


def choose_attributes(ranked: DataFrame) -> DataFrame:
    """In: `rank_values`. Out: one person: `person_id`, and `attributes`, the preferred value of each."""
    entry = F.struct("attribute", "value")
    return (
        ranked.where("place = 1")
        .groupBy("person_id")
        .agg(F.map_from_entries(F.array_sort(F.collect_list(entry))).alias("attributes"))
    )


def _field(rule: AttributeRule) -> Column:
    container, _, name = rule.field.partition(".")
    return F.col(container)[name]


def _preference(rules: Mapping[str, AttributeRule]) -> Column:
    """What the rule of the row's attribute puts first, ascending: nothing before recency where that is the rule."""
    first: Column = F.lit(0)
    for name, rule in rules.items():
        if rule.prefer == "most_frequent":
            mine: Column = -F.col("events")
        elif rule.prefer == "most_trusted_source":
            places = [F.when(F.array_contains("sources", source), place) for place, source in enumerate(rule.sources)]
            mine = F.coalesce(*places, F.lit(len(rule.sources)))
        else:
            continue
        first = F.when(F.col("attribute") == name, mine).otherwise(first)
    return first
