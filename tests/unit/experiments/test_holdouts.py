"""Control groups: the same at every run, in proportion in every segment, and never taken back."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from tests.factories import table_rows

from segmentation.experiments.holdouts import assign_apart, assign_arms, control_group

KEY = b"0123456789abcdef" * 4
DAYS = [date(2026, 3, day) for day in range(1, 5)]
SHARES = {"loyal": 0.1, "lapsing": 0.25}


def _members(spark: SparkSession, *audiences: str, people: int) -> DataFrame:
    rows = [
        (audience, f"p{number:05}", "s-1" if number % 4 else ("s-2" if number % 8 else None))
        for audience in audiences
        for number in range(people)
    ]
    return spark.createDataFrame(rows, "audience string, person_id string, segment_id string")


def _rows(holdouts: DataFrame) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in holdouts.collect()}


def _controls(rows: set[tuple[Any, ...]]) -> Counter[tuple[str, str]]:
    return Counter((audience, stratum) for audience, _, arm, stratum, *_ in rows if arm == "control")


def test_control_groups_are_steady_and_grow_in_proportion(spark: SparkSession) -> None:
    nobody = table_rows(spark, "holdouts", [])
    small = _members(spark, "loyal", "lapsing", "other", people=202)
    first = assign_arms(nobody, small, SHARES, KEY, DAYS[0]).localCheckpoint()
    rows = _rows(first)
    assert len(rows) == 404, "an audience without a share has no arms"
    sizes = Counter((audience, stratum) for audience, _, _, stratum, *_ in rows)
    for group, held in _controls(rows).items():
        assert abs(held - SHARES[group[0]] * sizes[group]) < 1, group
    assert set(_controls(rows)) == {(audience, s) for audience in SHARES for s in ("s-1", "s-2", "none")}
    assert _rows(assign_arms(first, small, SHARES, KEY, DAYS[0])) == rows, "run again, and taken back first"
    assert _rows(assign_arms(nobody, small.repartition(5, "segment_id"), SHARES, KEY, DAYS[0])) == rows
    assert _rows(assign_arms(first, small, SHARES, KEY, DAYS[1])) == rows, "a later date with nobody new"
    assert _rows(assign_arms(nobody, small, SHARES, KEY[::-1], DAYS[0])) != rows, "another key, other people"

    grown = assign_arms(first, _members(spark, "loyal", "lapsing", people=1001), SHARES, KEY, DAYS[1])
    later = _rows(grown)
    assert rows < later, "nobody changes arms"
    sizes = Counter((audience, stratum) for audience, _, _, stratum, *_ in later)
    for group, held in _controls(later).items():
        assert abs(held - SHARES[group[0]] * sizes[group]) < 2, group
    controls = {row[0] for row in control_group(grown, "loyal").collect()}
    assert controls == {person for audience, person, arm, *_ in later if (audience, arm) == ("loyal", "control")}
    both = controls & {person for audience, person, arm, *_ in later if (audience, arm) == ("lapsing", "control")}
    assert len(both) < len(controls) / 2, "the groups of two audiences are drawn apart"


def test_a_share_that_changes_is_the_share_of_those_who_come(spark: SparkSession) -> None:
    first = assign_arms(table_rows(spark, "holdouts", []), _members(spark, "a", people=200), {"a": 0.1}, KEY, DAYS[0])
    rows = _rows(assign_arms(first, _members(spark, "a", people=400), {"a": 0.5}, KEY, DAYS[1]))
    new = [row for row in rows if row[4] == DAYS[1]]
    assert abs(sum(row[2] == "control" for row in new) - 100) <= 6


def test_few_who_come_one_by_one_are_held_out_by_chance(spark: SparkSession) -> None:
    rows = [("a", f"p{number}", f"s{number}") for number in range(1000)]
    alone = spark.createDataFrame(rows, "audience string, person_id string, segment_id string")
    held = _rows(assign_arms(table_rows(spark, "holdouts", []), alone, {"a": 0.3}, KEY, DAYS[0]))
    share = sum(row[2] == "control" for row in held) / 1000
    assert 0.25 < share < 0.35, "each the only one of a segment"


def test_the_control_group_of_all_campaigns_is_in_no_test_of_one(spark: SparkSession) -> None:
    everyone = _members(spark, "loyal", people=400).drop("audience")
    members = _members(spark, "loyal", "lapsing", people=300)
    before = assign_arms(
        table_rows(spark, "holdouts", []), _members(spark, "loyal", people=40), {"loyal": 0.5}, KEY, DAYS[0]
    ).localCheckpoint()

    found = assign_apart(before, everyone, members, 0.1, SHARES, KEY, DAYS[1]).localCheckpoint()
    rows = _rows(found)
    assert _rows(before) < rows, "who had an arm keeps it"
    overall = {person: arm for audience, person, arm, *_ in rows if audience == "all_campaigns"}
    assert len(overall) == 400
    assert {(c, round(n)) for (a, c), n in _controls(rows).items() if a == "all_campaigns"} == {
        ("s-1", 30),
        ("s-2", 5),
        ("none", 5),
    }
    held_out = {person for person, arm in overall.items() if arm == "control"}
    had = {person for _, person, *_ in _rows(before)}
    tested = {(audience, person) for audience, person, *_ in rows if audience != "all_campaigns"}
    assert tested == {(a, f"p{n:05}") for a in SHARES for n in range(300) if f"p{n:05}" not in held_out} | {
        ("loyal", person) for person in had
    }
    assert {row[0] for row in control_group(found, "lapsing", "all_campaigns").collect()} == held_out | {
        person for audience, person, arm, *_ in rows if (audience, arm) == ("lapsing", "control")
    }
    assert _rows(assign_apart(found, everyone, members, 0.1, SHARES, KEY, DAYS[1])) == rows, "run again"
    assert _rows(assign_apart(found, everyone, members, 0.1, SHARES, KEY, DAYS[2])) == rows, "nobody new"
