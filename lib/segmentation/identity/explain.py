"""Why an identifier belongs to a person: the links that tie it in, those that were cut, and whose it was before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.errors import InputError
from segmentation.identity.lookup import Identifier, find_owner, look_up_values

KEY = ("identifier_type", "identifier_value")

MOST_CUTS = 20
"""Links that were cut, of which there can be as many as a kiosk has guests; the rest are counted."""


@dataclass(frozen=True)
class Link:
    """One row of `identity_edges`, from one of its ends to the other."""

    type: str
    value: str
    to_type: str
    to_value: str
    first_seen: datetime | None
    last_seen: datetime | None
    observations: int
    sources: tuple[str, ...]
    kind: str
    confidence: float
    status: str
    reason: str | None
    to_person_id: str | None = None
    """Of a link that was cut: who has the other end."""


@dataclass(frozen=True)
class Tied:
    """One identifier of the person. `chain` leads from the one that was asked for to it, one link after the other:
    the shortest way, and of two as short the one that was seen more often."""

    type: str
    value: str
    since: datetime
    confidence: float
    first_seen: datetime | None
    last_seen: datetime | None
    events: int | None
    chain: tuple[Link, ...]


@dataclass(frozen=True)
class Period:
    """One row of `identity_history`."""

    type: str
    value: str
    person_id: str
    valid_from: datetime
    valid_to: datetime | None
    change: str
    reason: str | None


@dataclass(frozen=True)
class Explanation:
    """Values of personal types are tokens. Times are UTC."""

    person_id: str
    type: str
    value: str
    identifiers: tuple[Tied, ...]
    """In order of their chains' length, the one that was asked for first."""
    cuts: tuple[Link, ...]
    """Links of the person's identifiers that hold no more or never did: those seen most, and no more than 20."""
    cuts_by_reason: dict[str, int]
    """How many there are in all."""
    history: tuple[Period, ...]
    """Whose the identifiers were, and which others were the person's, in order of time."""


def explain_identifier(
    identity_map: DataFrame, edges: DataFrame, history: DataFrame, settings: IdentitySettings, kind: str, value: str
) -> Explanation:
    """The explanation of one identifier, from the tables; `value` as a source would write it, or a token.

    What is read to the driver is what one person has, which `max_component_size` limits, and 20 cuts. Raises
    `ConfigError` for an unknown type or a missing key, `InputError` where nobody has the identifier; neither names
    the value.
    """
    identifier = look_up_values(identity_map.sparkSession, settings, [(kind, value)])[0]
    person_id = find_owner(identity_map, kind, identifier)
    assert identifier is not None, "nobody would have it"
    own = identity_map.where(F.col("person_id") == person_id).localCheckpoint()
    links = touching_links(edges, own).localCheckpoint()
    holds = F.col("status") == "active"
    chains = chain_links(identifier, [_link(row) for row in links.where(holds).collect()])
    rows = {(row["identifier_type"], row["identifier_value"]): row for row in own.collect()}
    if set(rows) - set(chains):
        raise InputError(
            "The tables 'identity_map' and 'identity_edges' are of different runs: run `segmentation identity`."
        )
    # An override may lead through an identifier that no event has brought yet.
    tied = [_tied(rows[one], chain) for one, chain in chains.items() if one in rows]
    periods = history.join(F.broadcast(own.select(*KEY)), list(KEY), "left_semi").unionByName(
        history.where(F.col("person_id") == person_id).join(F.broadcast(own.select(*KEY)), list(KEY), "left_anti")
    )
    reasons = links.where(~holds).groupBy("reason").agg(F.count("*").alias("n")).collect()
    return Explanation(
        person_id=person_id,
        type=kind,
        value=identifier[1],
        identifiers=tuple(sorted(tied, key=lambda one: (len(one.chain), one.type, one.value))),
        cuts=_cuts(links.where(~holds), own, identity_map),
        cuts_by_reason={row["reason"]: row["n"] for row in sorted(reasons, key=lambda row: (-row["n"], row["reason"]))},
        history=tuple(_period(row) for row in periods.orderBy("valid_from", *KEY).collect()),
    )


