"""No person breaks a limit: groups of identifiers that do are cut at their weakest edges.

The rule is that of Kruskal's spanning forest with limits. Edges are taken from the strongest to the weakest; each
joins the two clusters that it touches, unless the joint cluster would break a limit: then it is cut. Clusters only
grow, so what was once refused stays refused, and the order decides everything: it is total, and depends on nothing
but the edges themselves.

In Spark the same is done in rounds. An edge that is the strongest still open one of both of its clusters can be
decided at once, since nothing that comes before it in the order can still change these two. All such edges are
decided together; what remains is a smaller graph. Once that is certainly small, one task takes the edges in order.
Both ways give the same clusters, and so does any mixture of them. Edges that are too many for a value (`surplus`) are
left out before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.table import check_columns
from segmentation.identity.components import label_components
from segmentation.identity.overrides import NO_OVERRIDES, Manual
from segmentation.identity.rounds import end_round
from segmentation.identity.strength import STRENGTH, order_edges
from segmentation.identity.surplus import find_surplus

_DAY = 86_400_000_000
"""In microseconds."""


@dataclass(frozen=True)
class Limits:
    """What a person may hold: `kinds` is identifier type -> most values of it, `size` the most identifiers in all,
    `windows` identifier type -> most values of it that came within how many days."""

    kinds: dict[str, int]
    size: int
    windows: dict[str, tuple[int, int]] = field(default_factory=dict)
    parted: bool = False
    """Whether overrides keep nodes apart: then they have a column `apart`, with the names of those overrides."""
    named: bool = False
    """Whether records are told apart by name: then nodes have a column `initials`, null for all others. A person has
    the initials of one name."""

    @classmethod
    def of(cls, settings: IdentitySettings, manual: Manual = NO_OVERRIDES) -> Limits:
        return cls(
            settings.limits,
            settings.max_component_size,
            settings.windows,
            bool(manual.apart),
            bool(settings.told_apart),
        )

    @property
    def looks_at(self) -> tuple[str, ...]:
        """The columns of nodes that limits look at, beside what overrides say of them."""
        return ("type", *(["arrival_ts"] if self.windows else []), *(["initials"] if self.named else []))

    def counts(self) -> list[Column]:
        """Aggregates over `looks_at` (and `apart`) of a group's nodes: what the limits count."""
        return [
            F.count("*").alias("size"),
            *(F.count_if(F.col("type") == kind).alias(f"n_{kind}") for kind in self.kinds),
            *(
                F.sort_array(F.collect_list(F.when(F.col("type") == kind, F.unix_micros("arrival_ts")))).alias(name)
                for kind, name in self.times.items()
            ),
            *([F.flatten(F.collect_list("apart")).alias("apart")] if self.parted else []),
            *([F.max("initials").alias("initials"), F.min("initials").alias("others")] if self.named else []),
        ]

    @property
    def columns(self) -> list[tuple[str, int]]:
        """Count column -> limit."""
        return [("size", self.size), *((f"n_{kind}", most) for kind, most in self.kinds.items())]

    @property
    def times(self) -> dict[str, str]:
        """Identifier type that is limited by days -> column with when its values came, microseconds, sorted."""
        return {kind: f"t_{kind}" for kind in self.windows}

    def broken(self) -> Column:
        """Whether the counts of one group break a limit."""
        several = [F.col("others") != F.col("initials")] if self.named else []
        crowded = [_crowded(F.col(name), *self.windows[kind]) for kind, name in self.times.items()]
        return F.greatest(*(F.col(name) > most for name, most in self.columns), *crowded, *several, F.lit(False))

    def exceed(self, left: str, right: str, column: str) -> Column:
        """Whether two groups, with counts under these prefixes, together break the limit on `column`.

        A group may break it by itself, where an override forced it together: what adds nothing may still join it.
        """
        both = (F.col(left + column) > 0) & (F.col(right + column) > 0)
        return both & (F.col(left + column) + F.col(right + column) > dict(self.columns)[column])

    def crowd(self, left: str, right: str, kind: str) -> Column:
        """Whether two groups, with counts under these prefixes, together have too many values of a type that came
        within its days."""
        name = self.times[kind]
        one, other = F.col(left + name), F.col(right + name)
        both = (F.size(one) > 0) & (F.size(other) > 0)
        return both & _crowded(F.sort_array(F.concat(one, other)), *self.windows[kind])

    def forbid(self, left: str, right: str) -> Column:
        """Whether two groups, with counts under these prefixes, must not be one."""
        parted = [F.arrays_overlap(f"{left}apart", f"{right}apart")] if self.parted else []
        others = [self.have_other_names(left, right)] if self.named else []
        crowded = [self.crowd(left, right, kind) for kind in self.windows]
        exceeded = [self.exceed(left, right, name) for name, _ in self.columns]
        return F.greatest(*exceeded, *crowded, *parted, *others, F.lit(False))

    def have_other_names(self, left: str, right: str) -> Column:
        """Whether two groups have records with the names of two people; null where one has none."""
        return F.col(f"{left}initials") != F.col(f"{right}initials")


