"""Whom a destination has, put together from what its deliveries changed."""

from __future__ import annotations

import random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.factories import table_rows

from segmentation.activation.changes import compare_members, hash_members
from segmentation.activation.held import list_changed, list_everyone, read_held, who_has_forgotten
from segmentation.activation.log import LastDelivery


@pytest.mark.parametrize("seed", range(2))
def test_deliveries_that_wrote_what_changed_come_to_what_everyone_would(spark: SparkSession, seed: int) -> None:
    draw = random.Random(seed)
    rows, last, held = table_rows(spark, "export_members", []), None, None
    for number in range(1, 7):
        people = [(f"p{n}", draw.choice("ab")) for n in range(30) if draw.random() < 0.9]
        now = hash_members(spark.createDataFrame(people, "person_id string, segment_id string"))
        changed = list_changed(compare_members(held, now))
        everyone = last is None or number == 4
        written = list_everyone(held, changed) if everyone else changed
        whose = {"destination": F.lit("crm"), "delivery": F.lit(number)}
        rows = rows.unionByName(written.withColumns(whose)).localCheckpoint()
        base = number if last is None or everyone else last.everyone
        last = LastDelivery(number, 1, None, "f", None, people=len(people), everyone=base, changes=0)
        held = read_held(rows, "crm", last)
        assert sorted(held.collect()) == sorted(now.collect())
    assert read_held(rows, "mail", last).isEmpty()


def test_whoever_was_erased_is_found_also_where_they_had_been_taken_out(spark: SparkSession) -> None:
    told = [("crm", 1, "p1", False), ("crm", 2, "erased-00", True), ("mail", 1, "p1", False)]
    names = ("destination", "delivery", "person_id", "gone")
    rows = table_rows(spark, "export_members", [{"told": 1, **dict(zip(names, row, strict=True))} for row in told])
    assert who_has_forgotten(rows) == {"crm"}
