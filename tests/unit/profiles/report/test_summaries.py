"""Tables made small: counts that the report tells."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from pyspark.sql import SparkSession
from tests.factories import event_rows, table_rows

from segmentation.config.journeys import JourneySettings
from segmentation.config.report import LifecycleSettings
from segmentation.contracts.errors import InputError
from segmentation.profiles.report.data import (
    Border,
    Decisions,
    Lifecycle,
    Link,
    Month,
    OwnJourneys,
    RfmCell,
    SourceQuality,
    Way,
)
from segmentation.profiles.report.summaries import (
    read_journeys,
    summarise_activity,
    summarise_attributes,
    summarise_borders,
    summarise_decisions,
    summarise_identity,
    summarise_lifecycle,
    summarise_own_journeys,
    summarise_quality,
    summarise_rfm,
)


def test_activity_counts_what_happened_until_the_date(spark: SparkSession) -> None:
    events = event_rows(
        spark,
        [
            {"event_ts": datetime(2026, 1, 5), "amount": 10.25, "currency": "EUR"},
            {"event_ts": datetime(2026, 1, 31), "amount": -4, "currency": "EUR"},
            {"event_ts": datetime(2026, 2, 1)},
            {"event_ts": datetime(2026, 2, 2), "amount": 1000, "is_bot": True},
            {"event_ts": datetime(2026, 2, 3), "is_test": True, "is_bot": True},
            {"event_ts": datetime(2026, 3, 1), "amount": 1, "currency": "USD"},
        ],
    )
    sessions = spark.createDataFrame(
        [(60, 1, True), (180, 3, False)], "duration_s long, events long, is_bounce boolean"
    )
    found = summarise_activity(events, sessions, date(2026, 2, 28))
    assert found.months == [Month(date(2026, 1, 1), 2, 6.25), Month(date(2026, 2, 1), 3, None)]
    assert (found.events, found.automatic, found.amount, found.currency) == (5, 2, 6.25, "EUR")
    assert (found.first_date, found.last_date) == (date(2026, 1, 5), date(2026, 2, 3))
    assert (found.sessions, found.session_minutes, found.events_a_session, found.bounces) == (2, 2.0, 2.0, 0.5)
    assert summarise_activity(events, sessions, date(2026, 3, 1)).currency is None, "two currencies are none"
    with pytest.raises(InputError, match="no events up to 2025-12-31"):
        summarise_activity(events, sessions, date(2025, 12, 31))


def test_identity_counts_people_identifiers_and_links(spark: SparkSession) -> None:
    persons = table_rows(spark, "persons", [{"person_id": f"p{n}", "identifier_count": n} for n in (1, 1, 2, 6, 9)])
    since = datetime(2026, 1, 1)
    owned = [("cookie", "a"), ("cookie", "b"), ("email", "c")]
    identity_map = table_rows(
        spark,
        "identity_map",
        [
            {"identifier_type": kind, "identifier_value": value, "person_id": "p", "confidence": 1.0, "since": since}
            for kind, value in owned
        ],
    )
    edges = spark.createDataFrame(
        [("deterministic", "active", None)] * 2 + [("deterministic", "cut", "too many")],
        "kind string, status string, reason string",
    )
    score = {"identifiers": 3.0, "pairwise_recall": 0.9, "pairwise_precision": 1.0}
    found = summarise_identity(persons, identity_map, edges, score)
    assert found is not None
    assert (found.people, found.identifiers) == (5, {"cookie": 2, "email": 1})
    assert found.people_by_identifiers == {1: 2, 2: 1, 6: 2}
    assert found.links == [Link("deterministic", "active", None, 2), Link("deterministic", "cut", "too many", 1)]
    assert found.score == score
    assert summarise_identity(persons.limit(0), identity_map, edges, {}) is None


def test_the_grid_adds_up_its_people_and_their_money(spark: SparkSession) -> None:
    scores = [("a", 5, 5, "Champions"), ("b", 5, 5, "Champions"), ("c", 1, 5, "Cannot lose them")]
    rows = [
        {"person_id": who, "as_of": date(2026, 3, 31), "recency_score": recency, "frequency_score": frequency}
        | {"monetary_score": 1, "rfm_segment": name}
        for who, recency, frequency, name in scores
    ]
    measured = [("a", 1.0, 9.0, 0.1), ("b", 3.0, 8.0, 0.2), ("c", 70.0, 8.0, 5.0), ("d", 2.0, 1.0, 1.0)]
    features = spark.createDataFrame(measured, "person_id string, recency double, orders double, monetary double")
    segments = spark.createDataFrame([("a", "s-1"), ("c", "s-1")], "person_id string, segment_id string")
    scored = {"recency": "recency", "frequency": "orders", "monetary": "monetary"}
    found = summarise_rfm(table_rows(spark, "rfm", rows), features, segments, scored)
    assert found is not None
    assert sorted(found.cells, key=lambda cell: cell.recency) == [
        RfmCell(1, 5, "Cannot lose them", 1, 5.0, (70.0, 70.0), (8.0, 8.0)),
        RfmCell(5, 5, "Champions", 2, 0.3, (1.0, 3.0), (8.0, 9.0)),
    ]
    assert found.segments == {"Champions": {"s-1": 1, None: 1}, "Cannot lose them": {"s-1": 1}}
    assert summarise_rfm(table_rows(spark, "rfm", []), features, segments, scored) is None


def test_people_are_new_active_slipping_or_lapsed(spark: SparkSession) -> None:
    measured = [
        ("a", 30.0, 3.0),
        ("b", 31.0, 30.0),
        ("c", 400.0, 31.0),
        ("d", 400.0, 90.0),
        ("e", 400.0, 91.0),
        ("f", 400.0, None),
        ("g", 400.0, 1.0),
    ]
    features = spark.createDataFrame(measured, "person_id string, tenure double, recency double")
    placed = [(who, "s-1" if who < "d" else "s-2") for who in "abcdef"]
    segments = spark.createDataFrame(placed, "person_id string, segment_id string")
    found = summarise_lifecycle(features, segments, LifecycleSettings())
    assert found == Lifecycle(
        {"s-1": {"new": 1, "active": 1, "slipping": 1}, "s-2": {"slipping": 1, "lapsed": 1}}, 30, 30, 90
    )
    assert summarise_lifecycle(features.drop("tenure"), segments, LifecycleSettings()) is None
    with pytest.raises(ValueError, match="lapsed_days has to be more than active_days"):
        LifecycleSettings(active_days=90)


def test_journeys_are_read_the_commonest_first(spark: SparkSession) -> None:
    at = {"as_of": date(2026, 2, 28), "people": 1, "share": 0.5}
    steps = [
        {**at, "from_step": "view", "to_step": "(end)", "times": 3},
        {**at, "from_step": "(start)", "to_step": "view", "times": 7},
    ]
    paths = [{**at, "reached": True, "path": ["view", "buy"], "journeys": n} for n in (2, 5)]
    tables = [table_rows(spark, "journey_steps", steps), table_rows(spark, "journey_paths", paths)]
    found = read_journeys(*tables, settings=JourneySettings(window_days=30))
    assert found is not None
    assert [(step.before, step.times) for step in found.steps] == [("(start)", 7), ("view", 3)]
    assert [(way.steps, way.journeys) for way in found.ways] == [(("view", "buy"), 5), (("view", "buy"), 2)]
    assert read_journeys(*(table.limit(0) for table in tables), settings=JourneySettings()) is None


def test_what_lies_beside_a_segment_is_counted(spark: SparkSession) -> None:
    rows = [("a", "s", "t", True), ("b", "s", "t", False), ("c", "s", "u", False), ("d", "t", "s", True)]
    rows += [("e", "by rule", None, False)]  # type: ignore[list-item]
    segments = spark.createDataFrame(
        rows, "person_id string, segment_id string, nearest_segment_id string, ambiguous boolean"
    )
    assert summarise_borders(segments) == [Border("s", "t", 2, 1), Border("s", "u", 1, 0), Border("t", "s", 1, 1)]


def test_people_are_counted_by_the_kinds_of_an_attribute(spark: SparkSession) -> None:
    known = [("s", {"plan": "basic"})] * 15 + [("t", {"plan": "basic"})] * 5 + [("t", {"plan": "pro"})] * 21
    known += [("s", {"plan": f"rare {number}", "code": f"{number}"}) for number in range(3)]
    known += [("s", {"plan": "almost"})] * 19 + [("s", {"city": "Rome"}), ("t", {})]
    rows = [(f"p{number}", segment, values) for number, (segment, values) in enumerate(known)]
    people = spark.createDataFrame(rows, "person_id string, segment_id string, attributes map<string,string>")
    found = summarise_attributes(people.drop("segment_id"), people, ["plan", "code", "unheard_of"])
    assert [one.name for one in found] == ["plan", "code"]
    plan, code = ({segment: counts[:3] for segment, counts in one.people.items()} for one in found)
    assert plan == {"s": [22, 0, 15], "t": [0, 21, 5]}, "those of fewer than 20 people are the first kind"
    assert code == {"s": [3, 0, 0]}
    assert summarise_attributes(people, people, []) == []


def test_what_rules_decided_stands_beside_the_model(spark: SparkSession) -> None:
    placed = [("vip", "s", "spends"), ("vip", "s", "spends"), ("vip", "t", "staff"), ("vip", "t", "spends")]
    placed += [("s", "s", None), ("s", None, None), ("t", "t", None), ("t", "t", None)]  # type: ignore[list-item]
    segments = spark.createDataFrame(placed, "segment_id string, model_segment_id string, rule string")
    found = summarise_decisions(segments)
    together = {("s", "s"): 2, ("t", "t"): 2, ("vip", "s"): 2, ("vip", "t"): 2}
    assert found == Decisions({"spends": 3, "staff": 1}, together, pytest.approx(2 / 23))
    assert summarise_decisions(segments.where("rule IS NULL")) is None


def test_the_journeys_of_a_segment_are_its_own(spark: SparkSession) -> None:
    journeys = spark.createDataFrame(
        [
            ("a", ["view", "buy"], True, False),
            ("a", ["view", "buy"], True, False),
            ("a", ["view"], False, True),
            ("b", ["buy"], True, False),
            *[("c", [step], False, False) for step in ("view", "view", "help", "jobs", "news", "news")],
            ("in no segment", ["buy"], True, False),
        ],
        "person_id string, steps array<string>, reached boolean, open boolean",
    )
    segments = spark.createDataFrame([("a", "s"), ("b", "s"), ("c", "t")], "person_id string, segment_id string")
    found = summarise_own_journeys(journeys, segments, JourneySettings(repeats=True))
    assert found["s"] == OwnJourneys(4, 3, [Way(True, ("view", "buy"), 2, 1, 2 / 3), Way(True, ("buy",), 1, 1, 1 / 3)])
    assert (found["t"].journeys, found["t"].reached) == (6, 0)
    assert [(way.steps, way.share) for way in found["t"].ways] == [
        (("news",), 2 / 6),
        (("view",), 2 / 6),
        (("help",), 1 / 6),
    ], "three of each kind at most, of those that are alike the first by name"
    assert set(found) == {"s", "t"}


def test_quality_adds_up_the_batches_of_a_source(spark: SparkSession) -> None:
    base = {"batch_seq": 1, "status": "done", "accepted": 0, "quarantined": 0, "duplicates": 0}
    batches = [
        {
            "batch_id": "1",
            "source": "web",
            "rows_read": 5,
            "accepted": 3,
            "quarantined": 2,
            "reasons": {"a": 2, "b": 1},
        },
        {
            "batch_id": "2",
            "source": "web",
            "rows_read": 4,
            "accepted": 2,
            "duplicates": 1,
            "quarantined": 1,
            "reasons": {"a": 1},
        },
        {"batch_id": "3", "source": "till", "rows_read": 20, "accepted": 20},
        {"batch_id": "4", "source": "till", "status": "planned"},
    ]
    found = summarise_quality(table_rows(spark, "ingest_batches", [{**base, **batch} for batch in batches]))
    assert found == [
        SourceQuality("till", 20, 20, 0, 0, {}),
        SourceQuality("web", 9, 5, 1, 3, {"a": 3, "b": 1}),
    ]
