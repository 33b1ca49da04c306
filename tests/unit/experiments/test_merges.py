"""People of different arms who turned out to be one."""

from __future__ import annotations

from datetime import date, datetime

from pyspark.sql import DataFrame, SparkSession
from tests.factories import identity_rows, table_rows

from segmentation.experiments.merges import find_merged, follow_merges

TRUST = ["user_id", "cookie"]


def _history(spark: SparkSession, *periods: tuple[str, str, int, int | None]) -> DataFrame:
    """Identifier, person, and from and to which day of March it was theirs."""
    rows = [
        {"identifier_type": identifier.split(":")[0], "identifier_value": identifier.split(":")[1]}
        | {"person_id": person, "valid_from": datetime(2026, 3, start), "change": "new"}
        | {"valid_to": end and datetime(2026, 3, end)}
        for identifier, person, start, end in periods
    ]
    return table_rows(spark, "identity_history", rows)


def _holdouts(spark: SparkSession, *rows: tuple[str, str, str, int, str | None]) -> DataFrame:
    """Audience, person, arm, day of March, and the other arm."""
    names = ("audience", "person_id", "arm", "assigned_as_of", "other_arm")
    named = [dict(zip(names, row, strict=True)) | {"stratum": f"of {row[1]}"} for row in rows]
    return table_rows(
        spark, "holdouts", [{**row, "assigned_as_of": date(2026, 3, int(row["assigned_as_of"]))} for row in named]
    )


def test_a_person_became_who_has_the_most_trusted_of_what_the_person_had_last(spark: SparkSession) -> None:
    history = _history(
        spark,
        ("user_id:went-before", "old", 1, 2),
        ("cookie:1", "old", 1, 5),
        ("user_id:2", "old", 2, 5),
        ("user_id:3", "old", 3, 5),
        ("cookie:4", "stays", 1, 5),
        ("cookie:5", "no longer known", 1, 5),
        ("cookie:6", "in no arm", 1, 5),
    )
    owners = {("user_id", "went-before"): "x", ("cookie", "1"): "y", ("user_id", "2"): "heir", ("user_id", "3"): "z"}
    owners |= {("cookie", "4"): "heir", ("cookie", "7"): "stays", ("cookie", "6"): "heir"}
    people = [("a", who, "control", 1, None) for who in ("old", "stays", "no longer known")]
    holdouts = _holdouts(spark, *people, ("b", "old", "treated", 1, None))
    found = find_merged(holdouts, history, identity_rows(spark, owners), TRUST)
    assert [tuple(row) for row in found.collect()] == [("old", "heir")]


def test_the_first_arm_stands_and_the_other_is_kept_in_mind(spark: SparkSession) -> None:
    # Who of old, older and heir, who are one, was in which arm, since when, and in which other -> what holds.
    cases: list[tuple[list[tuple[str, str, int, str | None]], tuple[str, str, int, str | None]]] = [
        ([("old", "control", 1, None), ("heir", "treated", 2, None)], ("control", "of old", 1, "treated")),
        ([("old", "control", 2, None), ("heir", "treated", 1, None)], ("treated", "of heir", 1, "control")),
        ([("old", "control", 2, None), ("heir", "control", 1, None)], ("control", "of heir", 1, None)),
        ([("old", "control", 2, None), ("heir", "treated", 2, None)], ("treated", "of heir", 2, "control")),
        ([("old", "control", 2, None), ("older", "treated", 2, None)], ("control", "of old", 2, "treated")),
        ([("old", "control", 1, "treated"), ("heir", "control", 2, None)], ("control", "of old", 1, "treated")),
        ([("old", "control", 2, None)], ("control", "of old", 2, None)),
        ([("heir", "treated", 9, None)], ("treated", "of heir", 9, None)),
    ]
    rows = [(f"a{number}", *row) for number, (people, _) in enumerate(cases) for row in people]
    holdouts = _holdouts(spark, *rows, ("a0", "somebody", "control", 9, None))
    merged = spark.createDataFrame([("old", "heir"), ("older", "heir")], "person_id string, now string")
    expected = {
        (f"a{number}", "heir", arm, stratum, date(2026, 3, day), other)
        for number, (_, (arm, stratum, day, other)) in enumerate(cases)
    } | {("a0", "somebody", "control", "of somebody", date(2026, 3, 9), None)}
    followed = follow_merges(holdouts, merged).localCheckpoint()
    found = [tuple(row) for row in followed.collect()]
    assert (len(found), set(found)) == (len(expected), expected)
    assert {tuple(row) for row in follow_merges(followed, merged).collect()} == expected, "done again"
