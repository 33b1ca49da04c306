"""The shipped features on people whose figures can be reckoned by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import log2
from random import Random
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession
from tests.factories import event_rows

from segmentation.config.feature_library import LibraryName
from segmentation.config.features import FeatureSettings
from segmentation.config.rules import Rule
from segmentation.config.sessions import SessionSettings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.features.build import measure_features
from segmentation.features.catalogue import feature_catalogue
from segmentation.sessions.cut import cut_sessions

AS_OF = date(2026, 3, 31)
SETTINGS = FeatureSettings(
    library=list(get_args(LibraryName)),
    passive_events=["mail_sent"],
    half_life_days=10,
    event_weights={"view": 1, "buy": 2.5},
    funnel=["view", "cart", "buy"],
    category="properties.category",
    discount=Rule(field="properties.coupon", exists=True),
)


def _at(day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute)


PEOPLE: dict[str, list[dict[str, Any]]] = {
    # Three baskets on days 1, 11 and 31, one of them of two lines, and a return; a Sunday (1) and two weekdays.
    "buyer": [
        {"event_ts": _at(1, 9), "event_name": "buy", "amount": 10, "session_key": "a", "platform": "web",
         "properties": {"category": "tea", "coupon": "X", "channel": "mail", "device": "phone"}},
        {"event_ts": _at(1, 9, 1), "event_name": "buy", "amount": 5.5, "session_key": "a", "platform": "web",
         "properties": {"category": "cups"}},
        {"event_ts": _at(11, 19), "event_name": "view", "platform": "app",
         "properties": {"category": "rice", "coupon": "Y", "channel": "ads", "device": "laptop"}},
        {"event_ts": _at(11, 19, 5), "event_name": "buy", "amount": 20, "session_key": "b", "platform": "app",
         "properties": {"category": "tea"}},
        {"event_ts": _at(21, 23), "event_name": "return", "amount": -4, "session_key": "c", "platform": "web",
         "properties": {"category": "cups", "channel": "ads", "device": "phone"}},
        {"event_ts": _at(31, 3), "event_name": "buy", "amount": 30.25, "platform": None},
    ],
    "looker": [
        {"event_ts": _at(21, 13), "event_name": "view"},
        {"event_ts": _at(21, 13, 10), "event_name": "cart"},
        {"event_ts": _at(30, 12), "event_name": "mail_sent"},
    ],
    "only mailed": [{"event_ts": _at(30, 12), "event_name": "mail_sent"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(spark: SparkSession) -> dict[str, dict[str, Any]]:
    events = event_rows(spark, [{"person_id": who, **row} for who, rows in PEOPLE.items() for row in rows])
    params = SessionSettings(
        conversion_events=["buy"], passive_events=["mail_sent"], channel_property="channel", device_property="device"
    )
    sessions = cut_sessions(events, params, AS_OF, ("user_id",))
    rows = measure_features(events, sessions, SETTINGS, AS_OF).collect()
    return {row["person_id"]: row.asDict() for row in rows}


BUYER = {
    "recency": 0,
    "frequency": 3,
    "monetary": 61.75,
    "average_basket_value": 65.75 / 3,
    "items_per_basket": 4 / 3,
    "tenure": 30,
    "interpurchase_time": 15,
    "interpurchase_cv": 5 / 15,
    "purchase_days": 3,
    "returns_share": 4 / 65.75,
    "inactivity": 0,
    "days_active": 4,
    "active_days_last_30": 3,
    "events": 6,
    "engagement": 2 * 0.125 + 2 * 0.25 + 0.5 + 1,
    "weighted_engagement": 5 * 0.125 + 3.5 * 0.25 + 2.5,
    "sessions": 4,
    "sessions_last_30": 3,
    "session_duration_mean": 360 / 4,
    "session_duration_median": 30,
    "events_per_session": 1.5,
    "bounce_rate": 0.5,
    "conversion_rate": 0.75,
    "weekend_share": 3 / 6,
    "morning_share": 2 / 6,
    "afternoon_share": 0,
    "evening_share": 2 / 6,
    "night_share": 2 / 6,
    "platforms": 2,
    "platform_entropy": -(0.6 * log2(0.6) + 0.4 * log2(0.4)),
    "monday_share": 0,
    "tuesday_share": 1 / 6,
    "wednesday_share": 2 / 6,
    "thursday_share": 0,
    "friday_share": 0,
    "saturday_share": 1 / 6,
    "sunday_share": 2 / 6,
    "channels": 2,
    "channel_entropy": -(log2(1 / 3) / 3 + log2(2 / 3) * 2 / 3),
    "devices": 2,
    "device_entropy": -(log2(1 / 3) / 3 + log2(2 / 3) * 2 / 3),
    "category_affinity": 2 / 3,
    "category_affinity_by_amount": 30 / 35.5,
    "category_entropy": -(log2(1 / 3) / 3 + log2(2 / 3) * 2 / 3),
    "discount_share": 1 / 4,
    "funnel_stage": 3,
    "clv_frequency": 2,
    "clv_recency": 30,
    "clv_age": 30,
    "clv_monetary": 50.25 / 2,
}
LOOKER = {
    "recency": 10,
    "frequency": 0,
    "monetary": 0,
    "average_basket_value": 0,
    "tenure": 10,
    "interpurchase_time": 365,
    "interpurchase_cv": 1,
    "inactivity": 10,
    "days_active": 1,
    "events": 2,
    "engagement": 1,
    "sessions": 1,
    "session_duration_mean": 600,
    "bounce_rate": 0,
    "conversion_rate": 0,
    "afternoon_share": 1,
    "platforms": 0,
    "platform_entropy": 0,
    "saturday_share": 1,
    "channels": 0,
    "device_entropy": 0,
    "category_affinity": 0,
    "category_affinity_by_amount": 0,
    "discount_share": 0,
    "funnel_stage": 2,
    "clv_frequency": 0,
    "clv_monetary": 0,
}
ONLY_MAILED = {
    "recency": 1,
    "events": 0,
    "engagement": 0,
    "tenure": 0,
    "sessions": 0,
    "weekend_share": 0,
    "days_active": 0,
}


@pytest.mark.parametrize(
    ("who", "feature", "expected"),
    [
        (who, *item)
        for who, figures in (("buyer", BUYER), ("looker", LOOKER), ("only mailed", ONLY_MAILED))
        for item in figures.items()
    ],
)
def test_a_shipped_feature(measured: dict[str, dict[str, Any]], who: str, feature: str, expected: float) -> None:
    assert measured[who][feature] == pytest.approx(expected, abs=1e-9)


def test_trends_are_slopes_over_weeks_by_their_mean(measured: dict[str, dict[str, Any]]) -> None:
    weeks = [0.0] * 12
    for row in PEOPLE["buyer"]:
        weeks[11 - (AS_OF - row["event_ts"].date()).days // 7] += 1
    mean_week = sum(range(12)) / 12
    slope = sum((x - mean_week) * y for x, y in enumerate(weeks)) / sum((x - mean_week) ** 2 for x in range(12))
    assert measured["buyer"]["activity_trend"] == pytest.approx(slope / (sum(weeks) / 12))
    assert measured["buyer"]["spend_trend"] > 0
    assert measured["only mailed"]["activity_trend"] == 0


def test_nobody_has_a_gap_where_a_number_belongs(measured: dict[str, dict[str, Any]]) -> None:
    assert set(measured) == set(PEOPLE)
    assert all(value is not None for row in measured.values() for value in row.values())


def _clv(rows: list[dict[str, Any]], length: int) -> dict[str, float]:
    """x, t_x, T and the mean value of Fader, Hardie and Lee, with the purchases within a period taken as one."""
    spent: dict[int, float] = {}
    for row in rows:
        if (row.get("amount") or 0) > 0:
            back = (AS_OF - row["event_ts"].date()).days // length
            spent[back] = spent.get(back, 0) + row["amount"]
    if not spent:
        return dict.fromkeys(("clv_frequency", "clv_recency", "clv_age", "clv_monetary"), 0)
    later = [value for back, value in spent.items() if back != max(spent)]
    return {
        "clv_frequency": len(later),
        "clv_recency": max(spent) - min(spent),
        "clv_age": max(spent),
        "clv_monetary": sum(later) / len(later) if later else 0,
    }


@pytest.mark.parametrize("length", [1, 7, 21])
def test_purchases_within_a_period_are_one(spark: SparkSession, length: int) -> None:
    draw = Random(4)
    people = {
        f"p{number}": [
            {"event_ts": _at(draw.randint(1, 31)), "amount": draw.choice([None, -3, 2.5, 8])}
            for _ in range(draw.randint(1, 9))
        ]
        for number in range(40)
    }
    events = event_rows(spark, [{"person_id": who, **row} for who, rows in people.items() for row in rows])
    library = ["clv_frequency", "clv_recency", "clv_age", "clv_monetary"]
    settings = FeatureSettings.model_validate({"library": library, "clv_period_days": length})
    sessions = spark.createDataFrame([], CATALOGUE["sessions"].schema)
    for row in measure_features(events, sessions, settings, AS_OF).collect():
        assert {name: row[name] for name in library} == pytest.approx(_clv(people[row["person_id"]], length))
    unit = "days" if length == 1 else "periods"
    words = feature_catalogue(settings)["clv_age"]
    assert (words.label, words.unit) == (f"{unit} since first purchase", unit)


def test_the_channel_that_came_first_and_the_one_that_came_last(spark: SparkSession) -> None:
    day = datetime(2026, 3, 1, 12)

    def visit(number: int, days: int, channel: str | None, who: str = "p") -> dict[str, object]:
        when, properties = day + timedelta(days=days), {"channel": channel} if channel else {}
        return {"event_id": f"e{number}", "event_ts": when, "person_id": who, "properties": properties}

    events = event_rows(
        spark,
        [
            visit(0, 0, None),
            visit(2, 1, "mail"),
            visit(1, 1, "search"),
            visit(3, 5, "search"),
            visit(4, 9, "ads"),
            visit(5, 9, None),
            visit(6, 3, None, who="nobody knows"),
            visit(7, 3, "other", who="elsewhere"),
        ],
    )
    touches = [
        {"name": f"{which}_channel", "field": "properties.channel", "touch": which, "values": ["search", "mail", "ads"]}
        for which in ("first", "last")
    ]
    recent = {**touches[1], "name": "recent_channel", "touch": "first", "window_days": 6}
    settings = FeatureSettings.model_validate({"library": [], "mixes": [*touches, recent]})
    sessions = spark.createDataFrame([], CATALOGUE["sessions"].schema)
    measured = measure_features(events, sessions, settings, date(2026, 3, 10))
    found = {row["person_id"]: tuple(int(row[name]) for name in settings.names()) for row in measured.collect()}
    # Of two at one moment the one with the smaller id is first.
    assert found["p"] == (1, 0, 0, 0, 0, 1, 1, 0, 0)
    assert found["nobody knows"] == found["elsewhere"] == (0,) * 9


def test_a_touch_has_neither_shares_nor_an_entropy() -> None:
    touch = {"name": "c", "field": "platform", "values": ["web"], "touch": "first"}
    assert FeatureSettings.model_validate({"library": [], "mixes": [touch]}).names() == ["c_web"]
    with pytest.raises(ValidationError, match="of and entropy go with shares"):
        FeatureSettings.model_validate({"library": [], "mixes": [{**touch, "entropy": True}]})


def test_mixes_of_sessions_and_of_the_clock(spark: SparkSession) -> None:
    came = [(1, "mail", "phone"), (2, "ads", "phone"), (3, None, "laptop"), (4, "ads", "phone"), (9, "web", "tv")]
    events = event_rows(
        spark,
        [
            {"event_ts": _at(day), "properties": {"channel": channel, "device": device} if channel else {}}
            for day, channel, device in came
        ],
    )
    named = [{"name": name, "values": ["ads", "mail"]} for name in ("channel", "first_touch", "last_touch")]
    mixes = [*named, {"name": "device", "values": ["phone"]}, {"name": "day", "field": "weekday", "values": ["1", "7"]}]
    settings = FeatureSettings.model_validate({"library": [], "mixes": mixes})
    params = SessionSettings(channel_property="channel", device_property="device")
    sessions = cut_sessions(events, params, AS_OF, ("user_id",))
    (row,) = measure_features(events, sessions, settings, AS_OF).collect()
    assert {name: row[name] for name in settings.names()} == pytest.approx(
        {
            "channel_ads_share": 2 / 4,
            "channel_mail_share": 1 / 4,
            "channel_entropy": 1.5,
            "first_touch_ads": 0,
            "first_touch_mail": 1,
            "last_touch_ads": 0,
            "last_touch_mail": 0,
            "device_phone_share": 3 / 4,
            "device_entropy": -(log2(3 / 4) * 3 / 4 + log2(1 / 4) / 4),
            "day_1_share": 2 / 5,
            "day_7_share": 1 / 5,
            "day_entropy": -(log2(2 / 5) * 2 / 5 * 2 + log2(1 / 5) / 5),
        }
    )