def cluster_identifiers(
    nodes: DataFrame, edges: DataFrame, settings: IdentitySettings, manual: Manual = NO_OVERRIDES
) -> DataFrame:
    """Who belongs together: connected components, and within those that break a limit, the guarded clusters.

    What `manual` forces together is joined before any edge is looked at; what it keeps apart is never joined.

    In: `nodes` (`node` and what `Limits` looks at: `type`, `arrival_ts`, `initials`), one row an identifier, and
    `edges` without those of hubs (`left_node`, `left_type`, `right_node`, `right_type`, `observations`, `last_seen`,
    `probability`, `first_batch_seq`), one row a pair; both are read several times: persist them. Out: one node that
    has an edge: `node`, `component` (connected at all), `cluster` (one person), both LONG without a meaning, and
    `guarded`: whether its component broke a limit, or an override names one of its nodes.
    """
    check_columns(nodes, ("node", "type"), "the nodes of the graph")
    limits = Limits.of(settings)
    edges = manual.usable(edges)
    labelled = label_components(manual.tied(edges), settings.one_task_edges)
    members = nodes.select("node", *limits.looks_at).join(labelled, "node").localCheckpoint()
    broken = members.groupBy("component").agg(*limits.counts()).where(limits.broken()).select("component")
    surplus = find_surplus(edges, settings)
    if surplus is not None:
        surplus = surplus.localCheckpoint()
        cut = surplus.select(F.col("left_node").alias("node"))
        broken = broken.union(members.join(cut, "node").select("component")).distinct()
    if manual:
        broken = broken.union(members.join(manual.marks(members.sparkSession), "node").select("component")).distinct()
    broken = broken.localCheckpoint()
    if broken.isEmpty():
        return members.select("node", "component", F.col("component").alias("cluster"), F.lit(False).alias("guarded"))
    suspects = members.join(broken, "component", "left_semi").select("node", *limits.looks_at)
    inside = edges.join(suspects.select(F.col("node").alias("left_node")), "left_node", "left_semi")
    if surplus is not None:
        inside = inside.join(surplus, ["left_node", "right_node"], "left_anti")
    clusters = apply_limits(suspects, order_edges(inside, settings), settings, manual)
    return members.join(clusters, "node", "left").select(
        "node",
        "component",
        F.coalesce("cluster", "component").alias("cluster"),
        F.col("cluster").isNotNull().alias("guarded"),
    )