def touching_links(edges: DataFrame, identifiers: DataFrame) -> DataFrame:
    """The pairs of which at least one end is among the identifiers, which are few. Same columns as `identity_edges`."""
    left, right = (F.broadcast(identifiers.select(*_renamed(side))) for side in ("left", "right"))
    by_left, by_right = ["left_type", "left_value"], ["right_type", "right_value"]
    return edges.join(left, by_left, "left_semi").unionByName(
        edges.join(right, by_right, "left_semi").join(left, by_left, "left_anti")
    )


def _renamed(side: str) -> list[Column]:
    return [F.col(column).alias(column.replace("identifier", side)) for column in KEY]


def _cuts(cuts: DataFrame, own: DataFrame, identity_map: DataFrame) -> tuple[Link, ...]:
    """The cuts that were seen most, from the person's own end, with the other end's person."""
    most = cuts.orderBy(F.desc("observations"), *(f"{side}_{part}" for side in ("left", "right") for part in _ENDS))
    ends = most.limit(MOST_CUTS).join(
        F.broadcast(own.select(*_renamed("left"), F.lit(True).alias("is_own"))), ["left_type", "left_value"], "left"
    )
    away = [
        F.when(F.col("is_own"), F.col(f"right_{part}")).otherwise(F.col(f"left_{part}")).alias(f"identifier_{part}")
        for part in _ENDS
    ]
    others = identity_map.select(*KEY, F.col("person_id").alias("to_person_id"))
    rows = ends.select("*", *away).join(others, list(KEY), "left").collect()
    found = [_link(row, row["to_person_id"], turned=not row["is_own"]) for row in rows]
    return tuple(sorted(found, key=lambda cut: (-cut.observations, cut.type, cut.value, cut.to_type, cut.to_value)))


_ENDS = ("type", "value")


class Linking(Protocol):
    """What a chain is made of: a link from one identifier to another, as a frozen dataclass."""

    @property
    def type(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def to_type(self) -> str: ...
    @property
    def to_value(self) -> str: ...
    @property
    def observations(self) -> int: ...


L = TypeVar("L", bound=Linking)


def chain_links(start: Identifier, links: Sequence[L]) -> dict[Identifier, tuple[L, ...]]:
    """Breadth first from `start`: each identifier that can be reached, with the links that lead to it."""
    near: dict[Identifier, list[L]] = {}
    for link in links:
        near.setdefault((link.type, link.value), []).append(link)
        near.setdefault((link.to_type, link.to_value), []).append(_turned(link))
    for found in near.values():
        found.sort(key=lambda link: (-link.observations, link.to_type, link.to_value))
    chains: dict[Identifier, tuple[L, ...]] = {start: ()}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for link in near.get(here, ()):
            there = (link.to_type, link.to_value)
            if there not in chains:
                chains[there] = (*chains[here], link)
                waiting.append(there)
    return chains


def _turned(link: L) -> L:
    ends = {"type": link.to_type, "value": link.to_value, "to_type": link.type, "to_value": link.value}
    return type(link)(**{**vars(link), **ends})


def _link(row: Row, to_person_id: str | None = None, turned: bool = False) -> Link:
    link = Link(
        type=row["left_type"],
        value=row["left_value"],
        to_type=row["right_type"],
        to_value=row["right_value"],
        first_seen=_utc(row["first_seen"]),
        last_seen=_utc(row["last_seen"]),
        observations=row["observations"],
        sources=tuple(row["sources"] or ()),
        kind=row["kind"],
        confidence=row["confidence"],
        status=row["status"],
        reason=row["reason"],
        to_person_id=to_person_id,
    )
    return _turned(link) if turned else link


def _tied(row: Row, chain: tuple[Link, ...]) -> Tied:
    return Tied(
        type=row["identifier_type"],
        value=row["identifier_value"],
        since=row["since"].astimezone(UTC),
        confidence=row["confidence"],
        first_seen=_utc(row["first_seen"]),
        last_seen=_utc(row["last_seen"]),
        events=row["events"],
        chain=chain,
    )


def _period(row: Row) -> Period:
    return Period(
        type=row["identifier_type"],
        value=row["identifier_value"],
        person_id=row["person_id"],
        valid_from=row["valid_from"].astimezone(UTC),
        valid_to=_utc(row["valid_to"]),
        change=row["change"],
        reason=row["reason"],
    )


def _utc(value: datetime | None) -> datetime | None:
    """Spark gives times without a zone, in that of this process."""
    return None if value is None else value.astimezone(UTC)
