"""The same replay as `replay`, for a graph that is certainly small: in the driver, without a single Spark job.

Identifiers are numbered by age, so that of two numbers the smaller is the older identifier.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from segmentation.config.identity import IdentitySettings
from segmentation.identity.batches import Batch
from segmentation.identity.guards import is_crowded, union_within_limits
from segmentation.identity.overrides import NO_OVERRIDES, Step
from segmentation.identity.persons import SEPARATOR
from segmentation.identity.quarantine import ALL, hub_reason, link_limits
from segmentation.identity.strength import PROBABILITY_STEPS

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
    probability: float = 0.0


@dataclass
class Group:
    """Identifiers that were ever connected."""

    members: list[int]
    edges: list[Edge] = field(default_factory=list)
    guarded: bool = False
    named: bool = False
    """Whether an override, of whatever time, names one of them."""


_TIME = pa.timestamp("us", "UTC")
_FOUNDED = pa.list_(pa.struct([("person_id", pa.string()), ("person_seq", pa.int64()), ("person_ts", _TIME)]))
_MEMBERS = pa.schema(
    {
        "node": pa.int64(),
        "type": pa.string(),
        "value": pa.string(),
        "rank": pa.int32(),
        "batch_seq": pa.int64(),
        "arrival_ts": _TIME,
        "initials": pa.string(),
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
    steps: Sequence[Step],
    settings: IdentitySettings,
    hubs: Mapping[int, Hub] | None = None,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Members, changes and hubs, as `replay_batches` finds them, from its input as Arrow tables.

    `hubs` (node -> hub) are given where the pairs are not all there are, and are otherwise found. The identifiers'
    `initials` may be left out where nothing is told apart by name.
    """
    rows = pairs.to_pylist()
    found = _find_hubs(rows, settings) if hubs is None else hubs
    named = {node for step in steps for node in step.manual.nodes}
    replay = Replay(identifiers.to_pylist(), found, settings, named)
    sightings: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        sightings[row["batch_seq"]].append(row)
    for step in steps:
        replay.take(step, () if step.is_decision else sightings[step.batch.seq])
    hub_rows = [{"node": node, "hub_reason": hub.reason} for node, hub in found.items()]
    return (
        pa.Table.from_pylist(replay.members(), _MEMBERS),
        pa.Table.from_pylist(replay.periods(), _CHANGES),
        pa.Table.from_pylist(hub_rows, _HUBS),
    )


