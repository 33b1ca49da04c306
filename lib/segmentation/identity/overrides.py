"""Overrides: what people decided about who is who, and since when it holds.

Each run compares the file with what was in force, and writes down what was added and what was taken back, with the
newest batch of then. A replay lives through these decisions as it does through batches: a decision takes effect after
that batch, and what was before it stays as it was.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.config.overrides import OverrideEntry
from segmentation.contracts.errors import ConfigError, Problem
from segmentation.identity.batches import Batch
from segmentation.identity.lookup import Identifier, look_up_values
from segmentation.identity.observations import name_node
from segmentation.identity.persons import REASONS

KEY = "identity.overrides"

DECIDED_REASONS = {change: f"overrides changed: {reason}" for change, reason in REASONS.items()}


@dataclass(frozen=True, order=True)
class Override:
    """One decision; the identifiers are as the tables have them, the smaller left. `drop` has no right one."""

    action: str
    left: Identifier
    right: Identifier | None
    reason: str
    nodes: tuple[int, ...] = field(default=(), compare=False)
    """The identifiers' names within the graph."""

    @property
    def text(self) -> str:
        """What `identity_edges` says of it; no two overrides that differ say the same."""
        ends = [part for end in (self.left, self.right) if end for part in end]
        digest = hashlib.sha256("\0".join([self.action, *ends, self.reason]).encode()).hexdigest()[:8]
        done = {"together": "forced together", "apart": "kept apart", "drop": "dropped"}[self.action]
        return f"{done} by override {digest}: {self.reason}"


