"""Living through batches: who is who after each of them, whatever number of them is looked at together.

Ids depend on the past (who was whose before), so every batch counts. But in most groups nothing ever happens that
the order of batches could change: all identifiers joined, when they came, the one person that was there, and no
limit binds. Such a group is quiet, and is named in one step for all batches. Only the others are lived through batch
by batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.identity.components import label_components
from segmentation.identity.guards import Limits, cluster_identifiers
from segmentation.identity.observations import total_pairs
from segmentation.identity.persons import found_persons, succeed_persons
from segmentation.identity.quarantine import date_hubs, find_hubs


@dataclass(frozen=True)
class Batch:
    """One batch: its number, and the newest event time of it and all before it."""

    seq: int
    clock: datetime


@dataclass(frozen=True)
class Resolved:
    """What a replay found; see `replay_batches`."""

    members: DataFrame
    changes: DataFrame
    edges: DataFrame
    hubs: DataFrame


_NODE = ("node", "type", "value", "rank", "batch_seq", "arrival_ts")
_MEMBER = (*_NODE, "component", "guarded", "person_id", "person_seq", "person_ts", "founded", "since")
_CHANGE = ("node", "person_id", "valid_from", "change", "reason", "batch_seq")
_FOUNDED = "array<struct<person_id:string,person_seq:bigint>>"


def replay_batches(
    identifiers: DataFrame, pairs: DataFrame, batches: Sequence[Batch], settings: IdentitySettings
) -> Resolved:
    """Persons of all identifiers after the last of `batches`, and every change on the way.

    In: `identifiers` (`list_identifiers`) and `pairs` (`pair_identifiers`) of these batches, persisted. Out:

    - members, one identifier: `node`, `type`, `value`, `rank`, `batch_seq`, `arrival_ts`; `component` (the group it
      was ever connected to) and `guarded` (a limit binds in it); `person_id`, `person_seq`, `person_ts` and `since`;
      `founded`, the ids minted from it;
    - changes, one identifier over one period: `node`, `person_id`, `valid_from`, `valid_to`, `change`, `reason`,
      `batch_seq`;
    - edges (`total_pairs`) and hubs (`node`, `hub_reason`).

    An identifier's first period begins with its first event in the batch that brought it; a later one when the
    batch that moved it ends, which is the newest event time known by then.
    """
    nodes = identifiers.select(*_NODE)
    edges = pairs.withColumnRenamed("batch_seq", "first_batch_seq") if len(batches) == 1 else total_pairs(pairs)
    edges = edges.localCheckpoint()
    hubs = find_hubs(edges, settings).localCheckpoint()
    if len(batches) == 1:
        clustered = _cluster(nodes, edges if hubs.isEmpty() else _sparing(edges, hubs), settings)
        members = _found(clustered).localCheckpoint()
        return Resolved(members, _first_periods(members), edges, hubs)
    dated = date_hubs(hubs, edges, settings).localCheckpoint()
    grouped = _group(nodes, _until_hub(edges, dated), dated, settings).localCheckpoint()
    quiet = _found(grouped.where("NOT busy").withColumn("cluster", F.col("component")))
    busy = grouped.where("busy")
    lived, changes = _live_through(busy, pairs, dated, batches, settings)
    members = quiet.unionByName(lived).localCheckpoint()
    first = _first_periods(members.join(busy.select("node"), "node", "left_anti"))
    return Resolved(members, first.unionByName(changes), edges, hubs)


def _cluster(nodes: DataFrame, usable: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Nodes with `component`, `cluster` and `guarded`; one without edges is its own."""
    clusters = cluster_identifiers(nodes, usable, settings)
    return nodes.join(clusters, "node", "left").select(
        *_NODE,
        F.coalesce("component", "node").alias("component"),
        F.coalesce("cluster", "node").alias("cluster"),
        F.coalesce("guarded", F.lit(False)).alias("guarded"),
    )


def _sparing(edges: DataFrame, hubs: DataFrame) -> DataFrame:
    """Edges that do not touch a hub."""
    for side in ("left_node", "right_node"):
        edges = edges.join(hubs.select(F.col("node").alias(side)), side, "left_anti")
    return edges.localCheckpoint()


def _until_hub(edges: DataFrame, dated: DataFrame) -> DataFrame:
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


