"""Living through batches: who is who after each of them, whatever number of them is looked at together.

Ids depend on the past (who was whose before), so every batch counts. But in most groups nothing ever happens that
the order of batches could change: all identifiers joined, when they came, the one person that was there, and no
limit binds. Such a group is quiet, and is named in one step for all batches. Only the others are lived through batch
by batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from operator import attrgetter

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.identity.components import label_components
from segmentation.identity.guards import Limits
from segmentation.identity.live import FOUNDED, NODE, cluster_all, find_stirs, live_through, until_hub
from segmentation.identity.observations import between, total_pairs
from segmentation.identity.one_task import Hub, replay_small
from segmentation.identity.overrides import Step
from segmentation.identity.persons import REASONS, found_persons
from segmentation.identity.quarantine import date_hubs, find_hubs
from segmentation.identity.surplus import find_surplus


@dataclass(frozen=True)
class Resolved:
    """What a replay found; see `replay_batches`."""

    members: DataFrame
    changes: DataFrame
    edges: DataFrame
    hubs: DataFrame


_COST_OF_REPLAY = 10
"""To replay an edge in one task costs about as much as to label so many."""


def replay_batches(
    identifiers: DataFrame, pairs: DataFrame, steps: Sequence[Step], settings: IdentitySettings
) -> Resolved:
    """Persons of all identifiers after the last of `steps`, and every change on the way.

    In: `identifiers` (`list_identifiers`) and `pairs` (`pair_identifiers`) of the steps' batches, persisted. Out:

    - members, one identifier: `node`, `type`, `value`, `rank`, `batch_seq`, `arrival_ts`; `component` (the group it
      was ever connected to) and `guarded` (a limit binds in it); `person_id`, `person_seq`, `person_ts` and `since`;
      `founded`, the ids minted from it;
    - changes, one identifier over one period: `node`, `person_id`, `valid_from`, `valid_to`, `change`, `reason`,
      `batch_seq`;
    - edges (`total_pairs`) and hubs (`node`, `hub_reason`).

    An identifier's first period begins with its first event in the batch that brought it; a later one when the
    batch that moved it ends, which is the newest event time known by then.
    """
    nodes = identifiers.select(*NODE)
    edges = _total(pairs, steps)
    if sum(step.batch.rows for step in steps if not step.is_decision) <= _small(settings):
        members, changes, hubs = _replay_in_one_task(nodes, pairs, steps, settings)
        return Resolved(members, changes, edges, hubs)
    edges = edges.localCheckpoint()
    seen = edges.where("observations > 0")
    hubs = find_hubs(seen, settings).localCheckpoint()
    if len(steps) == 1:
        clustered = cluster_all(nodes, edges if hubs.isEmpty() else _sparing(edges, hubs), settings)
        members = _found(clustered).localCheckpoint()
        return Resolved(members, _first_periods(members), edges, hubs)
    dated = date_hubs(hubs, seen, settings).localCheckpoint()
    members, changes = _replay_groups(nodes, pairs, edges, dated, steps, settings)
    return Resolved(members, changes, edges, hubs)


def replay_touched(
    identifiers: DataFrame, pairs: DataFrame, steps: Sequence[Step], settings: IdentitySettings
) -> Resolved:
    """What `replay_batches` finds of the identifiers of some groups, of which none is left out.

    In: as there, of these identifiers; of pairs all that have an end among them. Where the other end is not, the pair
    has never joined anything, since one of the two was nobody's when they were first seen together; but it counts
    among those that the one here was seen with. Out: as there, hubs among these identifiers only.
    """
    nodes = identifiers.select(*NODE)
    edges = _total(pairs, steps).localCheckpoint()
    seen = edges.where("observations > 0")
    hubs = find_hubs(seen, settings).join(nodes.select("node"), "node", "left_semi").localCheckpoint()
    dated = date_hubs(hubs, seen, settings).localCheckpoint()
    inside = between(pairs, nodes).localCheckpoint()
    if nodes.count() + inside.count() <= _small(settings):
        members, changes, _ = _replay_in_one_task(nodes, inside, steps, settings, dated)
    else:
        members, changes = _replay_groups(nodes, inside, between(edges, nodes), dated, steps, settings)
    return Resolved(members, changes, edges, hubs)


def _small(settings: IdentitySettings) -> int:
    """How many identifiers and pairs, in all batches, one task replays."""
    return settings.one_task_edges // _COST_OF_REPLAY


def _total(pairs: DataFrame, steps: Sequence[Step]) -> DataFrame:
    return total_pairs(pairs, [step.batch.source for step in steps if not step.is_decision])


def _replay_groups(
    nodes: DataFrame,
    pairs: DataFrame,
    edges: DataFrame,
    dated: DataFrame,
    steps: Sequence[Step],
    settings: IdentitySettings,
) -> tuple[DataFrame, DataFrame]:
    """Members and changes: quiet groups at once, busy ones batch by batch."""
    grouped = _group(nodes, until_hub(edges, dated), dated, steps, settings).localCheckpoint()
    quiet = _found(grouped.where("NOT busy").withColumn("cluster", F.col("component")))
    busy = grouped.where("busy")
    own = busy.select(F.col("node").alias("left_node"), "component")
    open_pairs = until_hub(pairs.withColumn("first_batch_seq", F.col("batch_seq")), dated).join(own, "left_node")
    open_pairs = open_pairs.localCheckpoint()
    stirs = find_stirs(busy, open_pairs, dated, steps).localCheckpoint()
    often = _most_stirred(busy, open_pairs, stirs, _small(settings)).localCheckpoint()
    few, few_pairs = (frame.join(often, "component", "left_semi") for frame in (busy, open_pairs))
    lived, changes, _ = _replay_in_one_task(few.select(*NODE), few_pairs, steps, settings, dated)
    rest, rest_pairs, rest_stirs = (
        frame.join(often, "component", "left_anti").localCheckpoint() for frame in (busy, open_pairs, stirs)
    )
    members, told = quiet.unionByName(lived), _first_periods(quiet).unionByName(changes)
    if not rest.isEmpty():
        more, changes = live_through(rest, rest_pairs, rest_stirs, steps, settings)
        members, told = members.unionByName(more), told.unionByName(changes)
    return members.localCheckpoint(), told


def _most_stirred(nodes: DataFrame, pairs: DataFrame, stirs: DataFrame, small: int) -> DataFrame:
    """The groups (`component`) that most often have to be looked at anew, as many as are small together: in Spark each
    of them would make rounds in which there is next to nothing else to do."""
    rows = (
        nodes.select("component")
        .unionAll(pairs.select("component"))
        .groupBy("component")
        .agg(F.count("*").alias("rows"))
    )
    groups = stirs.groupBy("component").agg(F.count("*").alias("steps")).join(rows, "component").localCheckpoint()
    sizes = groups.groupBy("steps").agg(F.sum("rows").alias("rows")).orderBy(F.desc("steps")).collect()
    together = accumulate(row["rows"] for row in sizes)
    least = min((row["steps"] for row, rows in zip(sizes, together, strict=True) if rows <= small), default=None)
    return groups.where(F.lit(False) if least is None else F.col("steps") >= least).select("component")


def _replay_in_one_task(
    nodes: DataFrame,
    pairs: DataFrame,
    steps: Sequence[Step],
    settings: IdentitySettings,
    dated: DataFrame | None = None,
) -> tuple[DataFrame, DataFrame, DataFrame]:
    """Members, changes and hubs of a graph that is certainly small."""
    columns = (
        *("left_node", "left_type", "right_node", "right_type", "batch_seq", "observations", "last_seen"),
        "probability",
    )
    known = None
    if dated is not None:
        here = dated.join(nodes.select("node"), "node", "left_semi").collect()
        known = {row["node"]: Hub(row["hub_seq"], row["hub_reason"]) for row in here}
    tables = replay_small(nodes.toArrow(), pairs.select(*columns).toArrow(), steps, settings, known)
    members, changes, hubs = (nodes.sparkSession.createDataFrame(table) for table in tables)
    return members, changes, hubs


def _sparing(edges: DataFrame, hubs: DataFrame) -> DataFrame:
    """Edges that do not touch a hub."""
    for side in ("left_node", "right_node"):
        edges = edges.join(hubs.select(F.col("node").alias(side)), side, "left_anti")
    return edges.localCheckpoint()


def _group(
    nodes: DataFrame, edges: DataFrame, dated: DataFrame, steps: Sequence[Step], settings: IdentitySettings
) -> DataFrame:
    """Nodes with the group that they were ever connected to, `guarded`, and whether it is `busy`.

    An identifier that came together with an older one, in a batch that is also the edge's first, joined that one's
    person at once. A group in which all but one did so has always been one person, unless an override named it.
    """
    tied = reduce(lambda found, step: step.manual.tied(found), filter(attrgetter("is_decision"), steps), edges)
    labels = label_components(tied, settings.one_task_edges)
    named = {(node, True) for step in steps for node in step.manual.nodes}
    marks = F.broadcast(nodes.sparkSession.createDataFrame(list(named), "node long, named boolean"))
    surplus = find_surplus(edges, settings)
    bound = nodes.limit(0) if surplus is None else surplus.withColumnRenamed("left_node", "node")
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
        .join(marks, "node", "left")
        .join(bound.select("node", F.lit(True).alias("surplus")).distinct(), "node", "left")
        .localCheckpoint()
    )
    limits = Limits.of(settings)
    groups = grouped.groupBy("component").agg(
        *limits.counts(),
        F.count_if(F.col("joined").isNull()).alias("founders"),
        F.count("hub").alias("hubs"),
        F.count("named").alias("named"),
        F.count("surplus").alias("surplus"),
    )
    guarded = limits.broken() | (F.col("named") > 0) | (F.col("surplus") > 0)
    busy = guarded | (F.col("founders") > 1) | ((F.col("hubs") > 0) & (F.col("size") > 1))
    return grouped.join(groups.select("component", guarded.alias("guarded"), busy.alias("busy")), "component").select(
        *NODE, "component", "guarded", "busy"
    )


def _found(clustered: DataFrame) -> DataFrame:
    """Members of persons that were founded when their first identifier came."""
    founded = F.when(F.col("node") == F.col("founder"), F.array(F.struct("person_id", "person_seq", "person_ts")))
    return clustered.join(found_persons(clustered), "cluster").select(
        *NODE,
        "component",
        "guarded",
        "person_id",
        "person_seq",
        "person_ts",
        founded.cast(FOUNDED).alias("founded"),
        F.col("arrival_ts").alias("since"),
    )


def _first_periods(members: DataFrame) -> DataFrame:
    return members.select(
        "node",
        "person_id",
        F.col("since").alias("valid_from"),
        F.lit(None).cast("timestamp").alias("valid_to"),
        F.lit("new").alias("change"),
        F.lit(REASONS["new"]).alias("reason"),
        "batch_seq",
    )
