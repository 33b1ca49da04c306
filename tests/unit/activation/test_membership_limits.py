"""Who meets a rule and waits all the same, by hand and against a plain reckoning."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.factories import minimal_settings, table_rows

from segmentation.activation.audiences import update_members
from segmentation.activation.membership_limits import limit_members
from segmentation.config.audiences import AudienceSettings, EntryLimit

AS_OF = date(2026, 3, 31)
EVERYONE = {"feature": "recency", "at_least": 0}
Member = tuple[str, str]


def _audiences(**changes: dict[str, Any]) -> list[AudienceSettings]:
    named = [{"name": name, "who": EVERYONE, **change} for name, change in changes.items()]
    return list(minimal_settings(audiences=named).audiences)


def _found(spark: SparkSession, members: set[Member]) -> DataFrame:
    rows = [(audience, person, None) for audience, person in sorted(members)]
    return spark.createDataFrame(rows, "audience string, person_id string, segment_id string")


def _before(spark: SparkSession, rows: list[tuple[str, str, int, int | None]]) -> DataFrame:
    """Rows of `audience_members`: audience, person, and how many days ago the person came in and left."""
    return table_rows(
        spark,
        "audience_members",
        [
            {"audience": audience, "person_id": person, "entered_as_of": AS_OF - timedelta(days=entered)}
            | {"left_as_of": None if left is None else AS_OF - timedelta(days=left)}
            for audience, person, entered, left in rows
        ],
    )


def _limited(
    spark: SparkSession,
    members: set[Member],
    before: list[tuple[str, str, int, int | None]],
    audiences: list[AudienceSettings],
    limit: EntryLimit | None = None,
) -> set[Member]:
    kept = limit_members(_found(spark, members), _before(spark, before), audiences, limit, AS_OF)
    assert kept.columns == ["audience", "person_id", "segment_id"]
    return {(row["audience"], row["person_id"]) for row in kept.collect()}


def test_who_left_waits(spark: SparkSession) -> None:
    audiences = _audiences(cart={"again_after_days": 7}, mail={})
    before = [("cart", "p1", 20, 6), ("cart", "p2", 20, 7), ("cart", "p3", 20, None), ("mail", "p1", 9, 1)]
    everyone = {(audience, person) for audience in ("cart", "mail") for person in ("p1", "p2", "p3", "p4")}
    assert _limited(spark, everyone, before, audiences) == everyone - {("cart", "p1")}
    today = [*before, ("cart", "p4", 0, None), ("cart", "p3", 30, 0)]
    assert _limited(spark, everyone, today, audiences) == everyone - {("cart", "p1")}, "a date may be run again"


def test_of_a_group_a_person_stays_where_they_are_else_gets_the_first(spark: SparkSession) -> None:
    audiences = _audiences(second={"group": "offers"}, first={"group": "offers"}, other={})
    members = {(audience, person) for audience in ("first", "second", "other") for person in ("p1", "p2")}
    kept = _limited(spark, members, [("first", "p1", 5, None), ("second", "p2", 9, 3)], audiences)
    assert kept == {("first", "p1"), ("second", "p2"), ("other", "p1"), ("other", "p2")}


def test_only_so_many_entries_and_who_is_in_stays(spark: SparkSession) -> None:
    audiences = _audiences(a={}, b={}, c={})
    members = {(audience, person) for audience in "abc" for person in ("p1", "p2", "p3")}
    before = [("c", "p1", 5, None), ("a", "p2", 30, 20), ("a", "p3", 29, 20), ("b", "p3", 10, 9)]
    kept = _limited(spark, members, before, audiences, EntryLimit(entries=2, days=30))
    assert kept == {("c", "p1"), ("a", "p1"), ("a", "p2"), ("b", "p2")}


def test_an_audience_too_small_has_nobody(spark: SparkSession) -> None:
    audiences = _audiences(a={"min_size": 3}, b={"min_size": 2}, c={})
    members = {("a", "p1"), ("a", "p2"), ("b", "p1"), ("b", "p2"), ("c", "p1")}
    assert _limited(spark, members, [("a", "p1", 9, None)], audiences) == {("b", "p1"), ("b", "p2"), ("c", "p1")}


@pytest.mark.parametrize("seed", range(2))
def test_days_in_a_row_are_as_reckoned(spark: SparkSession, seed: int) -> None:
    draw = random.Random(seed)
    audiences = _audiences(a={"group": "g", "again_after_days": 2}, b={"group": "g"}, c={"again_after_days": 3}, d={})
    limit = EntryLimit(entries=2, days=3)
    periods: list[list[Any]] = []
    table = _before(spark, [])
    for day in (AS_OF + timedelta(days=number) for number in range(6)):
        met = {(a.name, f"p{n}") for a in audiences for n in range(12) if draw.random() < 0.6}
        expected = _reckon(met, periods, audiences, limit, day)
        kept = limit_members(_found(spark, met), table, audiences, limit, day).localCheckpoint()
        assert {(row["audience"], row["person_id"]) for row in kept.collect()} == expected
        table = update_members(table, kept, day).localCheckpoint()
        for period in periods:
            if period[3] is None and (period[0], period[1]) not in expected:
                period[3] = day
        inside = {(period[0], period[1]) for period in periods if period[3] is None}
        periods += [[*member, day, None] for member in expected - inside]


def _reckon(
    met: set[Member], periods: list[list[Any]], audiences: list[AudienceSettings], limit: EntryLimit, day: date
) -> set[Member]:
    kept = set[Member]()
    for person in {person for _, person in met}:
        mine = [a for a in audiences if (a.name, person) in met]
        inside = {p[0] for p in periods if p[1] == person and p[3] is None}
        stay, new, taken = [a for a in mine if a.name in inside], [a for a in mine if a.name not in inside], set()
        for audience in [*stay, *new]:
            again = audience.again_after_days
            left = [p[3] for p in periods if p[:2] == [audience.name, person] and p[3] is not None]
            if audience in new and again and left and (day - max(left)).days < again:
                continue
            if audience.group and audience.group in taken:
                continue
            taken.add(audience.group)
            entries = sum(p[1] == person and (day - p[2]).days < limit.days for p in periods)
            entries += sum((other, person) in kept and other not in inside for other in {a.name for a in audiences})
            if audience in stay or entries < limit.entries:
                kept.add((audience.name, person))
    return kept
