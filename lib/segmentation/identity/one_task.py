"""The same replay as `replay`, for a graph that is certainly small: in the driver, without a single Spark job.

Identifiers are numbered by age, so that of two numbers the smaller is the older identifier.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from segmentation.config.identity import IdentitySettings
from segmentation.identity.batches import Batch
from segmentation.identity.guards import union_within_limits
from segmentation.identity.persons import REASONS, SEPARATOR
from segmentation.identity.quarantine import ALL, hub_reason, link_limits

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Person:
    """Ordered by age."""

    seq: int
    ts: datetime
    id: str


@dataclass
class Edge:
    """One pair, over the batches so far."""

    left: int
    right: int
    order: tuple[int, ...]
    first_batch_seq: int
    observations: int = 0
    last_seen: datetime = _NEVER


@dataclass
class Group:
    """Identifiers that were ever connected."""

    members: list[int]
    edges: list[Edge] = field(default_factory=list)
    guarded: bool = False


_FOUNDED = pa.list_(pa.struct([("person_id", pa.string()), ("person_seq", pa.int64())]))
_TIME = pa.timestamp("us", "UTC")
_MEMBERS = pa.schema(
    {
        "node": pa.int64(),
        "type": pa.string(),
        "value": pa.string(),
        "rank": pa.int32(),
        "batch_seq": pa.int64(),
        "arrival_ts": _TIME,
        "component": pa.int64(),
        "guarded": pa.bool_(),
        "person_id": pa.string(),
        "person_seq": pa.int64(),
        "person_ts": _TIME,
        "founded": _FOUNDED,
        "since": _TIME,
    }
)
_CHANGES = pa.schema(
    {
        "node": pa.int64(),
        "person_id": pa.string(),
        "valid_from": _TIME,
        "valid_to": _TIME,
        "change": pa.string(),
        "reason": pa.string(),
        "batch_seq": pa.int64(),
    }
)
_HUBS = pa.schema({"node": pa.int64(), "hub_reason": pa.string()})


@dataclass(frozen=True)
class Hub:
    """A value that is nobody's: since which batch, and why."""

    seq: int
    reason: str


