"""What events say about identifiers: which there are, and which were seen together."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.table import check_columns

_PAIR = ("left_type", "left_value", "right_type", "right_value")

_EVENT_COLUMNS = ("identifiers", "event_ts", "batch_seq", "source")


def combine_identifiers(events: DataFrame, describing: Sequence[str] = ()) -> DataFrame:
    """Events folded to the distinct combinations of identifiers in them, which are far fewer.

    In: events; `describing` are types that tie nobody, and are left out. Out: one combination in one batch:
    `identifiers` ARRAY<STRUCT<type, value>> sorted by type, never empty; `batch_seq`; `source`, which the batch has
    only one of; `events` (how many carry exactly these); `first_ts`, `last_ts`.
    """
    check_columns(events, _EVENT_COLUMNS, "the events to resolve")
    ties = F.map_filter("identifiers", lambda kind, value: (value != "") & ~kind.isin(list(describing)))
    return (
        events.withColumn("identifiers", _sorted(ties))
        .where(F.size("identifiers") > 0)
        # Collecting sources into a set instead would sort all rows: Spark hashes only plain aggregates.
        .groupBy("identifiers", "batch_seq", "source")
        .agg(
            F.count("*").alias("events"),
            F.min("event_ts").alias("first_ts"),
            F.max("event_ts").alias("last_ts"),
        )
    )


def keep_combinations(combinations: DataFrame) -> DataFrame:
    """`combine_identifiers` as rows of `identity_sightings`."""
    return combinations.select(
        F.xxhash64("identifiers").alias("combination"),
        F.map_from_entries("identifiers").alias("identifiers"),
        *(name for name in combinations.columns if name != "identifiers"),
    )


def recall_combinations(sightings: DataFrame) -> DataFrame:
    """Rows of `identity_sightings` as `combine_identifiers`."""
    return sightings.drop("combination").withColumn("identifiers", _sorted(F.col("identifiers")))


def carrying(sightings: DataFrame, within: DataFrame) -> DataFrame:
    """Rows of `identity_sightings` in which one of these identifiers (`node`) is, each once."""
    each = sightings.select("*", F.explode("identifiers").alias("type", "value"))
    found = each.withColumn("node", name_node("type", "value")).join(within, "node", "left_semi")
    return found.dropDuplicates(["batch_seq", "combination"]).select(sightings.columns)


def list_identifiers(
    combinations: DataFrame,
    settings: IdentitySettings,
    within: DataFrame | None = None,
    initials: DataFrame | None = None,
) -> DataFrame:
    """Every identifier with when it came and when it was seen; `within` these (`node`), or of all.

    In: `combine_identifiers`, and `find_initials` where records are told apart. Out: one identifier: `node` LONG (a
    hash, the identifier's name within the graph), `type`, `value`, `rank` (place in the order of trust, null for a type
    that the settings do not know), `batch_seq` and `arrival_ts` (its arrival: the batch that brought it first, and its
    first event therein), `first_seen`, `last_seen`, `events`, and `led_first`, `led_last`, `led_events`: the same of
    the events in which it is the strongest identifier, which are therefore its person's; and `initials`.
    """
    ranks = _ranks(settings)
    by_rank = F.transform(
        "identifiers", lambda e: F.struct(F.element_at(ranks, e["type"]).alias("rank"), e["type"].alias("type"))
    )
    leads = F.col("type") == F.col("lead")
    seen = combinations.withColumn("lead", F.array_min(by_rank)["type"]).select("*", F.inline("identifiers"))
    if within is not None:
        seen = seen.withColumn("node", name_node("type", "value")).join(within, "node", "left_semi")
    listed = (
        seen.groupBy("type", "value")
        .agg(
            F.min(F.struct("batch_seq", "first_ts")).alias("arrival"),
            F.min("first_ts").alias("first_seen"),
            F.max("last_ts").alias("last_seen"),
            F.sum("events").alias("events"),
            F.min(F.when(leads, F.col("first_ts"))).alias("led_first"),
            F.max(F.when(leads, F.col("last_ts"))).alias("led_last"),
            F.sum(F.when(leads, F.col("events")).otherwise(F.lit(0))).alias("led_events"),
        )
        .select(
            name_node("type", "value").alias("node"),
            "type",
            "value",
            F.element_at(ranks, F.col("type")).alias("rank"),
            F.col("arrival.batch_seq").alias("batch_seq"),
            F.col("arrival.first_ts").alias("arrival_ts"),
            "first_seen",
            "last_seen",
            "events",
            "led_first",
            "led_last",
            "led_events",
        )
    )
    if initials is None:
        return listed.withColumn("initials", F.lit(None).cast("string"))
    return listed.join(initials, "node", "left")


def pair_identifiers(combinations: DataFrame, within: DataFrame | None = None) -> DataFrame:
    """Every pair of identifiers that were seen together in an event of a batch; those with an end `within` these
    (`node`), or all.

    In: `combine_identifiers`. Out: one pair in one batch, the left one smaller by (type, value): `left_node`,
    `left_type`, `left_value`, the same for right, `batch_seq`, `source`, `first_seen`, `last_seen`, `observations`
    (events that carry both), and `probability`, null: it was seen, not guessed.
    """
    count = F.size("identifiers")
    pairs = F.flatten(
        F.transform(
            "identifiers",
            lambda left, i: F.transform(
                F.slice("identifiers", i + 2, count), lambda right: F.struct(left.alias("left"), right.alias("right"))
            ),
        )
    )
    seen = combinations.where(count > 1).withColumn("pair", F.explode(pairs))
    seen = seen.select("*", *(F.col(f"pair.{key.replace('_', '.')}").alias(key) for key in _PAIR))
    if within is not None:
        seen = touching(name_ends(seen), within)
    totals = seen.groupBy(*_PAIR, "batch_seq", "source").agg(
        F.min("first_ts").alias("first_seen"),
        F.max("last_ts").alias("last_seen"),
        F.sum("events").alias("observations"),
    )
    return name_ends(totals).withColumn("probability", F.lit(None).cast("double"))


def total_pairs(pairs: DataFrame, sources: Sequence[str]) -> DataFrame:
    """Pairs over all batches. In: one pair in one batch (`pair_identifiers`), of batches of these `sources`. Out: one
    pair, `first_batch_seq` in place of `batch_seq`, and `sources`, sorted, in place of `source`."""
    seen_by = [F.when(F.bool_or(F.col("source") == name), F.lit(name)) for name in sorted(set(sources))]
    return pairs.groupBy("left_node", "right_node", *_PAIR).agg(
        F.min("batch_seq").alias("first_batch_seq"),
        F.min("first_seen").alias("first_seen"),
        F.max("last_seen").alias("last_seen"),
        F.sum("observations").alias("observations"),
        F.max("probability").alias("probability"),
        F.array_compact(F.array(*seen_by)).alias("sources"),
    )


def name_ends(pairs: DataFrame) -> DataFrame:
    """Pairs (`left_type`, `left_value`, the same for right) with `left_node` and `right_node`."""
    ends = {f"{side}_node": name_node(f"{side}_type", f"{side}_value") for side in ("left", "right")}
    return pairs.withColumns(ends)


def touching(pairs: DataFrame, within: DataFrame) -> DataFrame:
    """Pairs (`left_node`, `right_node`) of which an end is one of these (`node`)."""
    for side in ("left_node", "right_node"):
        pairs = pairs.join(within.select(F.col("node").alias(side), F.lit(True).alias(f"{side}_in")), side, "left")
    return pairs.where("left_node_in OR right_node_in").drop("left_node_in", "right_node_in")


def between(pairs: DataFrame, within: DataFrame) -> DataFrame:
    """Pairs (`left_node`, `right_node`) of which both ends are among these (`node`)."""
    for side in ("left_node", "right_node"):
        pairs = pairs.join(within.select(F.col("node").alias(side)), side, "left_semi")
    return pairs


def name_node(type_column: str, value_column: str) -> Column:
    """The 64-bit name of an identifier within the graph; the stage checks that no two share one."""
    return F.xxhash64(F.col(type_column), F.col(value_column))


def _sorted(identifiers: Column) -> Column:
    """A map type -> value as an array of structs, which rows can be grouped by."""
    entries = F.map_entries(identifiers)
    return F.array_sort(F.transform(entries, lambda e: F.struct(e["key"].alias("type"), e["value"].alias("value"))))


def _ranks(settings: IdentitySettings) -> Column:
    return F.create_map(*(F.lit(part) for pair in settings.ranks.items() for part in pair))
