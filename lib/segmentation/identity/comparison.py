"""What other rules would make of the same events: who would be joined, who parted, and by which links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns
from segmentation.identity.explain import KEY, chain_links
from segmentation.identity.lookup import Identifier

MOST_CHANGES = 10

_PAIR = ("left_type", "left_value", "right_type", "right_value")
_ENDS = tuple((f"{side}_type", f"{side}_value") for side in ("left", "right"))


@dataclass(frozen=True)
class Difference:
    """People and identifiers, before and after."""

    people_before: int
    people_after: int
    merged: int
    """People of before who would be one with another."""
    split: int
    """People of before who would be more than one."""
    new: int
    """Ids that nobody has now."""
    gone: int
    """Ids that nobody would have any more."""
    identifiers_moved: int
    """Identifiers that would belong to another id."""
    events_moved: int
    """Events that would be another person's; neither bots' nor test accounts'."""


@dataclass(frozen=True)
class Bridge:
    """One link of a path: what it is now, and what it would be (`active`, the reason of its cut, or `not there`)."""

    type: str
    value: str
    to_type: str
    to_value: str
    observations: int
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """People who would be one (`merge`), or one who would be several (`split`)."""

    kind: str
    person_id: str
    """Who they would be together, or who they are."""
    parts: tuple[str, ...]
    """Those who would be one, or whom it would become: most events first."""
    identifiers: int
    """All but those of the largest part."""
    events: int
    """All but those of the part with the most."""
    path: tuple[Bridge, ...]
    """The links between the strongest identifiers of the two largest parts that would tie, or that tie now."""


def place_identifiers(before: DataFrame, after: DataFrame, identifiers: DataFrame) -> DataFrame:
    """Each identifier with its person before and after.

    In: two maps (`identifier_type`, `identifier_value`, `person_id`), and `list_identifiers` of after. Out: one
    identifier, `old_id` and `new_id` (null: not there), `rank`, and `led_events`, which are its person's.
    """
    for table in (before, after):
        check_columns(table, (*KEY, "person_id"), "the identity map")
    led = identifiers.select(
        F.col("type").alias("identifier_type"), F.col("value").alias("identifier_value"), "rank", "led_events"
    )
    old = before.select(*KEY, F.col("person_id").alias("old_id"))
    new = after.select(*KEY, F.col("person_id").alias("new_id")).join(led, list(KEY))
    return old.join(new, list(KEY), "full").fillna({"led_events": 0})


def count_difference(placed: DataFrame) -> Difference:
    """In: `place_identifiers`, persisted."""
    moved = ~F.col("old_id").eqNullSafe(F.col("new_id"))
    totals = placed.agg(
        F.count_distinct("old_id").alias("people_before"),
        F.count_distinct("new_id").alias("people_after"),
        F.count_if(moved).alias("identifiers_moved"),
        F.sum(F.when(moved, F.col("led_events")).otherwise(0)).alias("events_moved"),
    ).first()
    parts = _parts(placed)
    merged = parts.groupBy("new_id").agg(F.count("*").alias("n")).where("n > 1").agg(F.sum("n")).first()
    split = parts.groupBy("old_id").agg(F.count("*").alias("n")).where("n > 1").count()
    old = placed.select(F.col("old_id").alias("id")).dropna().distinct()
    new = placed.select(F.col("new_id").alias("id")).dropna().distinct()
    assert totals is not None, "an aggregate without groups has one row"
    assert merged is not None, "an aggregate without groups has one row"
    return Difference(
        merged=merged[0] or 0,
        split=split,
        new=new.join(old, "id", "left_anti").count(),
        gone=old.join(new, "id", "left_anti").count(),
        **{name: value or 0 for name, value in totals.asDict().items()},
    )


