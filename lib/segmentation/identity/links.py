"""Likely links between records: kept from the run that found them, and brought into the graph as its weakest edges."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import MatchingSettings
from segmentation.identity.batches import Batch
from segmentation.identity.components import label_components
from segmentation.identity.observations import name_ends

_PAIR = ("left_type", "left_value", "right_type", "right_value")


def new_links(found: DataFrame, earlier: DataFrame, newest: Batch, settings: MatchingSettings) -> DataFrame:
    """Links that were not there yet, or are now likely enough to join, as rows of `identity_links`.

    In: `match_records`, the table `identity_links`, the newest batch: a link takes effect with it. One that was found
    stays, whatever a model that is trained anew says of it: only an override parts what was joined.
    """
    before = earlier.groupBy(*_PAIR).agg(F.max("probability").alias("before"))
    joins, joined = (F.col(column) >= settings.join_at for column in ("probability", "before"))
    return (
        found.join(before, list(_PAIR), "left")
        .where(F.col("before").isNull() | (joins & ~joined))
        .select(*_PAIR, "probability", F.lit(newest.seq).cast("long").alias("batch_seq"))
    )


def pair_links(links: DataFrame, batches: list[Batch], settings: MatchingSettings) -> DataFrame:
    """In: `identity_links`. Out: those that join, one pair in one batch, as `pair_identifiers` has them: never seen."""
    clocks = links.sparkSession.createDataFrame(
        [(batch.seq, batch.clock) for batch in batches], "batch_seq long, clock timestamp"
    )
    return (
        name_ends(links.where(F.col("probability") >= settings.join_at))
        .join(F.broadcast(clocks), "batch_seq")
        .select(
            "left_node",
            "right_node",
            *_PAIR,
            "batch_seq",
            F.lit("").alias("source"),
            F.col("clock").alias("first_seen"),
            F.col("clock").alias("last_seen"),
            F.lit(0).cast("long").alias("observations"),
            "probability",
        )
    )


def add_suggestions(edges: DataFrame, links: DataFrame, settings: MatchingSettings) -> DataFrame:
    """`identity_edges` with the links that are likely, but not enough to join anybody: for people to decide."""
    best = links.groupBy(*_PAIR).agg(F.max("probability").alias("confidence"), F.min("batch_seq").alias("found"))
    text = F.format_string(f"%.2f likely to be one person (joined from {settings.join_at:g})", "confidence")
    unsure = best.where(F.col("confidence") < settings.join_at).join(edges, list(_PAIR), "left_anti")
    return edges.unionByName(
        unsure.select(
            *_PAIR,
            F.lit(None).cast("timestamp").alias("first_seen"),
            F.lit(None).cast("timestamp").alias("last_seen"),
            F.lit(0).cast("long").alias("observations"),
            F.lit("probabilistic").alias("kind"),
            "confidence",
            F.lit("cut").alias("status"),
            text.alias("reason"),
            F.col("found").alias("first_batch_seq"),
            F.array().cast("array<string>").alias("sources"),
        )
    )


def rate_confidence(members: DataFrame, edges: DataFrame, one_task_edges: int) -> DataFrame:
    """How sure it is that an identifier is its person's, where that hangs on a likely link.

    In: members (`replay_batches`) and `identity_edges`. Out: one identifier of a person whom a likely link holds
    together: `node`, `confidence`, which is that of the weakest link on the best way to the person's strongest
    identifier. What sightings and overrides tie is certain.
    """
    guessed = (F.col("kind") == "probabilistic").alias("likely")
    active = name_ends(edges.where("status = 'active'")).select("left_node", "right_node", "confidence", guessed)
    likely = active.where("likely").localCheckpoint()
    person = members.select("node", "person_id", "rank", "batch_seq", "arrival_ts")
    ends = likely.select(F.explode(F.array("left_node", "right_node")).alias("node"))
    held = person.join(ends.join(person, "node").select("person_id").distinct(), "person_id", "left_semi")
    held = held.localCheckpoint()
    certain = active.where("NOT likely").join(held.select(F.col("node").alias("left_node")), "left_node", "left_semi")
    parts = label_components(certain.localCheckpoint(), one_task_edges)
    placed = held.join(parts, "node", "left").withColumn("part", F.coalesce("component", "node")).localCheckpoint()
    strongest = placed.groupBy("person_id").agg(
        F.min(F.struct("rank", "batch_seq", "arrival_ts", "node", "part"))["part"].alias("part")
    )
    sure = _follow_best_ways(strongest.select("part"), _ways(likely, placed))
    return placed.join(sure, "part", "left").select("node", F.col("sure").alias("confidence"))


def _ways(likely: DataFrame, placed: DataFrame) -> DataFrame:
    """From likely links and the part of each identifier: `part`, `to` and `confidence`, in both directions."""
    left, right = (placed.select(F.col("node").alias(f"{side}_node"), F.col("part").alias(side)) for side in "lr")
    named = likely.withColumnsRenamed({"left_node": "l_node", "right_node": "r_node"})
    between = named.join(left, "l_node").join(right, "r_node").where("l != r")
    both = F.explode(
        F.array(*(F.struct(F.col(a).alias("part"), F.col(b).alias("to")) for a, b in (("l", "r"), ("r", "l"))))
    )
    return (
        between.select(both.alias("way"), "confidence")
        .groupBy("way.part", "way.to")
        .agg(F.max("confidence").alias("confidence"))
        .localCheckpoint()
    )


def _follow_best_ways(first: DataFrame, ways: DataFrame) -> DataFrame:
    """How sure each part (`part`, `sure`) is that a way leads to from one of the `first`: of the links on a way the
    weakest counts, of several ways the best. As many rounds as the longest of these ways has links, nearly always two
    or three."""
    reached = front = first.withColumn("sure", F.lit(1.0)).localCheckpoint()
    while not front.isEmpty():
        offered = front.join(ways, "part").groupBy("to").agg(F.max(F.least("sure", "confidence")).alias("offered"))
        better = offered.withColumnRenamed("to", "part").join(reached, "part", "left")
        better = better.where("sure IS NULL OR offered > sure").select("part", F.col("offered").alias("sure"))
        front = better.localCheckpoint()
        reached = front.unionByName(reached.join(front, "part", "left_anti")).localCheckpoint()
    return reached
