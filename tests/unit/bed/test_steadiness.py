"""What changed between two versions and is not explained: cases by hand."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from segmentation.bed.steadiness import (
    find_regrouped,
    share_of_persons_changed_without_cause,
    share_of_segments_changed_without_cause,
)

MAP = "identifier_type string, identifier_value string, person_id string"


def _map(spark: SparkSession, **owners: str) -> DataFrame:
    return spark.createDataFrame([("cookie", value, person) for value, person in owners.items()], MAP)


def test_people_who_lose_an_identifier_for_no_reason_are_counted_once(spark: SparkSession) -> None:
    before = _map(spark, a="p", b="p", c="q", d="r", e="s")
    now = _map(spark, a="x", b="x", c="y", d="r", f="z")
    history = spark.createDataFrame(
        [("cookie", "a", "p", "new"), ("cookie", "a", "x", "new"), ("cookie", "c", "y", "split")],
        f"{MAP}, change string",
    )
    assert share_of_persons_changed_without_cause(before, now, history) == 1 / 3, "p, of p, q and r"
    assert share_of_persons_changed_without_cause(before, before, history) == 0
    assert sorted(row["person_id"] for row in find_regrouped(before, now).collect()) == ["p", "q", "x", "y"]


def test_people_whose_move_is_in_no_change_are_counted(spark: SparkSession) -> None:
    columns = "person_id string, segment_id string"
    before = spark.createDataFrame([("a", "s"), ("b", "s"), ("c", "s"), ("d", "t"), ("gone", "t")], columns)
    now = spark.createDataFrame([("a", "t"), ("b", "t"), ("c", "s"), ("d", "s"), ("new", "t")], columns)
    changes = spark.createDataFrame([("a", "behaviour"), ("d", None)], "person_id string, cause string")
    assert share_of_segments_changed_without_cause(before, now, changes) == 2 / 4, "b and d, of a, b, c and d"
