"""Living through batches one after the other, in Spark.

Every group goes at its own pace: a round takes each group to the next step at which anything of it changes. So there
are as many rounds as the group with the most such steps has, and not as many as there were batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.identity.guards import cluster_identifiers
from segmentation.identity.observations import total_pairs
from segmentation.identity.overrides import DECIDED_REASONS, NO_OVERRIDES, Manual, Step
from segmentation.identity.persons import REASONS, succeed_persons
from segmentation.identity.rounds import end_round

NODE = ("node", "type", "value", "rank", "batch_seq", "arrival_ts", "initials")
_MEMBER = (*NODE, "component", "guarded", "person_id", "person_seq", "person_ts", "founded", "since")
_CHANGE = ("node", "person_id", "valid_from", "change", "reason", "batch_seq")
FOUNDED = "array<struct<person_id:string,person_seq:bigint,person_ts:timestamp>>"
_STEP = "step int, era int, batch_seq long, clock timestamp, decided_ts timestamp"


def find_stirs(nodes: DataFrame, pairs: DataFrame, dated: DataFrame, steps: Sequence[Step]) -> DataFrame:
    """The steps that can change who is who in a group.

    In: nodes with their `component` and whether it is `guarded`, pairs with their `component`, `date_hubs`. Out: one
    group at one of `steps`: `component`; `step`, its number; `era`, how many decisions were made until then; `turn`,
    which step of the group in this era it is, from 1; `seq`, the batch; `clock` and `decided_ts` of the step.

    A group is stirred by a new identifier, by a new pair, when one of its values becomes a hub, and, if an override
    names it, by each decision; where a limit binds, also by new sightings of a pair, which make it stronger.
    """
    bound = nodes.where("guarded").select("component").distinct()
    batches = (
        pairs.groupBy("component", "left_node", "right_node")
        .agg(F.min("batch_seq").alias("batch_seq"))
        .select("component", "batch_seq")
        .union(pairs.join(bound, "component", "left_semi").select("component", "batch_seq"))
        .union(nodes.select("component", "batch_seq"))
        .union(dated.join(nodes, "node").select("component", "hub_seq"))
        .distinct()
    )
    rows, era = [], 0
    for number, step in enumerate(steps):
        era += step.is_decision
        rows.append((number, era, step.batch.seq, step.batch.clock, step.decided_ts))
    known = F.broadcast(nodes.sparkSession.createDataFrame(rows, _STEP).withColumnRenamed("batch_seq", "seq"))
    taken = batches.join(known.where("decided_ts IS NULL"), F.col("batch_seq") == F.col("seq")).drop("batch_seq")
    named = _components_of({node for step in steps for node in step.manual.nodes}, nodes)
    decided = named.crossJoin(known.where("decided_ts IS NOT NULL"))
    turn = F.row_number().over(Window.partitionBy("component", "era").orderBy("step"))
    return taken.unionByName(decided).withColumn("turn", turn)


def live_through(
    nodes: DataFrame, pairs: DataFrame, stirs: DataFrame, steps: Sequence[Step], settings: IdentitySettings
) -> tuple[DataFrame, DataFrame]:
    """Members and changes (see `replay_batches`) of the groups of `nodes`.

    `pairs` are in these groups, with their `component`, `batch_seq`, and `hub_seq`, since when an end is a hub; `stirs`
    (`find_stirs`) are theirs, persisted.
    """
    persons = nodes.sparkSession.createDataFrame(
        [],
        f"node bigint, person_id string, person_seq bigint, person_ts timestamp, founded {FOUNDED}, since timestamp",
    )
    sources = [step.batch.source for step in steps]
    eras = [NO_OVERRIDES, *(step.manual for step in steps if step.is_decision)]
    rounds = {row["era"]: row["turns"] for row in stirs.groupBy("era").agg(F.max("turn").alias("turns")).collect()}
    changes: list[DataFrame] = []
    for era, manual in enumerate(eras):
        for turn in range(1, rounds.get(era, 0) + 1):
            now = stirs.where((F.col("era") == era) & (F.col("turn") == turn)).localCheckpoint()
            known = nodes.join(now, "component").where("batch_seq <= seq").localCheckpoint()
            usable = F.col("hub_seq").isNull() | (F.col("hub_seq") > F.col("seq"))
            seen = pairs.join(now.select("component", "seq"), "component").where(
                (F.col("batch_seq") <= F.col("seq")) & usable
            )
            clustered = cluster_all(known.select(*NODE), total_pairs(seen, sources).localCheckpoint(), settings, manual)
            step = known.select("node", "seq", "clock", "decided_ts")
            before = clustered.join(step, "node").join(persons, "node", "left").localCheckpoint()
            after = end_round(_succeed(before))
            rest = persons.join(after, "node", "left_anti")
            persons = rest.unionByName(after.select(*persons.columns)).localCheckpoint()
            changes.append(after.where("change IS NOT NULL").select(*_CHANGE))
    members = nodes.join(persons, "node").select(*_MEMBER)
    until = F.lead("valid_from").over(Window.partitionBy("node").orderBy("valid_from")).alias("valid_to")
    return members, reduce(DataFrame.unionByName, changes).select("*", until)


def _components_of(named: set[int], nodes: DataFrame) -> DataFrame:
    """The groups that an override ever named a node of."""
    rows = nodes.sparkSession.createDataFrame([(node,) for node in named], "node long")
    return nodes.join(F.broadcast(rows), "node").select("component").distinct()


def _succeed(before: DataFrame) -> DataFrame:
    """One step of each group: each member with its person after it, and the change where there is one."""
    named = succeed_persons(before).localCheckpoint()
    alive = named.select(F.col("person_id").alias("old_id"), F.lit(True).alias("alive"))
    old = before.select(
        "node",
        "cluster",
        "arrival_ts",
        "founded",
        "seq",
        "clock",
        "decided_ts",
        F.col("person_id").alias("old_id"),
        F.col("since").alias("old_since"),
    )
    moved = (F.col("old_id") != F.col("person_id")) | F.col("old_id").isNull()
    change: Column = F.when(F.col("old_id").isNull(), "new").when(F.col("alive"), "split").otherwise("merge")
    later = F.greatest("clock", F.timestamp_micros(F.unix_micros("old_since") + 1))
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
            F.col("seq").alias("batch_seq"),
            F.when(F.col("decided_ts").isNull(), _in_words(REASONS, change))
            .otherwise(_in_words(DECIDED_REASONS, change))
            .alias("reason"),
        )
    )


def _in_words(reasons: Mapping[str, str], change: Column) -> Column:
    return F.element_at(F.create_map(*(F.lit(part) for pair in reasons.items() for part in pair)), change)


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