def _group(nodes: DataFrame, edges: DataFrame, dated: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Nodes with the group that they were ever connected to, `guarded`, and whether it is `busy`.

    An identifier that came together with an older one, in a batch that is also the edge's first, joined that one's
    person at once. A group in which all but one did so has always been one person.
    """
    labels = label_components(edges, settings.one_task_edges)
    arrival = F.struct("batch_seq", "arrival_ts", "rank", "node")
    ends = edges.select("left_node", "right_node", "first_batch_seq")
    for side in ("left", "right"):
        ends = ends.join(nodes.select(F.col("node").alias(f"{side}_node"), arrival.alias(side)), f"{side}_node")
    joiners = (
        ends.withColumn("younger", F.greatest("left", "right"))
        .where("younger.batch_seq = first_batch_seq")
        .select(F.col("younger.node").alias("node"), F.lit(True).alias("joined"))
        .distinct()
    )
    grouped = (
        nodes.join(labels, "node", "left")
        .withColumn("component", F.coalesce("component", "node"))
        .join(joiners, "node", "left")
        .join(dated.select("node", F.lit(True).alias("hub")), "node", "left")
        .localCheckpoint()
    )
    limits = Limits.of(settings)
    groups = grouped.groupBy("component").agg(
        *limits.counts(), F.count_if(F.col("joined").isNull()).alias("founders"), F.count("hub").alias("hubs")
    )
    busy = limits.broken() | (F.col("founders") > 1) | ((F.col("hubs") > 0) & (F.col("size") > 1))
    return grouped.join(
        groups.select("component", limits.broken().alias("guarded"), busy.alias("busy")), "component"
    ).select(*_NODE, "component", "guarded", "busy")


def _found(clustered: DataFrame) -> DataFrame:
    """Members of persons that were founded when their first identifier came."""
    founded = F.when(F.col("node") == F.col("founder"), F.array(F.struct("person_id", "person_seq")))
    return clustered.join(found_persons(clustered), "cluster").select(
        *_NODE,
        "component",
        "guarded",
        "person_id",
        "person_seq",
        "person_ts",
        founded.cast(_FOUNDED).alias("founded"),
        F.col("arrival_ts").alias("since"),
    )


def _first_periods(members: DataFrame) -> DataFrame:
    return members.select(
        "node",
        "person_id",
        F.col("since").alias("valid_from"),
        F.lit(None).cast("timestamp").alias("valid_to"),
        F.lit("new").alias("change"),
        F.lit("first seen").alias("reason"),
        "batch_seq",
    )


def _live_through(
    nodes: DataFrame, pairs: DataFrame, dated: DataFrame, batches: Sequence[Batch], settings: IdentitySettings
) -> tuple[DataFrame, DataFrame]:
    """Members and changes of busy groups, batch after batch."""
    spark = nodes.sparkSession
    pairs = (
        _until_hub(pairs.withColumn("first_batch_seq", F.col("batch_seq")), dated)
        .drop("first_batch_seq")
        .join(nodes.select(F.col("node").alias("left_node"), "component"), "left_node")
        .localCheckpoint()
    )
    persons = spark.createDataFrame(
        [],
        f"node bigint, person_id string, person_seq bigint, person_ts timestamp, founded {_FOUNDED}, since timestamp",
    )
    # A group is touched by a new identifier, by new sightings of a pair, and when one of its values becomes a hub.
    stirs = (
        pairs.select("component", "batch_seq")
        .union(nodes.select("component", "batch_seq"))
        .union(dated.join(nodes, "node").select("component", "hub_seq"))
        .distinct()
        .localCheckpoint()
    )
    changes: list[DataFrame] = []
    for batch in batches:
        touched = stirs.where(F.col("batch_seq") == batch.seq)
        known = nodes.where(F.col("batch_seq") <= batch.seq).join(touched, "component", "left_semi").localCheckpoint()
        usable = F.col("hub_seq").isNull() | (F.col("hub_seq") > batch.seq)
        now = pairs.where((F.col("batch_seq") <= batch.seq) & usable).join(touched, "component", "left_semi")
        clustered = _cluster(known.drop("component", "guarded", "busy"), total_pairs(now).localCheckpoint(), settings)
        before = clustered.join(persons, "node", "left").localCheckpoint()
        after = _succeed(before, batch).localCheckpoint()
        persons = persons.join(after, "node", "left_anti").unionByName(after.select(*persons.columns)).localCheckpoint()
        changes.append(after.where("change IS NOT NULL").select(*_CHANGE))
    members = nodes.join(persons, "node").select(*_MEMBER)
    until = F.lead("valid_from").over(Window.partitionBy("node").orderBy("valid_from")).alias("valid_to")
    return members, reduce(DataFrame.unionByName, changes).select("*", until)


def _succeed(before: DataFrame, batch: Batch) -> DataFrame:
    """One batch: each member with its person after it, and the change where there is one."""
    named = succeed_persons(before, batch.seq).localCheckpoint()
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
    reasons = {"new": "first seen", "merge": "linked to an older person", "split": "its tie to the person was cut"}
    reason = F.element_at(F.create_map(*(F.lit(part) for pair in reasons.items() for part in pair)), F.col("change"))
    later = F.greatest(F.lit(batch.clock), F.timestamp_micros(F.unix_micros("old_since") + 1))
    valid_from = F.when(F.col("old_id").isNull(), F.col("arrival_ts")).when(moved, later)
    minted = F.array(F.struct("person_id", "person_seq"))
    founded = F.when(
        F.col("node") == F.col("founder"), F.concat(F.coalesce("founded", F.array().cast(_FOUNDED)), minted)
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
