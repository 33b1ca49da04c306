"""Audiences against a plain reckoning of a random history, and their members over time."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.factories import event_rows, minimal_settings

from segmentation.activation.audiences import (
    check_segments,
    describe_people,
    find_tops,
    judge_people,
    list_members,
    single_conditions,
    update_members,
)
from segmentation.config.audiences import AudienceSettings
from segmentation.config.rfm import Grid
from segmentation.contracts.activation import AUDIENCE_MEMBERS

AS_OF = date(2026, 3, 31)
END = datetime(2026, 4, 1)
SEGMENTS = {"s-1": "Frequent", "s-2": "High-value, lapsing"}
PEOPLE = {f"p{n:02}": ("s-1", "s-2", None)[n % 3] for n in range(40)}
MOVED = {person: segment for n, (person, segment) in enumerate(PEOPLE.items()) if n % 4 == 0}
BY_ENGAGEMENT = {person: ("Champions", "Hibernating")[n % 2] for n, person in enumerate(PEOPLE) if n % 7}
GRID = {person: ("Champions", "New", "At risk")[n % 3] for n, person in enumerate(PEOPLE) if n % 5}
GRANTS = {person: (["ads"], ["mail"], ["ads", "mail"])[n % 3] for n, person in enumerate(PEOPLE) if n % 4}
RECENCY = {person: float(number) for number, person in enumerate(PEOPLE) if number % 7}

Row = dict[str, Any]
BUY, CART = {"event": "buy"}, {"event": "cart"}


def _named(rows: list[Row], name: str, days: int = 1000) -> list[Row]:
    since = AS_OF - timedelta(days=days)
    return [row for row in rows if row["event_name"] == name and row["event_ts"].date() > since]


def _unanswered(rows: list[Row], first: str, then: str, hours: float, days: int = 1000) -> int:
    """Events in the order in which they count: at one moment, those that only answer come last."""
    order = sorted(rows, key=lambda row: (row["event_ts"], row["event_name"] == then, row["event_name"] != first))
    within = timedelta(hours=hours)
    return sum(
        row["event_name"] == first
        and row["event_ts"].date() > AS_OF - timedelta(days=days)
        and row["event_ts"] + within <= END
        and not any(
            later["event_name"] == then and later["event_ts"] - row["event_ts"] <= within
            for later in order[place + 1 :]
        )
        for place, row in enumerate(order)
    )


Meets = Callable[[str, list[Row]], bool]
CASES: list[tuple[dict[str, Any], Meets]] = [
    ({"segment": "frequent"}, lambda who, _: PEOPLE[who] == "s-1"),
    ({"segment": ["s-1", "High-value, lapsing"]}, lambda who, _: PEOPLE[who] is not None),
    ({"not": {"segment": "s-1"}}, lambda who, _: PEOPLE[who] != "s-1"),
    ({"feature": "recency", "between": [10, 20]}, lambda who, _: 10 <= RECENCY.get(who, -1) <= 20),
    ({"feature": "recency", "in": [1, 2, 3]}, lambda who, _: RECENCY.get(who) in (1, 2, 3)),
    ({"feature": "recency", "exists": False}, lambda who, _: who not in RECENCY),
    ({"not": {"feature": "recency", "less_than": 20}}, lambda who, _: not RECENCY.get(who, 99) < 20),
    ({"did": BUY}, lambda _, rows: bool(_named(rows, "buy"))),
    ({"did": BUY, "at_least": 2, "window_days": 7}, lambda _, rows: len(_named(rows, "buy", 7)) >= 2),
    ({"did": CART, "equals": 0, "window_days": 3}, lambda _, rows: not _named(rows, "cart", 3)),
    ({"did": {"all": [BUY, {"field": "amount", "between": [5, 10]}]}, "between": [1, 2]},
     lambda _, rows: 1 <= sum(5 <= row["amount"] <= 10 for row in _named(rows, "buy")) <= 2),
    ({"did": CART, "then_not": BUY, "within_hours": 2}, lambda _, rows: _unanswered(rows, "cart", "buy", 2) > 0),
    ({"did": CART, "then_not": BUY, "within_hours": 24, "window_days": 3},
     lambda _, rows: _unanswered(rows, "cart", "buy", 24, 3) > 0),
    ({"did": CART, "then_not": BUY, "within_hours": 5, "equals": 1},
     lambda _, rows: _unanswered(rows, "cart", "buy", 5) == 1),
    ({"did": BUY, "then_not": BUY, "within_hours": 6.5, "at_least": 3},
     lambda _, rows: _unanswered(rows, "buy", "buy", 6.5) >= 3),
    ({"all": [{"audience": "a7"}, {"not": {"audience": "a0"}}]},
     lambda who, rows: bool(_named(rows, "buy")) and PEOPLE[who] != "s-1"),
    ({"any": [{"audience": "a15"}, {"all": [{"segment": "s-1"}, {"did": CART, "at_most": 2}]}]},
     lambda who, rows: CASES[15][1](who, rows) or (PEOPLE[who] == "s-1" and len(_named(rows, "cart")) <= 2)),
    ({"entered": "Frequent"}, lambda who, _: MOVED.get(who) == "s-1"),
    ({"feature": "recency", "top_share": 0.2}, lambda who, _: RECENCY.get(who, -1) >= sorted(RECENCY.values())[-6]),
    ({"feature": "recency", "top_share": 0.001}, lambda who, _: RECENCY.get(who) == max(RECENCY.values())),
    ({"did": CART, "first_within_days": 4},
     lambda _, rows: bool(_named(rows, "cart", 4)) and len(_named(rows, "cart", 4)) == len(_named(rows, "cart"))),
    ({"did": CART, "stopped_days": 4}, lambda _, rows: bool(_named(rows, "cart")) and not _named(rows, "cart", 4)),
    ({"rfm": "Champions"}, lambda who, _: GRID.get(who) == "Champions"),
    ({"not": {"rfm": ["Champions", "New"]}}, lambda who, _: GRID.get(who) not in ("Champions", "New")),
    ({"rfm_engagement": "Champions"}, lambda who, _: BY_ENGAGEMENT.get(who) == "Champions"),
    ({"all": [{"granted": "ads"}, {"not": {"granted": "mail"}}]}, lambda who, _: GRANTS.get(who) == ["ads"]),
]  # fmt: skip
AUDIENCES = minimal_settings(audiences=[{"name": f"a{n}", "who": who} for n, (who, _) in enumerate(CASES)]).audiences


def _history() -> list[Row]:
    draw = random.Random(4)
    return [
        {
            "person_id": f"p{draw.randrange(38):02}",
            "event_id": f"{draw.random():.12f}",
            # On few moments, so that many events of a person are at the same one.
            "event_ts": datetime(2026, 3, 22) + timedelta(hours=draw.randrange(240)),
            "event_name": draw.choice(["view", "cart", "buy"]),
            "amount": draw.choice([3.5, 5, 7.25, 12]),
        }
        for _ in range(400)
    ]


def _changes(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(list(MOVED.items()), "person_id string, to_segment_id string")


def _scores(spark: SparkSession) -> dict[Grid, DataFrame]:
    grids: dict[Grid, dict[str, str]] = {"rfm": GRID, "rfm_engagement": BY_ENGAGEMENT}
    schema = "person_id string, rfm_segment string"
    return {grid: spark.createDataFrame(list(names.items()), schema) for grid, names in grids.items()}


def _grants(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(list(GRANTS.items()), "person_id string, granted array<string>")


@pytest.fixture(scope="module")
def history() -> list[Row]:
    return _history()


def _judge(spark: SparkSession, history: list[Row], audiences: list[AudienceSettings] = AUDIENCES) -> DataFrame:
    features = spark.createDataFrame([(who, RECENCY.get(who)) for who in PEOPLE], "person_id string, recency double")
    placed = [(who, segment) for who, segment in PEOPLE.items() if segment]
    segments = spark.createDataFrame(placed, "person_id string, segment_id string")
    people = describe_people(features, segments, _changes(spark), _scores(spark), _grants(spark), audiences)
    tops = find_tops(features, audiences)
    return judge_people(people, event_rows(spark, history), audiences, SEGMENTS, tops, AS_OF)


@pytest.fixture(scope="module")
def judged(spark: SparkSession, history: list[Row]) -> dict[str, Row]:
    return {row["person_id"]: row.asDict() for row in _judge(spark, history).collect()}


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(who) for who, _ in CASES])
def test_an_audience_has_whom_its_rule_says(history: list[Row], judged: dict[str, Row], number: int) -> None:
    _, meets = CASES[number]
    expected = {who for who in PEOPLE if meets(who, [row for row in history if row["person_id"] == who])}
    assert {who for who, row in judged.items() if row[f"is_a{number}"]} == expected
    assert set(judged) == set(PEOPLE)
    assert 0 < len(expected) < len(PEOPLE), "a condition that all meet, or nobody, shows nothing"


def test_more_audiences_make_no_more_scans(spark: SparkSession, tmp_path: Any, history: list[Row]) -> None:
    event_rows(spark, history).write.parquet(str(tmp_path / "events"))
    people = spark.createDataFrame([("p01", 1.0)], "person_id string, recency double")
    segments = spark.createDataFrame([("p01", "s-1")], "person_id string, segment_id string")
    events = spark.read.parquet(str(tmp_path / "events"))
    described = describe_people(people, segments, _changes(spark), _scores(spark), _grants(spark), AUDIENCES)
    judged = judge_people(described, events, AUDIENCES, SEGMENTS, {}, AS_OF)
    plan = list_members(judged, AUDIENCES)._jdf.queryExecution().executedPlan().toString()
    assert plan.count("FileScan") == 1


def test_segments_that_are_not_published_are_named_with_their_keys() -> None:
    audiences = minimal_settings(
        audiences=[
            {"name": "a", "who": {"all": [{"segment": "Frequnt"}, {"not": {"segment": ["s-1", "s-9"]}}]}},
            {"name": "b", "who": {"segment": "nobody"}},
        ]
    ).audiences
    problems = check_segments(audiences, SEGMENTS)
    keys = ["audiences.0.who.all.0.segment", "audiences.0.who.all.1.not.segment", "audiences.1.who.segment"]
    assert [problem.key for problem in problems] == keys
    assert problems[0].suggestion == "Frequent"


def test_single_conditions_are_taken_apart() -> None:
    who = {"all": [{"segment": "a"}, {"all": [{"segment": "b"}, {"any": [{"segment": "c"}]}]}]}
    rule = AudienceSettings.model_validate({"name": "a", "who": who}).who
    assert [part.segment for part in single_conditions(rule)] == ["a", "b", None]
    assert list(single_conditions(rule.all[0])) == [rule.all[0]]


def _members(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(rows), AUDIENCE_MEMBERS.schema)


def _rows(members: DataFrame) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in members.drop("entered_ts", "left_ts").collect()), key=repr)


def test_membership_is_kept_over_time_and_a_date_may_be_run_again(spark: SparkSession) -> None:
    first, second, third = (date(2026, 3, day) for day in (1, 2, 3))
    nobody = _members(spark)

    def now(text: str) -> DataFrame:
        return spark.createDataFrame([tuple(pair) for pair in text.split()], "audience string, person_id string")

    at_first = update_members(nobody, now("Ap Aq Bp"), first)
    assert _rows(at_first) == [("A", "p", first, None), ("A", "q", first, None), ("B", "p", first, None)]
    at_second = update_members(at_first, now("Aq Bp Br"), second)
    expected = [
        ("A", "p", first, second),
        ("A", "q", first, None),
        ("B", "p", first, None),
        ("B", "r", second, None),
    ]
    assert _rows(at_second) == expected
    assert _rows(update_members(at_second, now("Aq Bp Br"), second)) == expected, "a second run changes nothing"
    assert _rows(update_members(at_second, now("Ap Aq Bp"), second)) == _rows(at_first), "with other rows: as if first"
    at_third = update_members(at_second, now("Ap Bp Br"), third)
    assert ("A", "p", third, None) in _rows(at_third)
    assert ("A", "p", first, second) in _rows(at_third)
    assert _rows(update_members(at_third, now("Aq Bp Br"), second)) == expected, "an earlier date takes later ones back"


def test_a_membership_has_its_moments_and_who_came_in_live_keeps_theirs(spark: SparkSession) -> None:
    first, second, third = (date(2026, 3, day) for day in (1, 2, 3))
    came = datetime(2026, 3, 2, 15, 30)

    def now(*people: str) -> DataFrame:
        return spark.createDataFrame([("A", person) for person in people], "audience string, person_id string")

    def moments(members: DataFrame) -> dict[str, tuple[datetime, datetime | None]]:
        return {row["person_id"]: (row["entered_ts"], row["left_ts"]) for row in members.collect()}

    table = update_members(_members(spark), now("was"), first)
    table = table.unionByName(
        _members(spark, ("A", "live", second, None, came, None), ("A", "no", second, None, came, None))
    )
    ends = {day: datetime(2026, 3, day + 1) for day in (1, 2, 3)}
    at_second = {"was": (ends[1], ends[2]), "live": (came, None), "new": (ends[2], None)}
    for _ in ("once", "again"):
        table = update_members(table, now("live", "new"), second)
        assert moments(table) == at_second, "who did not meet it at the end of the date never came in"
    at_third = {"was": (ends[1], ends[2]), "live": (came, ends[3]), "new": (ends[2], None)}
    assert moments(update_members(table, now("new"), third)) == at_third