def _find_hubs(pairs: Sequence[dict[str, Any]], settings: IdentitySettings) -> dict[int, Hub]:
    """As `find_hubs` and `date_hubs`."""
    first: dict[tuple[tuple[int, str], tuple[int, str]], int] = {}
    seen = {(row["left_node"], row["right_node"]) for row in pairs if row["observations"]}
    for row in pairs:
        key = ((row["left_node"], row["left_type"]), (row["right_node"], row["right_type"]))
        if (key[0][0], key[1][0]) in seen:
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
    """The state after some steps. Rows are dictionaries with the columns that `replay_batches` takes; `named` are the
    nodes that an override of any time names."""

    def __init__(
        self,
        identifiers: Iterable[dict[str, Any]],
        hubs: Mapping[int, Hub],
        settings: IdentitySettings,
        named: AbstractSet[int] = frozenset(),
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
        self._windows = [*settings.windows.items()]
        self._named = sorted(self._number[node] for node in named if node in self._number)
        self._manual = NO_OVERRIDES
        self._arrivals: dict[int, list[int]] = defaultdict(list)
        for i, node in enumerate(self.nodes):
            self._arrivals[node["batch_seq"]].append(i)

    def take(self, step: Step, pairs: Iterable[dict[str, Any]]) -> None:
        """One step. A batch: its new identifiers, its pairs, and the values that it shows to be nobody's. A decision:
        all groups that an override names."""
        batch, self._manual = step.batch, step.manual
        if step.is_decision:
            stirred = {i for i in self._named if self._group[i] is not None}
        else:
            stirred = self._take_in(batch, pairs)
        self._tie()
        for group in {id(group): group for group in map(self._of, stirred)}.values():
            self._name(group, self._cut(group, batch.seq), step)

    def _take_in(self, batch: Batch, pairs: Iterable[dict[str, Any]]) -> set[int]:
        """Notes a batch; returns the identifiers whose groups it stirs."""
        stirred = set(self._arrivals[batch.seq])
        for i in stirred:
            self._group[i] = Group([i])
        for i in stirred.intersection(self._named):
            self._of(i).named = True
        stirred.update(i for i, seq in self._hub_seq.items() if seq == batch.seq)
        new, weighed = self._note(batch.seq, pairs)
        for edge in new:
            if self._usable(edge, batch.seq):
                self._unite(edge.left, edge.right)
                self._of(edge.left).edges.append(edge)
                stirred.add(edge.left)
        stirred.update(edge.left for edge in weighed if self._of(edge.left).guarded)
        return stirred

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
            "founded": [{"person_id": p.id, "person_seq": p.seq, "person_ts": p.ts} for p in self.founded[i]] or None,
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
            edge.probability = max(edge.probability, row.get("probability") or 0.0)
        return new, weighed

    def _usable(self, edge: Edge, seq: int) -> bool:
        """Whether neither end is a hub by the end of batch `seq`."""
        return all(self._hub_seq.get(i, seq + 1) > seq for i in (edge.left, edge.right))

    def _dropped(self, edge: Edge) -> bool:
        return any(self.nodes[i]["node"] in self._manual.dropped for i in (edge.left, edge.right))

    def _unite(self, left: int, right: int) -> None:
        small, large = sorted((self._of(left), self._of(right)), key=lambda group: len(group.members))
        if small is not large:
            large.members += small.members
            large.edges += small.edges
            large.named |= small.named
            for i in small.members:
                self._group[i] = large

    def _tie(self) -> None:
        """Makes one group of those that overrides force together, as far as they have come."""
        first: dict[int, int] = {}
        for i in self._named:
            root = self._manual.forced.get(self.nodes[i]["node"])
            if root is not None and self._group[i] is not None:
                self._unite(first.setdefault(root, i), i)

    def _of(self, i: int) -> Group:
        group = self._group[i]
        assert group is not None, "an identifier has a group from its batch on"
        return group

    def _cut(self, group: Group, seq: int) -> list[list[int]]:
        """The group's clusters within the limits; marks whether a limit binds."""
        most = [self._settings.max_component_size, *(limit for _, limit in self._limits)]
        totals = map(sum, zip(*map(self._counts, group.members), strict=True))
        names = {self._initials(i) for i in group.members} - {""}
        exceeded = any(total > limit for total, limit in zip(totals, most, strict=True))
        windows = [window for _, window in self._windows]
        crowded = any(
            is_crowded(sorted(time for i in group.members for time in self._times(i)[w]), *window)
            for w, window in enumerate(windows)
        )
        surplus = len(self._within_links(group.edges)) < len(group.edges)
        group.guarded = group.named or exceeded or crowded or surplus or len(names) > 1
        edges = [edge for edge in group.edges if self._usable(edge, seq) and not self._dropped(edge)]
        if not group.guarded and len(edges) == len(group.edges):
            return [group.members]
        place: dict[int, int] = {}
        """Where each identifier stands; those that overrides force together stand in one place."""
        roots: dict[int, int] = {}
        for i in group.members:
            node = self.nodes[i]["node"]
            place[i] = roots.setdefault(self._manual.forced.get(node, node), len(roots))
        held = [[0] * len(roots) for _ in most]
        came: list[list[list[int]]] = [[[] for _ in roots] for _ in windows]
        apart: list[set[str]] = [set() for _ in roots]
        initials: list[str | None] = [""] * len(roots)
        for i, p in place.items():
            apart[p] |= self._manual.apart.get(self.nodes[i]["node"], set())
            initials[p] = max(initials[p] or "", self._initials(i))
            for limit, count in enumerate(self._counts(i)):
                held[limit][p] += count
            for window, times in enumerate(self._times(i)):
                came[window][p] = sorted(came[window][p] + times)
        edges = self._within_links(sorted(edges, key=self._strength))
        left, right = [place[edge.left] for edge in edges], [place[edge.right] for edge in edges]
        joined = union_within_limits(left, right, held, most, apart, initials, came, windows)
        clusters: dict[int, list[int]] = defaultdict(list)
        for i in group.members:
            clusters[joined[place[i]]].append(i)
        return list(clusters.values())

    def _initials(self, i: int) -> str:
        """Those of a record that is told apart by name, else nothing."""
        return self.nodes[i].get("initials") or ""

    def _counts(self, i: int) -> list[int]:
        """What an identifier counts against each limit."""
        return [1, *(int(self.nodes[i]["type"] == limited) for limited, _ in self._limits)]

    def _times(self, i: int) -> list[list[int]]:
        """When came what an identifier counts against each limit of days."""
        node = self.nodes[i]
        return [
            [(node["arrival_ts"] - _EPOCH) // _MICROSECOND] if node["type"] == limited else []
            for limited, _ in self._windows
        ]

    def _within_links(self, edges: Sequence[Edge]) -> list[Edge]:
        """Edges, strongest first, without those that are too many at one of their ends; as `find_surplus`."""
        kept_links = self._settings.kept_links
        if not kept_links:
            return [*edges]
        links: dict[tuple[int, str], int] = defaultdict(int)
        kept = []
        for edge in edges:
            stays = True
            for here, there in ((edge.left, edge.right), (edge.right, edge.left)):
                kind, other = self.nodes[here]["type"], self.nodes[there]["type"]
                links[here, other] += 1
                stays &= links[here, other] <= kept_links.get((kind, other), links[here, other])
            if stays:
                kept.append(edge)
        return kept

    def _strength(self, edge: Edge) -> tuple[int, ...]:
        weaker, stronger, *names = edge.order
        often, lately = -edge.observations, -((edge.last_seen - _EPOCH) // _MICROSECOND)
        by_last = [*self._settings.identifiers.values()][weaker].shared == "last"
        metrics = (lately, often) if by_last else (often, lately)
        if not edge.observations:
            weaker += len(self._settings.identifiers)
            metrics = (-round(edge.probability * PROBABILITY_STEPS), lately)
        return (weaker, stronger, *metrics, edge.first_batch_seq, *names)

    def _name(self, group: Group, clusters: Sequence[list[int]], step: Step) -> None:
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
        holder = {person: c for c, person in kept.items()}
        founded = [[p for i in members for p in self.founded[i]] for members in clusters]
        back = [[p for p in persons if p not in holder] for persons in founded]
        for c, members in enumerate(clusters):
            if c not in kept:
                own = [p for p in founded[c] if p in holder and back[holder[p]]]
                if own:
                    kept[c] = min(own)
                    kept[holder[kept[c]]] = min(back[holder[kept[c]]])
                else:
                    kept[c] = min(back[c]) if back[c] else self._mint(min(members), step)
        alive = set(kept.values())
        for c, members in enumerate(clusters):
            for i in members:
                self._move(i, kept[c], alive, step)

    def _mint(self, founder: int, step: Step) -> Person:
        node = self.nodes[founder]
        earlier = len(self.founded[founder])
        text = SEPARATOR.join([node["type"], node["value"], *([str(earlier)] if earlier else [])])
        known = self.person[founder] is not None
        seq = step.batch.seq if known else node["batch_seq"]
        ts = step.decided_ts if known and step.decided_ts else node["arrival_ts"]
        person = Person(seq, ts, "p" + hashlib.sha256(text.encode()).hexdigest()[:32])
        self.founded[founder].append(person)
        return person

    def _move(self, i: int, person: Person, alive: set[Person], step: Step) -> None:
        batch = step.batch
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
                "reason": step.reasons[change],
                "batch_seq": batch.seq,
            }
        )
