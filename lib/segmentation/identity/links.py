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
    together: `node`, `confidence`. What sightings tie to the person's strongest identifier is certain; another part is
    as sure as the likeliest link that leads to it.
    """
    guessed = (F.col("kind") == "probabilistic").alias("likely")
    active = name_ends(edges.where("status = 'active'")).select("left_node", "right_node", "confidence", guessed)
    likely = active.where("likely").localCheckpoint()
    person = members.select("node", "person_id", "rank", "batch_seq", "arrival_ts")
    ends = likely.select(F.explode(F.array("left_node", "right_node")).alias("node"), "confidence")
    held = person.join(ends.join(person, "node").select("person_id").distinct(), "person_id", "left_semi")
    held = held.localCheckpoint()
    certain = active.where("NOT likely").join(held.select(F.col("node").alias("left_node")), "left_node", "left_semi")
    parts = label_components(certain.localCheckpoint(), one_task_edges)
    placed = held.join(parts, "node", "left").withColumn("part", F.coalesce("component", "node")).localCheckpoint()
    strongest = placed.groupBy("person_id").agg(
        F.min(F.struct("rank", "batch_seq", "arrival_ts", "node", "part")).alias("first")
    )
    sure = ends.join(placed.select("node", "part"), "node").groupBy("part").agg(F.max("confidence").alias("sure"))
    return (
        placed.join(strongest, "person_id")
        .join(sure, "part", "left")
        .select("node", F.when(F.col("part") == F.col("first.part"), 1.0).otherwise(F.col("sure")).alias("confidence"))
    )