def apply_limits(
    nodes: DataFrame, edges: DataFrame, settings: IdentitySettings, manual: Manual = NO_OVERRIDES
) -> DataFrame:
    """Clusters within the limits.

    In: `nodes` (as `cluster_identifiers`) and `edges` between them (`order_edges`). Out: one node with its `cluster`, a
    LONG without a meaning but the same for the same graph. Rounds go on until no more than `one_task_edges` are open.
    """
    limits = Limits.of(settings, manual)
    state = nodes.select("node", F.col("node").alias("cluster"), *limits.looks_at)
    strength = F.struct(*STRENGTH)
    open_edges = edges.select(
        F.col("left_node").alias("left"), F.col("right_node").alias("right"), strength.alias("strength")
    )
    if manual:
        state, open_edges = _start_from(manual, state, open_edges)
    state, open_edges = state.localCheckpoint(), open_edges.localCheckpoint()
    while (open_count := open_edges.count()) > settings.one_task_edges:
        state, open_edges = _decide_round(state, open_edges, limits)
    if not open_count:
        return state.select("node", "cluster")
    counts = state.groupBy("cluster").agg(*limits.counts())
    merged = _take_in_order(counts, open_edges, limits)
    return state.join(merged, "cluster", "left").select("node", F.coalesce("into", "cluster").alias("cluster"))


