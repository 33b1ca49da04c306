"""What people said yes or no to, and what counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from tests.factories import event_rows, identity_rows, minimal_settings, table_rows

from segmentation.activation.consent import (
    consenting_people,
    keep_consenting,
    keep_newest,
    read_signals,
    read_statements,
)
from segmentation.config.consent import GlobalPrivacyControl

NOON = datetime(2026, 3, 1, 12)
RULES = minimal_settings(
    consent=[
        {
            "purpose": "marketing",
            "grants": {"event": "joined"},
            "withdraws": {"any": [{"event": "left"}, {"field": "properties.gpc", "equals": "1"}]},
        },
        {
            "purpose_field": "properties.purpose",
            "grants": {"all": [{"event": "consent"}, {"field": "properties.value", "equals": "yes"}]},
            "withdraws": {"all": [{"event": "consent"}, {"not": {"field": "properties.value", "equals": "yes"}}]},
        },
    ]
).consent


def test_statements_are_read_from_events(spark: SparkSession) -> None:
    events = event_rows(
        spark,
        [
            {"event_name": "joined", "identifiers": {"cookie": "c1", "user_id": "u1"}},
            {"event_name": "joined", "properties": {"gpc": "1"}},
            {"event_name": "view", "properties": {"gpc": "0", "purpose": "ads"}},
            {"event_name": "consent", "properties": {"purpose": " Ads ", "value": "yes"}},
            {"event_name": "consent", "properties": {"purpose": "ads"}},
            {"event_name": "consent", "properties": {"purpose": " ", "value": "yes"}},
            {"event_name": "consent", "properties": {"value": "yes"}},
            {"event_name": "joined", "identifiers": {"unknown": "x"}},
        ],
    )
    found = read_statements(events, RULES, ["user_id", "cookie"]).collect()
    columns = ("event_id", "identifier_type", "identifier_value", "purpose", "granted", "consent_ts")
    assert sorted(tuple(row[column] for column in columns) for row in found) == [
        ("e0000", "user_id", "u1", "marketing", True, NOON),
        ("e0001", "user_id", "u", "marketing", False, NOON),
        ("e0003", "user_id", "u", "ads", True, NOON),
        ("e0004", "user_id", "u", "ads", False, NOON),
    ]


def _said(spark: SparkSession, *statements: tuple[str, str, bool, int]) -> DataFrame:
    rows: list[dict[str, Any]] = [
        {
            "identifier_type": "user_id",
            "identifier_value": who,
            "purpose": purpose,
            "granted": granted,
            "consent_ts": datetime(2026, 3, day),
            "source": "web",
            "event_id": f"e{number}",
            "batch_id": "b",
        }
        for number, (who, purpose, granted, day) in enumerate(statements)
    ]
    return table_rows(spark, "consent", rows)


def test_the_newest_statement_of_a_person_counts_and_absence_is_no(spark: SparkSession) -> None:
    people = {
        "yes": "p1",
        "back": "p2",
        "gone": "p3",
        "torn": "p4",
        "other": "p5",
        "two": "p6",
        "too": "p6",
        "mute": "p",
    }
    owners = identity_rows(spark, {("user_id", value): person for value, person in people.items()})
    said = _said(
        spark,
        ("yes", "marketing", True, 1),
        ("back", "marketing", False, 1),
        ("back", "marketing", True, 2),
        ("gone", "marketing", True, 1),
        ("gone", "marketing", False, 2),
        ("torn", "marketing", True, 1),
        ("torn", "marketing", False, 1),
        ("other", "ads", True, 1),
        ("two", "marketing", True, 1),
        ("too", "marketing", False, 3),
        ("nobody's", "marketing", True, 1),
    )
    found = {row["person_id"] for row in consenting_people(said, owners, "marketing").collect()}
    assert found == {"p1", "p2"}


def test_a_privacy_signal_is_a_no_to_sale_and_sharing_once_a_day(spark: SparkSession) -> None:
    device = {"identifiers": {"cookie": "c1"}}
    events = event_rows(
        spark,
        [
            {**device, "properties": {"gpc": "1"}},
            {**device, "properties": {"gpc": " True "}, "event_ts": datetime(2026, 3, 1, 13)},
            {**device, "properties": {"gpc": "1"}, "event_ts": datetime(2026, 3, 2)},
            *({**device, "properties": {"gpc": text}} for text in ("0", "false", "", "unset")),
            {**device, "properties": {"page": "1"}},
            {**device, "properties": None},
        ],
    )
    control = GlobalPrivacyControl(property="gpc")
    said = keep_newest(read_signals(events, control, ["user_id", "cookie"])).drop("source", "batch_id").collect()
    assert sorted(map(tuple, said)) == [
        ("cookie", "c1", purpose, False, ts, event_id)
        for purpose in ("sale", "sharing")
        for ts, event_id in ((datetime(2026, 3, 1, 13), "e0001"), (datetime(2026, 3, 2), "e0002"))
    ]


def test_who_has_not_granted_what_an_audience_is_for_is_not_in_it(spark: SparkSession) -> None:
    consent = _said(spark, ("u1", "ads", True, 1), ("u2", "ads", True, 1), ("u2", "ads", False, 3))
    owners = identity_rows(spark, {("user_id", f"u{n}"): f"p{n}" for n in (1, 2, 3)})
    pairs = [(audience, f"p{n}") for audience in ("asking", "not asking") for n in (1, 2, 3)]
    members = spark.createDataFrame(pairs, "audience string, person_id string")

    def asking(day: int) -> list[str]:
        kept = keep_consenting(members, {"asking": "ads"}, consent, owners, datetime(2026, 3, day)).collect()
        assert [row["audience"] for row in kept].count("not asking") == 3
        return sorted(row["person_id"] for row in kept if row["audience"] == "asking")

    assert asking(3) == ["p1", "p2"]
    assert asking(4) == ["p1"], "since it was withdrawn"
    assert asking(1) == []
