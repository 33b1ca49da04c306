"""What changed at a destination."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from segmentation.activation.changes import (
    Difference,
    add_hashes,
    compare_members,
    count_difference,
    count_misnamed,
    find_gone,
    find_new,
    hash_members,
    sample_difference,
)

SCHEMA = "person_id string, segment_id string, segment_version bigint"


def test_people_are_counted_against_those_delivered_before(spark: SparkSession) -> None:
    before = spark.createDataFrame([("p1", "s-1", 3), ("p2", "s-1", 3), ("p3", None, 3), ("p4", "s-1", 3)], SCHEMA)
    now = spark.createDataFrame([("p1", "s-1", 4), ("p2", "s-2", 4), ("p3", None, 4), ("p5", "s-1", 4)], SCHEMA)
    told, held = hash_members(now), hash_members(before)

    def count(held: DataFrame | None, told: DataFrame) -> Difference:
        return count_difference(compare_members(held, told), held.count() if held else 0)

    difference = count(held, told)
    assert difference == Difference(added=1, removed=1, unchanged=2, changed=1)
    assert difference.rows == 4
    assert count(None, told) == Difference(added=4, removed=0, unchanged=0, changed=0)
    assert count(held.limit(0), told.limit(0)) == Difference(0, 0, 0, 0)
    assert count(held, hash_members(before.drop("segment_id"))).changed == 4, "other columns tell other things"


def test_only_who_makes_a_difference_has_a_row(spark: SparkSession) -> None:
    schema = "person_id string, email string, phone string"
    before = spark.createDataFrame([("p1", "a", "1"), ("p2", "b", "2"), ("p3", "c", "3")], schema)
    now = spark.createDataFrame([("p1", "a", "1"), ("p2", "b", "9"), ("p4", "d", "4")], schema)
    held, told = hash_members(before, ["email"]), add_hashes(now, ["email"])
    changes = compare_members(held, told)
    assert sorted((row["person_id"], row["kind"]) for row in changes.collect()) == [
        ("p2", "changed"),
        ("p3", "removed"),
        ("p4", "added"),
    ]
    new = find_new(changes).orderBy("person_id").select(now.columns).collect()
    assert [row["person_id"] for row in new] == ["p2", "p4"]
    assert new == now.where("person_id IN ('p2', 'p4')").orderBy("person_id").collect(), "with the columns of a file"
    assert sorted(find_gone(changes).collect()) == sorted(held.where("person_id = 'p3'").collect())
    assert sample_difference(changes, 1) == {"added": ["p4"], "changed": ["p2"], "removed": ["p3"]}


@pytest.mark.parametrize(
    ("now", "gone", "misnamed"),
    [
        ({"p1": "a", "p2": "b"}, {}, 0),
        ({"p1": "new", "p2": "b"}, {}, 1),
        ({"p1": "a"}, {"p2": "b"}, 0),
        ({"p1": "a"}, {"p2": "new"}, 1),
        ({"p1": "new"}, {}, 2),
    ],
)
def test_who_is_known_there_by_something_else_is_counted(
    spark: SparkSession, now: dict[str, str], gone: dict[str, str], misnamed: int
) -> None:
    def hashed(people: dict[str, str]) -> DataFrame:
        schema = "person_id string, email string, segment_id string"
        return hash_members(spark.createDataFrame([(*one, "s") for one in people.items()], schema), ["email"])

    changes = compare_members(hashed({"p1": "a", "p2": "b"}), hashed(now))
    assert count_misnamed(changes, hashed(gone)) == misnamed