@dataclass(frozen=True)
class Manual:
    """What the overrides in force at one time ask of the graph. Few: all of it came from one file."""

    overrides: tuple[Override, ...] = ()
    forced: Mapping[int, int] = field(default_factory=dict)
    """Node -> the smallest of all that are forced together with it."""
    apart: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Node -> overrides that keep it apart from another: two clusters that share one are never joined."""
    dropped: frozenset[int] = frozenset()

    @classmethod
    def of(cls, overrides: Iterable[Override]) -> Manual:
        kept = tuple(sorted(overrides))
        forced = _join([one.nodes for one in kept if one.action == "together"])
        apart: dict[int, set[str]] = defaultdict(set)
        for one in kept:
            for node in one.nodes if one.action == "apart" else ():
                apart[node].add(one.text)
        dropped = frozenset(node for one in kept if one.action == "drop" for node in one.nodes)
        return cls(kept, forced, {node: frozenset(texts) for node, texts in apart.items()}, dropped)

    @property
    def nodes(self) -> set[int]:
        """Every node that an override names."""
        return {node for one in self.overrides for node in one.nodes}

    def __bool__(self) -> bool:
        return bool(self.overrides)

    def marks(self, spark: SparkSession) -> DataFrame:
        """One node that an override names: `node`, `start` (its cluster before any edge), `apart` (null: nobody)."""
        rows = [(node, self.forced.get(node, node), sorted(self.apart.get(node, ())) or None) for node in self.nodes]
        return F.broadcast(spark.createDataFrame(rows, "node long, start long, apart array<string>"))

    def tied(self, edges: DataFrame) -> DataFrame:
        """Edges with those (`left_node`, `right_node`) that connect what is forced together."""
        rows = [(node, first) for node, first in self.forced.items() if node != first]
        ends = edges.select("left_node", "right_node")
        schema = "left_node long, right_node long"
        return ends.unionByName(edges.sparkSession.createDataFrame(rows, schema)) if rows else ends

    def usable(self, edges: DataFrame) -> DataFrame:
        """Edges that do not touch a dropped identifier."""
        if not self.dropped:
            return edges
        gone = edges.sparkSession.createDataFrame([(node,) for node in self.dropped], "node long")
        for side in ("left_node", "right_node"):
            edges = edges.join(F.broadcast(gone.withColumnRenamed("node", side)), side, "left_anti")
        return edges


NO_OVERRIDES = Manual()


@dataclass(frozen=True)
class Step:
    """One moment of a replay: a batch came, or, after it, people decided otherwise."""

    batch: Batch
    manual: Manual = NO_OVERRIDES
    decision: int = 0
    """The number of the decision; 0 for a batch."""

    @property
    def is_decision(self) -> bool:
        return self.decision > 0

    @property
    def decided_ts(self) -> datetime | None:
        """After all that the batch brought, and after earlier decisions; None for a batch."""
        return self.batch.clock + timedelta(microseconds=self.decision) if self.is_decision else None

    @property
    def reasons(self) -> Mapping[str, str]:
        """Change -> what brought it, in words."""
        return DECIDED_REASONS if self.is_decision else REASONS


@dataclass(frozen=True)
class Decision:
    """What one run found changed: overrides added and taken back, after batch `batch_seq`."""

    step: int
    batch_seq: int
    added: tuple[Override, ...]
    removed: tuple[Override, ...]


def resolve_entries(
    spark: SparkSession, entries: Sequence[OverrideEntry], settings: IdentitySettings
) -> list[Override]:
    """The overrides of the file, sorted, each once.

    Raises `ConfigError` for a type that the configuration does not know, a value that names nobody, a missing key,
    and overrides that contradict each other; an entry is named by its number and no value is quoted.
    """
    ends = [(number, end) for number, entry in enumerate(entries, 1) for end in (entry.left, entry.right) if end]
    written = [_split(end) for _, end in ends]
    there = ", ".join(settings.identifiers)
    unknown = [
        Problem(f"{KEY}.entry {number}", f"there is no identifier type '{kind}' (there are {there})")
        for (number, _), (kind, _) in zip(ends, written, strict=True)
        if kind not in settings.identifiers
    ]
    if unknown:
        raise ConfigError(unknown)
    found: dict[int, list[Identifier]] = defaultdict(list)
    problems = []
    for (number, _), identifier in zip(ends, look_up_values(spark, settings, written), strict=True):
        if identifier is None:
            problems.append(Problem(f"{KEY}.entry {number}", "one of its values is a placeholder or malformed"))
        else:
            found[number].append(identifier)
    if problems:
        raise ConfigError(problems)
    overrides = []
    for number, entry in enumerate(entries, 1):
        left, *right = sorted(found[number])
        overrides.append(Override(entry.action, left, right[0] if right else None, entry.reason))
    named = name_overrides(spark, overrides)
    if problems := _contradictions(named):
        raise ConfigError(problems)
    return sorted(set(named))


def name_overrides(spark: SparkSession, overrides: Sequence[Override]) -> list[Override]:
    """The same overrides with the nodes of their identifiers."""
    identifiers = sorted({end for one in overrides for end in (one.left, one.right) if end})
    if not identifiers:
        return []
    rows = spark.createDataFrame(identifiers, "type string, value string")
    node = {(row[0], row[1]): row[2] for row in rows.select("*", name_node("type", "value")).collect()}
    return [replace(one, nodes=tuple(node[end] for end in (one.left, one.right) if end)) for one in overrides]


def decide(earlier: Sequence[Decision], now: Sequence[Override], newest: int) -> list[Decision]:
    """The decisions of earlier runs, and one more where the file has changed since. `newest` is the last batch."""
    before = set(in_force(earlier))
    added, removed = sorted(set(now) - before), sorted(before - set(now))
    if not added and not removed:
        return list(earlier)
    number = earlier[-1].step + 1 if earlier else 1
    return [*earlier, Decision(number, newest, tuple(added), tuple(removed))]


def in_force(decisions: Sequence[Decision]) -> list[Override]:
    """The overrides that the last of `decisions` left."""
    held: set[Override] = set()
    for decision in decisions:
        held = (held - set(decision.removed)) | set(decision.added)
    return sorted(held)


def plan_steps(batches: Sequence[Batch], decisions: Sequence[Decision]) -> list[Step]:
    """Batches and decisions in the order in which they were lived through; never empty where there is a batch."""
    steps: list[Step] = []
    waiting, held, manual = list(decisions), set[Override](), NO_OVERRIDES
    for number, batch in enumerate(batches):
        steps.append(Step(batch, manual))
        following = batches[number + 1].seq if number + 1 < len(batches) else None
        while waiting and (following is None or waiting[0].batch_seq < following):
            decision = waiting.pop(0)
            held = (held - set(decision.removed)) | set(decision.added)
            manual = Manual.of(held)
            steps.append(Step(batch, manual, decision.step))
    return steps


def read_decisions(rows: DataFrame) -> list[Decision]:
    """The table `identity_overrides` as decisions, in order."""
    found = sorted(rows.collect(), key=lambda row: (row["step"], row["change"], row["left_value"]))
    overrides = [
        Override(
            row["action"],
            (row["left_type"], row["left_value"]),
            (row["right_type"], row["right_value"]) if row["right_type"] else None,
            row["reason"],
        )
        for row in found
    ]
    changes: dict[tuple[int, int], dict[str, list[Override]]] = defaultdict(lambda: defaultdict(list))
    for row, override in zip(found, name_overrides(rows.sparkSession, overrides), strict=True):
        changes[row["step"], row["batch_seq"]][row["change"]].append(override)
    return [
        Decision(step, seq, tuple(sorted(change["added"])), tuple(sorted(change["removed"])))
        for (step, seq), change in changes.items()
    ]


def decision_rows(decision: Decision, now: datetime) -> list[dict[str, object]]:
    """One decision, found `now`, as rows of `identity_overrides`."""
    return [
        {
            "step": decision.step,
            "batch_seq": decision.batch_seq,
            "change": change,
            "action": one.action,
            "left_type": one.left[0],
            "left_value": one.left[1],
            "right_type": one.right[0] if one.right else None,
            "right_value": one.right[1] if one.right else None,
            "reason": one.reason,
            "decided_ts": now,
        }
        for change, overrides in (("added", decision.added), ("removed", decision.removed))
        for one in overrides
    ]


def _split(text: str) -> Identifier:
    kind, _, value = text.partition("=")
    return kind, value


def _contradictions(overrides: Sequence[Override]) -> list[Problem]:
    """Pairs of entries of which only one can be followed; each is named by its number in the file."""
    problems = []
    together = [(number, one) for number, one in enumerate(overrides, 1) if one.action == "together"]
    forced = _join([one.nodes for _, one in together])
    for number, one in enumerate(overrides, 1):
        key = f"{KEY}.entry {number}"
        if len(set(one.nodes)) < len(one.nodes):
            problems.append(Problem(key, f"`{one.action}` names the same identifier twice"))
        elif one.action == "apart" and len({forced.get(node, node) for node in one.nodes}) == 1:
            others = ", ".join(f"entry {other}" for other in _chain(together, *one.nodes))
            problems.append(Problem(key, f"keeps apart what {others} forces together: take one of them out"))
        elif one.action == "drop":
            clash = [other for other, forced in together if one.nodes[0] in forced.nodes]
            problems += [
                Problem(key, f"drops an identifier that entry {other} forces together: take one of them out")
                for other in clash[:1]
            ]
    return problems


def _chain(together: Sequence[tuple[int, Override]], start: int, end: int) -> list[int]:
    """Numbers of the entries that force `start` and `end` together, along the shortest way; none where none do."""
    ways: dict[int, list[int]] = {start: []}
    waiting = [start]
    for here in waiting:
        for number, one in together:
            if here in one.nodes:
                for there in set(one.nodes) - set(ways):
                    ways[there] = [*ways[here], number]
                    waiting.append(there)
    return ways.get(end, [])


def _join(pairs: Iterable[tuple[int, ...]]) -> dict[int, int]:
    """Union-find over pairs: node -> the smallest of its group."""
    groups: dict[int, set[int]] = {}
    for pair in pairs:
        joined = set(pair).union(*(groups.get(node, set()) for node in pair))
        groups.update(dict.fromkeys(joined, joined))
    return {node: min(group) for node, group in groups.items()}
