"""Cutting events into sessions: hand cases, and a random history against a plain loop."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.factories import event_rows

from segmentation.config.sessions import SessionSettings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import MissingColumnsError
from segmentation.sessions.cut import cut_sessions

AS_OF = date(2026, 3, 31)
NOON = datetime(2026, 3, 1, 12)
TRUST = ("user_id", "cookie")

CASES: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    # (minutes after noon, event, amount) -> (start, events, exit event, end reason, amount)
    "one event alone": ([(0, "view", None)], [(0, 1, "view", "timeout", None)]),
    "a gap of just under the timeout": (
        [(0, "view", None), (29.99, "view", None)],
        [(0, 2, "view", "timeout", None)],
    ),
    "a gap of exactly the timeout": (
        [(0, "view", None), (30, "buy", 5)],
        [(0, 1, "view", "timeout", None), (30, 1, "buy", "timeout", 5)],
    ),
    "at the same moment": ([(0, "b", 2), (0, "a", None)], [(0, 2, "a", "timeout", 2)]),
    "across midnight": ([(719, "view", 1.5), (721, "view", 2)], [(719, 2, "view", "timeout", 3.5)]),
    "an end event in the middle": (
        [(0, "view", 1), (1, "logout", None), (2, "view", 2), (3, "logout", -3)],
        [(0, 2, "logout", "end_event", 1), (2, 2, "logout", "end_event", -1)],
    ),
    "longer than allowed": (
        [(29 * step, "view", 1) for step in range(13)],
        [(0, 5, "view", "max_length", 5), (145, 4, "view", "max_length", 4), (261, 4, "view", "timeout", 4)],
    ),
    "exactly as long as allowed": ([(20 * step, "view", 1) for step in range(7)], [(0, 7, "view", "timeout", 7)]),
    "still open at the end of the day": (
        [(30 * 1440 + 11 * 60 + 35, "view", None)],
        [(30 * 1440 + 11 * 60 + 35, 1, "view", "open", None)],
    ),
    "just closed at the end of the day": (
        [(30 * 1440 + 11 * 60 + 30, "view", None)],
        [(30 * 1440 + 11 * 60 + 30, 1, "view", "timeout", None)],
    ),
}
PARAMS = SessionSettings(end_events=["logout"], max_hours=2, conversion_events=["buy"])


def _at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def cut(spark: SparkSession) -> list[Any]:
    """The sessions of all hand cases, each a person of its own, cut together."""
    events = event_rows(
        spark,
        [
            {"person_id": case, "event_ts": _at(minutes), "event_name": name, "amount": amount}
            for case, (rows, _) in CASES.items()
            for minutes, name, amount in rows
        ],
    )
    return cut_sessions(events, PARAMS, AS_OF, TRUST).orderBy("person_id", "session_start").collect()


@pytest.mark.parametrize("case", CASES)
def test_a_hand_case_is_cut_as_it_should_be(cut: list[Any], case: str) -> None:
    expected = [
        (_at(minutes), events, exit_event, reason, amount)
        for minutes, events, exit_event, reason, amount in CASES[case][1]
    ]
    actual = [
        (s["session_start"], s["events"], s["exit_event"], s["end_reason"], s["amount"])
        for s in cut
        if s["person_id"] == case
    ]
    assert actual == expected


def test_simultaneous_events_are_ordered_by_id(cut: list[Any]) -> None:
    (session,) = (s for s in cut if s["person_id"] == "at the same moment")
    assert (session["entry_event"], session["exit_event"]) == ("b", "a")


def test_bounce_duration_and_conversion(cut: list[Any]) -> None:
    by_case = {case: [s for s in cut if s["person_id"] == case] for case in CASES}
    assert [s["is_bounce"] for s in by_case["a gap of exactly the timeout"]] == [True, True]
    assert [s["converted"] for s in by_case["a gap of exactly the timeout"]] == [False, True]
    assert not by_case["across midnight"][0]["is_bounce"]
    assert by_case["across midnight"][0]["duration_s"] == 120
    assert by_case["one event alone"][0]["duration_s"] == 0


@pytest.mark.parametrize(
    ("day", "sessions"),
    [(date(2026, 3, 29), [2]), (date(2026, 10, 25), [1, 1]), (date(2026, 6, 1), [1, 1])],
    ids=["an hour is left out", "an hour comes twice", "any other day"],
)
def test_gaps_are_those_that_passed_and_not_those_of_the_clock_on_the_wall(
    spark: SparkSession, day: date, sessions: list[int]
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    walls = [datetime(day.year, day.month, day.day, *at, tzinfo=berlin) for at in ((1, 50), (3, 10))]
    events = event_rows(spark, [{"event_ts": wall.astimezone(UTC).replace(tzinfo=None)} for wall in walls])
    found = cut_sessions(events, SessionSettings(), date(2026, 12, 31), TRUST).orderBy("session_start").collect()
    assert [session["events"] for session in found] == sessions
    assert [session["duration_s"] for session in found] == ([20 * 60] if sessions == [2] else [0, 0])


def test_a_session_keeps_its_id_when_people_turn_out_to_be_one(spark: SparkSession) -> None:
    rows = [
        {"person_id": "p", "event_ts": _at(0)},
        {"person_id": "q", "event_ts": _at(10)},
        {"person_id": "p", "event_ts": _at(200)},
        {"person_id": "q", "event_ts": _at(400)},
    ]

    def ids(owner: str | None) -> dict[datetime, str]:
        events = event_rows(spark, [{**row, "person_id": owner or row["person_id"]} for row in rows])
        found = cut_sessions(events, SessionSettings(), AS_OF, TRUST)
        return {session["session_start"]: session["session_id"] for session in found.collect()}

    before, after = ids(None), ids("p")
    # The second joins the first, which keeps its id; the others were there alone and are.
    assert len(set(before.values())) == 4
    assert after == {start: before[start] for start in (_at(0), _at(200), _at(400))}


def test_the_rows_are_the_tables(spark: SparkSession) -> None:
    sessions = cut_sessions(event_rows(spark, [{}]), SessionSettings(), AS_OF, TRUST)
    table = CATALOGUE["sessions"]
    assert [(f.name, f.dataType) for f in sessions.schema] == [(c.name, c.type) for c in table.columns]


def test_boundary_same_keeps_a_gap_of_exactly_the_timeout(spark: SparkSession) -> None:
    events = event_rows(spark, [{}, {"event_ts": _at(30)}, {"event_ts": _at(60.001)}])
    sessions = cut_sessions(events, SessionSettings(boundary="same"), AS_OF, TRUST)
    assert [s["events"] for s in sessions.orderBy("session_start").collect()] == [2, 1]


def test_a_trusted_source_session_is_taken_whole(spark: SparkSession) -> None:
    rows = [
        {"session_key": "a", "event_ts": _at(0)},
        {"session_key": "b", "event_ts": _at(1)},
        {"session_key": None, "event_ts": _at(2)},
        {"session_key": "a", "event_ts": _at(3000), "event_name": "logout"},
        {"session_key": "a", "event_ts": _at(3001)},
        {"session_key": "a", "event_ts": _at(1), "source": "app"},
    ]
    params = SessionSettings(trust_source=True, end_events=["logout"])
    sessions = cut_sessions(event_rows(spark, rows), params, AS_OF, TRUST).collect()
    assert sorted((s["events"], s["end_reason"]) for s in sessions) == [
        (1, "source"),
        (1, "source"),
        (1, "timeout"),
        (3, "source"),
    ]


def test_a_session_of_the_source_is_open_until_it_has_been_quiet_for_the_timeout(spark: SparkSession) -> None:
    midnight = 31 * 24 * 60 - 12 * 60
    rows = [{"session_key": key, "event_ts": _at(midnight - before)} for key, before in (("a", 31), ("b", 29))]
    params = SessionSettings(trust_source=True)
    sessions = cut_sessions(event_rows(spark, rows), params, AS_OF, TRUST).orderBy("session_start").collect()
    assert [session["end_reason"] for session in sessions] == ["source", "open"]
    later = cut_sessions(event_rows(spark, rows), params, AS_OF + timedelta(days=1), TRUST).collect()
    assert {session["end_reason"] for session in later} == {"source"}


def test_each_device_has_sessions_of_its_own(spark: SparkSession) -> None:
    rows = [
        {"identifiers": {"user_id": "u", "cookie": "phone"}, "event_ts": _at(0)},
        {"identifiers": {"user_id": "u", "cookie": "laptop"}, "event_ts": _at(1)},
        {"identifiers": {"cookie": "phone"}, "event_ts": _at(2)},
        {"identifiers": {"user_id": "u"}, "event_ts": _at(3)},
    ]
    sessions = cut_sessions(event_rows(spark, rows), SessionSettings(by="device"), AS_OF, TRUST).collect()
    assert sorted(s["events"] for s in sessions) == [1, 1, 2]


def test_a_change_of_campaign_starts_a_session(spark: SparkSession) -> None:
    campaigns = [None, "spring", None, "spring", "summer", None]
    rows = [
        {"event_ts": _at(n), "properties": {"utm": campaign} if campaign else None}
        for n, campaign in enumerate(campaigns)
    ]
    params = SessionSettings(campaign_property="utm")
    sessions = cut_sessions(event_rows(spark, rows), params, AS_OF, TRUST).orderBy("session_start").collect()
    assert [(s["events"], s["end_reason"]) for s in sessions] == [(1, "campaign"), (3, "campaign"), (2, "timeout")]


def test_the_platform_is_the_first_events_or_else_the_last_known(spark: SparkSession) -> None:
    def platform_of(*platforms: str | None) -> str | None:
        rows = [{"event_ts": _at(-500), "platform": "store"}]
        rows += [{"event_ts": _at(n), "platform": platform} for n, platform in enumerate(platforms)]
        sessions = cut_sessions(event_rows(spark, rows), SessionSettings(), AS_OF, TRUST)
        return sessions.orderBy("session_start").collect()[1]["platform"]

    assert platform_of("web", "app") == "web"
    assert platform_of(None, "app", None) == "app"
    assert platform_of(None, None) is None


def test_a_session_tells_its_path_its_channel_and_its_device(spark: SparkSession) -> None:
    said: list[dict[str, str]] = [{}, {"via": "mail"}, {"via": "search", "on": "phone"}, {"on": "desk"}]
    names = ["view", "view", "buy", "view"]
    rows = [
        {"event_ts": _at(minute), "event_name": name, "properties": properties}
        for minute, (name, properties) in enumerate(zip(names, said, strict=True))
    ]
    params = SessionSettings(path_events=3, channel_property="via", device_property="on")
    (session,) = cut_sessions(event_rows(spark, reversed(rows)), params, AS_OF, TRUST).collect()
    assert session["path"] == ["view", "view", "buy"]
    assert session["event_counts"] == {"view": 3, "buy": 1}
    assert (session["channel"], session["device"]) == ("mail", "phone")
    (plain,) = cut_sessions(event_rows(spark, rows), SessionSettings(), AS_OF, TRUST).collect()
    assert (plain["channel"], plain["device"], len(plain["path"])) == (None, None, 4)


def test_a_missing_column_is_named(spark: SparkSession) -> None:
    with pytest.raises(MissingColumnsError, match="'platform'"):
        cut_sessions(event_rows(spark, [{}]).drop("platform"), SessionSettings(), AS_OF, TRUST)


def _history(seed: int) -> list[dict[str, Any]]:
    """Twelve people with bursts of events, many of them at the same second or exactly a timeout apart."""
    draw = random.Random(seed)
    rows = []
    for person in range(12):
        at = NOON
        for _ in range(60):
            at += timedelta(minutes=draw.choice([0, 0, 1, 5, 12, 29, 30, 31, 200]))
            name = draw.choice(["view", "view", "view", "buy", "logout"])
            amount = draw.choice([1.25, 19.99, -3]) if name == "buy" else None
            platform = draw.choice(["web", "app", None])
            rows.append(
                {
                    "person_id": f"p{person}",
                    "event_id": f"{draw.random():.12f}",
                    "event_ts": at,
                    "event_name": name,
                    "amount": amount,
                    "platform": platform,
                }
            )
    return rows


def _cut_by_hand(rows: list[dict[str, Any]], params: SessionSettings) -> list[tuple[Any, ...]]:
    """What `cut_sessions` says in its docstring, as a loop."""
    sessions: list[list[dict[str, Any]]] = []
    timeout, longest = timedelta(minutes=params.timeout_minutes), timedelta(hours=params.max_hours)
    before: dict[str, Any] = {"person_id": None}
    mark = NOON
    for row in sorted(rows, key=lambda row: (row["person_id"], row["event_ts"], row["event_id"])):
        at = row["event_ts"]
        if (
            before["person_id"] != row["person_id"]
            or at - before["event_ts"] >= timeout
            or before["event_name"] in params.end_events
        ):
            mark = at + longest
            sessions.append([])
        elif at > mark:
            sessions.append([])
        while at > mark:
            mark += longest
        sessions[-1].append(row)
        before = row
    return [
        (
            s[0]["person_id"],
            s[0]["event_ts"],
            s[-1]["event_ts"],
            len(s),
            s[0]["event_name"],
            s[-1]["event_name"],
            round(sum(r["amount"] for r in s if r["amount"]), 4) if any(r["amount"] for r in s) else None,
            s[0]["platform"] or next((r["platform"] for r in reversed(s) if r["platform"]), None),
            [row["event_name"] for row in s][: params.path_events],
            dict(Counter(row["event_name"] for row in s)),
        )
        for s in sessions
    ]


def _as_tuples(sessions: DataFrame) -> list[tuple[Any, ...]]:
    return [
        (
            s["person_id"],
            s["session_start"],
            s["session_end"],
            s["events"],
            s["entry_event"],
            s["exit_event"],
            None if s["amount"] is None else float(s["amount"]),
            s["platform"],
            s["path"],
            s["event_counts"],
        )
        for s in sessions.collect()
    ]


def test_a_random_history_is_cut_as_by_hand_in_any_order_and_partitioning(spark: SparkSession) -> None:
    rows = _history(seed=7)
    events = event_rows(spark, rows)
    sessions = cut_sessions(events, PARAMS, AS_OF, TRUST)
    assert sorted(_as_tuples(sessions), key=repr) == sorted(_cut_by_hand(rows, PARAMS), key=repr)
    shuffled = event_rows(spark, random.Random(1).sample(rows, len(rows))).repartition(5, "event_name")
    again = cut_sessions(shuffled, PARAMS, AS_OF, TRUST)
    assert sorted(map(repr, again.collect())) == sorted(map(repr, sessions.collect()))