def _start_from(manual: Manual, state: DataFrame, open_edges: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Clusters as overrides force them together, and the edges between these."""
    marks = manual.marks(state.sparkSession)
    state = state.join(marks, "node", "left").withColumn("cluster", F.coalesce("start", "cluster")).drop("start")
    for side in ("left", "right"):
        start = marks.select(F.col("node").alias(side), "start")
        open_edges = open_edges.join(start, side, "left").withColumn(side, F.coalesce("start", side)).drop("start")
    return state, open_edges.where("left != right")


def _decide_round(state: DataFrame, open_edges: DataFrame, limits: Limits) -> tuple[DataFrame, DataFrame]:
    """One round: decides every edge that is the strongest open one of both its clusters."""
    ends = open_edges.select(F.explode(F.array("left", "right")).alias("cluster"), "strength")
    best = ends.groupBy("cluster").agg(F.min("strength").alias("strength"))
    mutual = (
        open_edges.join(best.select(F.col("cluster").alias("left"), F.col("strength").alias("best_left")), "left")
        .join(best.select(F.col("cluster").alias("right"), F.col("strength").alias("best_right")), "right")
        .where("strength = best_left AND strength = best_right")
        .select("left", "right")
    )
    counts = state.groupBy("cluster").agg(*limits.counts())
    decided = (
        mutual.join(_prefixed(counts, "left"), "left")
        .join(_prefixed(counts, "right"), "right")
        .select("left", "right", (~limits.forbid("left_", "right_")).alias("joined"))
        .localCheckpoint()
    )
    joined = decided.where("joined").select(
        F.greatest("left", "right").alias("old"), F.least("left", "right").alias("new")
    )
    refused = decided.where("NOT joined").select(
        F.least("left", "right").alias("low"), F.greatest("left", "right").alias("high")
    )
    state = end_round(
        state.join(joined, F.col("cluster") == F.col("old"), "left")
        .withColumn("cluster", F.coalesce("new", "cluster"))
        .drop("old", "new")
    )
    moved = (
        open_edges.join(joined.select(F.col("old").alias("left"), F.col("new").alias("new_left")), "left", "left")
        .join(joined.select(F.col("old").alias("right"), F.col("new").alias("new_right")), "right", "left")
        # Refused pairs are clusters as they were; neither of the two was joined to anything in this round.
        .select(
            F.coalesce("new_left", "left").alias("left"), F.coalesce("new_right", "right").alias("right"), "strength"
        )
        .where("left != right")
        .join(
            refused,
            (F.least("left", "right") == F.col("low")) & (F.greatest("left", "right") == F.col("high")),
            "left_anti",
        )
    )
    # Of the open edges between two clusters only the strongest can still matter.
    strongest = moved.groupBy(F.least("left", "right").alias("left"), F.greatest("left", "right").alias("right")).agg(
        F.min("strength").alias("strength")
    )
    return state, end_round(strongest)


def _take_in_order(counts: DataFrame, open_edges: DataFrame, limits: Limits) -> DataFrame:
    """The remaining edges, one after the other, in the driver: cluster -> the cluster that it became part of."""
    edges = open_edges.select("left", "right", "strength.*").toArrow()
    ends = open_edges.select(F.explode(F.array("left", "right")).alias("cluster"))
    touched = counts.join(ends, "cluster", "left_semi").toArrow()
    keys = np.argsort(touched["cluster"].to_numpy())
    names = touched["cluster"].to_numpy()[keys]
    order = np.lexsort([edges[column].to_numpy() for column in reversed(STRENGTH)])
    left = np.searchsorted(names, edges["left"].to_numpy()[order])
    right = np.searchsorted(names, edges["right"].to_numpy()[order])
    held = [touched[column].to_numpy()[keys].tolist() for column, _ in limits.columns]
    apart = [set(texts or ()) for texts in touched["apart"].to_pylist()] if limits.parted else None
    if apart is not None:
        apart = [apart[key] for key in keys]
    initials = touched["initials"].take(pa.array(keys)).to_pylist() if limits.named else None
    came = [touched[name].take(pa.array(keys)).to_pylist() for name in limits.times.values()]
    most = [most for _, most in limits.columns]
    windows = [*limits.windows.values()]
    parents = union_within_limits(left.tolist(), right.tolist(), held, most, apart, initials, came, windows)
    into = names[np.array(parents)]
    found = pa.table({"cluster": pa.array(names, pa.int64()), "into": pa.array(into, pa.int64())})
    return open_edges.sparkSession.createDataFrame(found)


def union_within_limits(
    left: list[int],
    right: list[int],
    held: list[list[int]],
    most: list[int],
    apart: list[set[str]] | None = None,
    initials: list[str | None] | None = None,
    came: Sequence[list[list[int]]] = (),
    windows: Sequence[tuple[int, int]] = (),
) -> list[int]:
    """Union-find over edges in the order given, refusing those that would break a limit.

    `held[l][i]` is what node i counts against limit l, `most[l]` that limit; what counts 0 breaks none. `apart[i]` are
    overrides: nodes that share one are never joined; nor are those that have other `initials`. `came[w][i]` says when
    came what node i counts against `windows[w]` (most, days): microseconds, sorted. Returns the root of each node: the
    smallest of its cluster. `held`, `apart`, `initials` and `came` are used up.
    """
    parent = list(range(len(held[0])))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in zip(left, right, strict=True):
        low, high = sorted((root(a), root(b)))
        if low == high or (apart is not None and not apart[low].isdisjoint(apart[high])):
            continue
        if initials is not None and initials[low] and initials[high] and initials[low] != initials[high]:
            continue
        if any(c[low] and c[high] and c[low] + c[high] > limit for c, limit in zip(held, most, strict=True)):
            continue
        if any(
            c[low] and c[high] and is_crowded(sorted(c[low] + c[high]), *w) for c, w in zip(came, windows, strict=True)
        ):
            continue
        parent[high] = low
        for times in came:
            times[low] = sorted(times[low] + times[high])
        for count in held:
            count[low] += count[high]
        if apart is not None:
            apart[low] |= apart[high]
        if initials is not None:
            initials[low] = initials[low] or initials[high]
    return [root(i) for i in range(len(parent))]


def is_crowded(times: Sequence[int], most: int, days: int) -> bool:
    """Whether more than `most` of these times (microseconds, sorted) are within so many days."""
    return any(later - first < days * _DAY for first, later in zip(times, times[most:], strict=False))


def _crowded(times: Column, most: int, days: int) -> Column:
    """As `is_crowded`."""
    later = F.slice(times, F.lit(most + 1), F.size(times))
    apart = F.zip_with(times, later, lambda first, other: other - first < days * _DAY)
    return F.exists(apart, lambda close: F.coalesce(close, F.lit(False)))


def _prefixed(counts: DataFrame, side: str) -> DataFrame:
    return counts.select(*(F.col(c).alias(side if c == "cluster" else f"{side}_{c}") for c in counts.columns))
