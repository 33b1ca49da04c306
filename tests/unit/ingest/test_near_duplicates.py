"""Which events are the same, sent twice a moment apart."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession
from tests.factories import event_rows

from segmentation.ingest.near_duplicates import split_near_duplicates

START = datetime(2026, 3, 1, 10)


def at(event_id: str, seconds: float, **changes: Any) -> dict[str, Any]:
    return {"event_id": event_id, "event_ts": START + timedelta(seconds=seconds), **changes}


def test_a_run_of_copies_is_the_first_that_was_there(spark: SparkSession) -> None:
    batch = [
        at("a", 0), at("b", 0.8), at("c", 1.6),  # each within a second of the one before
        at("d", 2.7),  # more than a second later
        at("same moment 2", 60), at("same moment 1", 60),
        at("another person", 0.1, identifiers={"user_id": "other"}),
        at("another page", 0.2, properties={"page": "/other"}),
        at("before one that is there", 99.5), at("after it", 100.5),
        at("exactly the tolerance", 200), at("exactly the tolerance later", 201),
    ]  # fmt: skip
    earlier = event_rows(spark, [at("there", 100)])
    stays = {"a", "d", "same moment 1", "another person", "another page", "exactly the tolerance"}
    for rows in (batch, batch[::-1]):
        new, repeats = split_near_duplicates(event_rows(spark, rows).repartition(3), earlier, 1)
        assert {row.event_id for row in new.collect()} == stays
        assert {row.event_id for row in repeats.collect()} == {str(row["event_id"]) for row in batch} - stays


def test_where_the_last_is_to_stay_it_does_unless_one_was_there(spark: SparkSession) -> None:
    batch = event_rows(spark, [at("a", 0), at("b", 0.8), at("c", 1.6), at("before one that is there", 99.5)])
    new, repeats = split_near_duplicates(batch, event_rows(spark, [at("there", 100)]), 1, "last")
    assert {row.event_id for row in new.collect()} == {"c"}
    assert repeats.count() == 3
