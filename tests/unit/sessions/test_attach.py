"""Whose an event is, and which events count."""

from __future__ import annotations

from datetime import date, datetime

from pyspark.sql import SparkSession
from tests.factories import event_rows, identity_rows

from segmentation.sessions.attach import attach_persons, keep_behaviour


def test_an_event_belongs_to_the_person_of_its_most_trusted_identifier(spark: SparkSession) -> None:
    events = event_rows(
        spark,
        [
            {"event_id": "both", "identifiers": {"cookie": "c1", "user_id": "u1"}},
            {"event_id": "cookie", "identifiers": {"cookie": "c1"}},
            {"event_id": "same value, other type", "identifiers": {"cookie": "u1"}},
            {"event_id": "an empty one", "identifiers": {"cookie": "c1", "user_id": ""}},
            {"event_id": "nobody's", "identifiers": {"cookie": "c9"}},
            {"event_id": "of no known type", "identifiers": {"fax": "1"}},
        ],
    ).drop("person_id")
    owners = {("user_id", "u1"): "ann", ("cookie", "c1"): "bob", ("cookie", "u1"): "cy"}
    attached = attach_persons(events, identity_rows(spark, owners), ["user_id", "cookie"])
    assert attached.columns.count("person_id") == 1
    assert {r["event_id"]: r["person_id"] for r in attached.collect()} == {
        "both": "ann",
        "cookie": "bob",
        "an empty one": "bob",
        "same value, other type": "cy",
    }


def test_bots_tests_and_the_future_do_not_count(spark: SparkSession) -> None:
    events = event_rows(
        spark,
        [
            {"event_id": "last moment", "event_ts": datetime(2026, 3, 1, 23, 59, 59, 999999)},
            {"event_id": "next day", "event_ts": datetime(2026, 3, 2)},
            {"event_id": "bot", "is_bot": True},
            {"event_id": "test", "is_test": True},
        ],
    )
    kept = keep_behaviour(events, date(2026, 3, 1), ["bots", "tests"])
    assert [r["event_id"] for r in kept.collect()] == ["last moment"]