def replay_small(
    identifiers: pa.Table,
    pairs: pa.Table,
    batches: Sequence[Batch],
    settings: IdentitySettings,
    hubs: Mapping[int, Hub] | None = None,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Members, changes and hubs, as `replay_batches` finds them, from its input as Arrow tables.

    `hubs` (node -> hub) are given where the pairs are not all there are, and are otherwise found.
    """
    rows = pairs.to_pylist()
    found = _find_hubs(rows, settings) if hubs is None else hubs
    replay = Replay(identifiers.to_pylist(), found, settings)
    sightings: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        sightings[row["batch_seq"]].append(row)
    for batch in batches:
        replay.take_in(batch, sightings[batch.seq])
    hub_rows = [{"node": node, "hub_reason": hub.reason} for node, hub in found.items()]
    return (
        pa.Table.from_pylist(replay.members(), _MEMBERS),
        pa.Table.from_pylist(replay.periods(), _CHANGES),
        pa.Table.from_pylist(hub_rows, _HUBS),
    )


def _find_hubs(pairs: Iterable[dict[str, Any]], settings: IdentitySettings) -> dict[int, Hub]:
    """As `find_hubs` and `date_hubs`."""
    first: dict[tuple[tuple[int, str], tuple[int, str]], int] = {}
    for row in pairs:
        key = ((row["left_node"], row["left_type"]), (row["right_node"], row["right_type"]))
        first[key] = min(first.get(key, row["batch_seq"]), row["batch_seq"])
    links: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    kinds: dict[int, str] = {}
    for (left, right), seq in first.items():
        for (node, kind), (_, other) in ((left, right), (right, left)):
            kinds[node] = kind
            links[node][ALL].append(seq)
            links[node][other].append(seq)
    hubs: dict[int, Hub] = {}
    for (kind, counted), most in link_limits(settings).items():
        for node, counts in links.items():
            seqs = sorted(counts.get(counted, ()))
            if kinds[node] == kind and len(seqs) > most:
                earlier = hubs.get(node, Hub(seqs[most], hub_reason(counted, most)))
                hubs[node] = Hub(min(earlier.seq, seqs[most]), earlier.reason)
    return hubs


class Replay:
    """The state after some batches. Rows are dictionaries with the columns that `replay_batches` takes."""

    def __init__(
        self, identifiers: Iterable[dict[str, Any]], hubs: Mapping[int, Hub], settings: IdentitySettings
    ) -> None:
        age = ("batch_seq", "arrival_ts", "rank", "node")
        self.nodes = sorted(identifiers, key=lambda row: tuple(row[column] for column in age))
        self.person: list[Person | None] = [None] * len(self.nodes)
        self.since: list[datetime | None] = [None] * len(self.nodes)
        self.founded: list[list[Person]] = [[] for _ in self.nodes]
        self.changes: list[dict[str, Any]] = []
        self._settings = settings
        self._number = {row["node"]: i for i, row in enumerate(self.nodes)}
        self._hub_seq = {self._number[node]: hub.seq for node, hub in hubs.items() if node in self._number}
        self._group: list[Group | None] = [None] * len(self.nodes)
        self._edges: dict[tuple[int, int], Edge] = {}
        self._limits = [*settings.limits.items()]
        self._arrivals: dict[int, list[int]] = defaultdict(list)
        for i, node in enumerate(self.nodes):
            self._arrivals[node["batch_seq"]].append(i)

    def take_in(self, batch: Batch, pairs: Iterable[dict[str, Any]]) -> None:
        """One batch: its new identifiers, its pairs, and the values that it shows to be nobody's."""
        stirred = set(self._arrivals[batch.seq])
        for i in stirred:
            self._group[i] = Group([i])
        stirred.update(i for i, seq in self._hub_seq.items() if seq == batch.seq)
        new, weighed = self._note(batch.seq, pairs)
        for edge in new:
            if self._usable(edge, batch.seq):
                self._unite(edge)
                stirred.add(edge.left)
        stirred.update(edge.left for edge in weighed if self._of(edge.left).guarded)
        for group in {id(group): group for group in map(self._of, stirred)}.values():
            self._name(group, self._cut(group, batch.seq), batch)

    def members(self) -> list[dict[str, Any]]:
        """Each identifier with its person now."""
        component = {}
        for group in {id(group): group for group in self._group if group}.values():
            smallest = min(self.nodes[i]["node"] for i in group.members)
            component.update(dict.fromkeys(group.members, smallest))
        return [{**self._member(i), "component": component[i]} for i in range(len(self.nodes))]

    def periods(self) -> list[dict[str, Any]]:
        """Each identifier's periods; one ends when the next begins."""
        open_periods: dict[int, dict[str, Any]] = {}
        for change in self.changes:
            if (earlier := open_periods.get(change["node"])) is not None:
                earlier["valid_to"] = change["valid_from"]
            open_periods[change["node"]] = change
        return self.changes

    def _member(self, i: int) -> dict[str, Any]:
        person = self.person[i]
        assert person is not None, "every identifier is somebody after its batch"
        return {
            **self.nodes[i],
            "guarded": self._of(i).guarded,
            "person_id": person.id,
            "person_seq": person.seq,
            "person_ts": person.ts,
            "founded": [{"person_id": p.id, "person_seq": p.seq} for p in self.founded[i]] or None,
            "since": self.since[i],
        }

    def _note(self, seq: int, pairs: Iterable[dict[str, Any]]) -> tuple[list[Edge], list[Edge]]:
        """Pairs that are new, and those that were only seen again."""
        new, weighed = [], []
        ranks = self._settings.ranks
        for row in pairs:
            key = (self._number[row["left_node"]], self._number[row["right_node"]])
            edge = self._edges.get(key)
            if edge is None:
                two = sorted(ranks[self.nodes[i]["type"]] for i in key)
                edge = Edge(*key, (two[1], two[0], row["left_node"], row["right_node"]), seq)
                self._edges[key] = edge
                new.append(edge)
            else:
                weighed.append(edge)
            edge.observations += row["observations"]
            edge.last_seen = max(edge.last_seen, row["last_seen"])
        return new, weighed

    def _usable(self, edge: Edge, seq: int) -> bool:
        """Whether neither end is a hub by the end of batch `seq`."""
        return all(self._hub_seq.get(i, seq + 1) > seq for i in (edge.left, edge.right))

    def _unite(self, edge: Edge) -> None:
        small, large = sorted((self._of(edge.left), self._of(edge.right)), key=lambda group: len(group.members))
        if small is not large:
            large.members += small.members
            large.edges += small.edges
            for i in small.members:
                self._group[i] = large
        large.edges.append(edge)

    def _of(self, i: int) -> Group:
        group = self._group[i]
        assert group is not None, "an identifier has a group from its batch on"
        return group

    def _cut(self, group: Group, seq: int) -> list[list[int]]:
        """The group's clusters within the limits; marks whether a limit binds."""
        kinds = [self.nodes[i]["type"] for i in group.members]
        held = [[1] * len(kinds), *([int(kind == limited) for kind in kinds] for limited, _ in self._limits)]
        most = [self._settings.max_component_size, *(limit for _, limit in self._limits)]
        group.guarded = any(sum(count) > limit for count, limit in zip(held, most, strict=True))
        edges = [edge for edge in group.edges if self._usable(edge, seq)]
        if not group.guarded and len(edges) == len(group.edges):
            return [group.members]
        place = {i: p for p, i in enumerate(group.members)}
        edges.sort(key=self._strength)
        left, right = [place[edge.left] for edge in edges], [place[edge.right] for edge in edges]
        clusters: dict[int, list[int]] = defaultdict(list)
        for i, root in zip(group.members, union_within_limits(left, right, held, most), strict=True):
            clusters[root].append(i)
        return list(clusters.values())

    def _strength(self, edge: Edge) -> tuple[int, ...]:
        weaker, stronger, *names = edge.order
        often, lately = -edge.observations, -((edge.last_seen - _EPOCH) // _MICROSECOND)
        by_last = [*self._settings.identifiers.values()][weaker].shared == "last"
        metrics = (lately, often) if by_last else (often, lately)
        return (weaker, stronger, *metrics, edge.first_batch_seq, *names)

    def _name(self, group: Group, clusters: Sequence[list[int]], batch: Batch) -> None:
        """Gives each cluster its person, by the rules of `succeed_persons`, and notes who moved."""
        heirs: dict[Person, tuple[int, int, int]] = {}
        for c, members in enumerate(clusters):
            for i in members:
                if (old := self.person[i]) is not None:
                    claim = (self.nodes[i]["rank"], i, c)
                    heirs[old] = min(heirs.get(old, claim), claim)
        kept: dict[int, Person] = {}
        for old, (_, _, c) in heirs.items():
            kept[c] = min(kept.get(c, old), old)
        alive = set(kept.values())
        for c, members in enumerate(clusters):
            if c not in kept:
                back = [p for i in members for p in self.founded[i] if p not in alive]
                kept[c] = min(back) if back else self._mint(min(members), batch.seq)
        alive = set(kept.values())
        for c, members in enumerate(clusters):
            for i in members:
                self._move(i, kept[c], alive, batch)

    def _mint(self, founder: int, seq: int) -> Person:
        node = self.nodes[founder]
        earlier = len(self.founded[founder])
        text = SEPARATOR.join([node["type"], node["value"], *([str(earlier)] if earlier else [])])
        minted_in = node["batch_seq"] if self.person[founder] is None else seq
        person = Person(minted_in, node["arrival_ts"], "p" + hashlib.sha256(text.encode()).hexdigest()[:32])
        self.founded[founder].append(person)
        return person

    def _move(self, i: int, person: Person, alive: set[Person], batch: Batch) -> None:
        old, since = self.person[i], self.since[i]
        if old == person:
            return
        if old is None or since is None:
            change, start = "new", self.nodes[i]["arrival_ts"]
        else:
            change, start = "split" if old in alive else "merge", max(batch.clock, since + _MICROSECOND)
        self.person[i], self.since[i] = person, start
        self.changes.append(
            {
                "node": self.nodes[i]["node"],
                "person_id": person.id,
                "valid_from": start,
                "valid_to": None,
                "change": change,
                "reason": REASONS[change],
                "batch_seq": batch.seq,
            }
        )
