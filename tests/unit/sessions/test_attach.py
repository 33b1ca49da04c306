"""Whose an event is, and which events count."""

from __future__ import annotations

from datetime import date, datetime

from pyspark.sql import SparkSession
from tests.factories import event_rows, identity_rows, minimal_settings, table_rows

from segmentation.sessions.attach import attach_persons, keep_behaviour, map_then, owners_then


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


def test_bots_tests_links_and_the_future_do_not_count(spark: SparkSession) -> None:
    events = event_rows(
        spark,
        [
            {"event_id": "last moment", "event_ts": datetime(2026, 3, 1, 23, 59, 59, 999999)},
            {"event_id": "next day", "event_ts": datetime(2026, 3, 2)},
            {"event_id": "bot", "is_bot": True},
            {"event_id": "test", "is_test": True},
            {"event_id": "of a link table", "event_name": "linked"},
        ],
    )
    settings = minimal_settings(identity={"identifiers": {"user_id": {}, "cookie": {}}, "link_events": ["linked"]})
    kept = keep_behaviour(events, date(2026, 3, 1), settings)
    assert [r["event_id"] for r in kept.collect()] == ["last moment"]


def test_only_what_was_received_by_the_end_of_the_date_counts_where_that_is_asked(spark: SparkSession) -> None:
    at = datetime(2026, 3, 1, 12)
    events = event_rows(
        spark,
        [
            {"event_id": "in time", "event_ts": at, "received_ts": datetime(2026, 3, 1, 23, 59, 59)},
            {"event_id": "late", "event_ts": at, "received_ts": datetime(2026, 3, 2)},
            {"event_id": "nobody knows", "event_ts": at},
        ],
    )
    for asked, expected in (
        ("received", {"in time", "nobody knows"}),
        ("happened", {"in time", "late", "nobody knows"}),
    ):
        settings = minimal_settings(point_in_time={"events": asked})
        kept = keep_behaviour(events, date(2026, 3, 1), settings)
        assert {row["event_id"] for row in kept.collect()} == expected


def test_owners_of_then_are_those_of_the_end_of_the_date(spark: SparkSession) -> None:
    def period(value: str, who: str, start: datetime, end: datetime | None) -> dict[str, object]:
        key = {"identifier_type": "cookie", "identifier_value": value, "person_id": who, "change": "new"}
        return {**key, "valid_from": start, "valid_to": end}

    midnight = datetime(2026, 3, 2)
    history = table_rows(
        spark,
        "identity_history",
        [
            period("moved later", "ann", datetime(2026, 2, 1), midnight),
            period("moved later", "bob", midnight, None),
            period("moved before", "ann", datetime(2026, 2, 1), datetime(2026, 3, 1)),
            period("moved before", "bob", datetime(2026, 3, 1), None),
            period("new later", "cy", datetime(2026, 3, 3), None),
        ],
    )
    found = {row["identifier_value"]: row["person_id"] for row in owners_then(history, date(2026, 3, 1)).collect()}
    assert found == {"moved later": "ann", "moved before": "bob"}
    since = {row["identifier_value"]: row["since"] for row in map_then(history, date(2026, 3, 1)).collect()}
    assert since == {"moved later": datetime(2026, 2, 1), "moved before": datetime(2026, 3, 1)}