def find_biggest(placed: DataFrame, edges_before: DataFrame, edges_after: DataFrame) -> list[Change]:
    """The ten changes that move most events, then most identifiers, with their paths.

    In: `place_identifiers`, persisted, and rows of `identity_edges` before and after. What comes to the driver is what
    the people of ten changes have, which `max_component_size` limits.
    """
    parts = _parts(placed).localCheckpoint()
    found: list[Row] = []
    for kind, whole, part in (("merge", "new_id", "old_id"), ("split", "old_id", "new_id")):
        shares = F.collect_list(F.struct("events", "identifiers", F.col(part).alias("id")))
        found += (
            parts.groupBy(F.col(whole).alias("person_id"))
            .agg(
                F.lit(kind).alias("kind"),
                F.reverse(F.array_sort(shares)).alias("parts"),
                (F.sum("identifiers") - F.max("identifiers")).alias("identifiers"),
                (F.sum("events") - F.max("events")).alias("events"),
            )
            .where(F.size("parts") > 1)
            .orderBy(F.desc("events"), F.desc("identifiers"), "person_id")
            .limit(MOST_CHANGES)
            .collect()
        )
    found.sort(key=lambda row: (-row["events"], -row["identifiers"], row["person_id"], row["kind"]))
    biggest = found[:MOST_CHANGES]
    wholes = {row["person_id"] for row in biggest}
    if not wholes:
        return []
    involved = placed.where(F.col("old_id").isin(list(wholes)) | F.col("new_id").isin(list(wholes))).localCheckpoint()
    bridges = _bridges(involved, edges_before, edges_after)
    people = involved.collect()
    return [
        Change(
            kind=row["kind"],
            person_id=row["person_id"],
            parts=tuple(part["id"] for part in row["parts"]),
            identifiers=row["identifiers"],
            events=row["events"],
            path=_path(row, people, bridges),
        )
        for row in biggest
    ]


def _parts(placed: DataFrame) -> DataFrame:
    """What each person of before has in common with each of after."""
    return (
        placed.where("old_id IS NOT NULL AND new_id IS NOT NULL")
        .groupBy("old_id", "new_id")
        .agg(F.count("*").alias("identifiers"), F.sum("led_events").alias("events"))
    )


def _bridges(involved: DataFrame, before: DataFrame, after: DataFrame) -> list[Bridge]:
    """All links between identifiers of `involved`, before and after."""
    told: list[DataFrame] = []
    for when, edges in (("before", before), ("after", after)):
        for ends in _ENDS:
            near = [F.col(key).alias(end) for key, end in zip(KEY, ends, strict=True)]
            edges = edges.join(F.broadcast(involved.select(*near)), list(ends), "left_semi")
        said = F.when(F.col("status") == "active", "active").otherwise(F.col("reason"))
        told.append(edges.select(*_PAIR, F.col("observations").alias(f"{when}_observations"), said.alias(when)))

    def known(when: str) -> Column:
        return F.coalesce(F.col(when), F.lit("not there")).alias(when)

    rows = told[0].join(told[1], list(_PAIR), "full")
    observations = F.coalesce("after_observations", "before_observations")
    return [Bridge(*row) for row in rows.select(*_PAIR, observations, known("before"), known("after")).collect()]


def _path(change: Row, people: Sequence[Row], bridges: Sequence[Bridge]) -> tuple[Bridge, ...]:
    """The chain that ties two parts: in the links as they would be for a merge, as they are for a split."""
    holds, whole, part = ("after", "new_id", "old_id") if change["kind"] == "merge" else ("before", "old_id", "new_id")
    first: dict[str, tuple[tuple[int, str, str], Identifier]] = {}
    for row in people:
        if row[whole] == change["person_id"]:
            rank = row["rank"] if row["rank"] is not None else len(people)
            claim = ((rank, row["identifier_type"], row["identifier_value"]), (row[KEY[0]], row[KEY[1]]))
            first[row[part]] = min(first.get(row[part], claim), claim)
    start, end = (first[one["id"]][1] for one in change["parts"][:2])
    chains: Mapping[Identifier, tuple[Bridge, ...]] = chain_links(
        start, [bridge for bridge in bridges if getattr(bridge, holds) == "active"]
    )
    return chains.get(end, ())
