"""Living through batches one by one, in Spark."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.identity.guards import cluster_identifiers
from segmentation.identity.observations import total_pairs
from segmentation.identity.overrides import NO_OVERRIDES, Manual, Step
from segmentation.identity.persons import succeed_persons
from segmentation.identity.rounds import end_round

NODE = ("node", "type", "value", "rank", "batch_seq", "arrival_ts")
_MEMBER = (*NODE, "component", "guarded", "person_id", "person_seq", "person_ts", "founded", "since")
_CHANGE = ("node", "person_id", "valid_from", "change", "reason", "batch_seq")
FOUNDED = "array<struct<person_id:string,person_seq:bigint,person_ts:timestamp>>"


def live_through(
    nodes: DataFrame, pairs: DataFrame, dated: DataFrame, steps: Sequence[Step], settings: IdentitySettings
) -> tuple[DataFrame, DataFrame]:
    """Members and changes (see `replay_batches`) of the groups of `nodes`, step after step.

    `pairs` are in these groups, with their `component`, `batch_seq`, and `hub_seq`, since when an end is a hub.
    """
    persons = nodes.sparkSession.createDataFrame(
        [],
        f"node bigint, person_id string, person_seq bigint, person_ts timestamp, founded {FOUNDED}, since timestamp",
    )
    # A group is touched by a new identifier, by new sightings of a pair, and when one of its values becomes a hub.
    stirs = (
        pairs.select("component", "batch_seq")
        .union(nodes.select("component", "batch_seq"))
        .union(dated.join(nodes, "node").select("component", "hub_seq"))
        .distinct()
        .localCheckpoint()
    )
    named = _components_of({node for step in steps for node in step.manual.nodes}, nodes)
    changes: list[DataFrame] = []
    for step in steps:
        batch = step.batch
        touched = named if step.is_decision else stirs.where(F.col("batch_seq") == batch.seq)
        known = nodes.where(F.col("batch_seq") <= batch.seq).join(touched, "component", "left_semi").localCheckpoint()
        usable = F.col("hub_seq").isNull() | (F.col("hub_seq") > batch.seq)
        now = pairs.where((F.col("batch_seq") <= batch.seq) & usable).join(touched, "component", "left_semi")
        clustered = cluster_all(
            known.drop("component", "guarded", "busy"),
            total_pairs(now, [step.batch.source for step in steps]).localCheckpoint(),
            settings,
            step.manual,
        )
        before = clustered.join(persons, "node", "left").localCheckpoint()
        after = end_round(_succeed(before, step))
        persons = persons.join(after, "node", "left_anti").unionByName(after.select(*persons.columns)).localCheckpoint()
        changes.append(after.where("change IS NOT NULL").select(*_CHANGE))
    members = nodes.join(persons, "node").select(*_MEMBER)
    until = F.lead("valid_from").over(Window.partitionBy("node").orderBy("valid_from")).alias("valid_to")
    return members, reduce(DataFrame.unionByName, changes).select("*", until)


def _components_of(named: set[int], nodes: DataFrame) -> DataFrame:
    """The groups that an override ever named a node of."""
    rows = nodes.sparkSession.createDataFrame([(node,) for node in named], "node long")
    return nodes.join(F.broadcast(rows), "node").select("component").distinct()


def _succeed(before: DataFrame, step: Step) -> DataFrame:
    """One step: each member with its person after it, and the change where there is one."""
    batch = step.batch
    named = succeed_persons(before, batch.seq, step.decided_ts).localCheckpoint()
    alive = named.select(F.col("person_id").alias("old_id"), F.lit(True).alias("alive"))
    old = before.select(
        "node",
        "cluster",
        "arrival_ts",
        "founded",
        F.col("person_id").alias("old_id"),
        F.col("since").alias("old_since"),
    )
    moved = (F.col("old_id") != F.col("person_id")) | F.col("old_id").isNull()
    change = F.when(F.col("old_id").isNull(), "new").when(F.col("alive"), "split").otherwise("merge")
    reason = F.element_at(
        F.create_map(*(F.lit(part) for pair in step.reasons.items() for part in pair)), F.col("change")
    )
    later = F.greatest(F.lit(batch.clock), F.timestamp_micros(F.unix_micros("old_since") + 1))
    valid_from = F.when(F.col("old_id").isNull(), F.col("arrival_ts")).when(moved, later)
    minted = F.array(F.struct("person_id", "person_seq", "person_ts"))
    founded = F.when(
        F.col("node") == F.col("founder"), F.concat(F.coalesce("founded", F.array().cast(FOUNDED)), minted)
    ).otherwise(F.col("founded"))
    return (
        old.join(named, "cluster")
        .join(alive, "old_id", "left")
        .select(
            "node",
            "person_id",
            "person_seq",
            "person_ts",
            founded.alias("founded"),
            valid_from.alias("valid_from"),
            F.coalesce(valid_from, "old_since").alias("since"),
            F.when(moved, change).alias("change"),
            F.lit(batch.seq).cast("long").alias("batch_seq"),
        )
        .withColumn("reason", reason)
    )


def cluster_all(
    nodes: DataFrame, usable: DataFrame, settings: IdentitySettings, manual: Manual = NO_OVERRIDES
) -> DataFrame:
    """Nodes with `component`, `cluster` and `guarded`; one without edges is its own."""
    clusters = cluster_identifiers(nodes, usable, settings, manual)
    return nodes.join(clusters, "node", "left").select(
        *NODE,
        F.coalesce("component", "node").alias("component"),
        F.coalesce("cluster", "node").alias("cluster"),
        F.coalesce("guarded", F.lit(False)).alias("guarded"),
    )


def until_hub(edges: DataFrame, dated: DataFrame) -> DataFrame:
    """Edges that could ever join something: seen first before either end was a hub; `hub_seq` is when one became so."""
    for side in ("left", "right"):
        edges = edges.join(
            dated.select(F.col("node").alias(f"{side}_node"), F.col("hub_seq").alias(f"{side}_hub")),
            f"{side}_node",
            "left",
        )
    return (
        edges.withColumn("hub_seq", F.least("left_hub", "right_hub"))
        .drop("left_hub", "right_hub")
        .where("hub_seq IS NULL OR first_batch_seq < hub_seq")
        .localCheckpoint()
    )
