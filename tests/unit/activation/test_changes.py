"""What changed at a destination."""

from __future__ import annotations

from pyspark.sql import SparkSession

from segmentation.activation.changes import Difference, count_difference, hash_members

SCHEMA = "person_id string, segment_id string, segment_version bigint"


def test_people_are_counted_against_those_delivered_before(spark: SparkSession) -> None:
    before = spark.createDataFrame([("p1", "s-1", 3), ("p2", "s-1", 3), ("p3", None, 3), ("p4", "s-1", 3)], SCHEMA)
    now = spark.createDataFrame([("p1", "s-1", 4), ("p2", "s-2", 4), ("p3", None, 4), ("p5", "s-1", 4)], SCHEMA)
    told, held = hash_members(now), hash_members(before)
    difference = count_difference(held, told)
    assert difference == Difference(added=1, removed=1, unchanged=2, changed=1)
    assert difference.rows == 4
    assert count_difference(None, told) == Difference(added=4, removed=0, unchanged=0, changed=0)
    assert count_difference(held.limit(0), told.limit(0)) == Difference(0, 0, 0, 0)
    assert count_difference(held, hash_members(before.drop("segment_id"))).changed == 4, (
        "other columns tell other things"
    )
