"""Declared features against a plain reckoning of a random history, and what measuring them may cost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import log2
from statistics import median
from typing import Any, get_args

import numpy as np
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, identity_rows, minimal_settings

from segmentation.config.feature_library import LibraryName
from segmentation.config.features import FeatureSettings
from segmentation.config.identity import AttributeRule
from segmentation.config.rules import Rule
from segmentation.config.sessions import SessionSettings
from segmentation.contracts.errors import MissingColumnsError
from segmentation.features.build import FeaturePlan, keep_until, measure_features
from segmentation.features.people import measure_people
from segmentation.sessions.attach import keep_behaviour
from segmentation.sessions.cut import cut_sessions
from segmentation.stages import features as features_stage

AS_OF = date(2026, 3, 31)
FRESH = {"field": "properties.dept", "in": ["MEAT", "FISH"]}
BOUGHT = {"all": [{"event": "buy"}, {"field": "amount", "greater_than": 0}]}

Row = dict[str, Any]


def _day(row: Row) -> date:
    return row["event_ts"].date()


def _last(rows: list[Row], days: int) -> list[Row]:
    return [row for row in rows if _day(row) > AS_OF - timedelta(days=days)]


def _buys(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["event_name"] == "buy" and row["amount"] is not None]


def _amount(rows: list[Row]) -> float:
    return float(sum((Decimal(str(row["amount"])) for row in rows if row["amount"] is not None), Decimal(0)))


def _dept(row: Row) -> str | None:
    return row["properties"].get("dept")


def _entropy(sizes: list[float]) -> float:
    everything = sum(sizes)
    return -sum(size / everything * log2(size / everything) for size in sizes if size > 0) if everything else 0.0


def _ratio(above: float, below: float) -> float:
    return above / below if below else 0.0


def _trend(sizes: list[tuple[int, float]], weeks: int) -> float:
    """Slope of a least-squares line through the weekly sums of sizes so many days ago, by their mean."""
    sums = [0.0] * weeks
    for days, size in sizes:
        if days < weeks * 7:
            sums[weeks - 1 - days // 7] += size
    return float(np.polyfit(range(weeks), sums, 1)[0] / np.mean(sums)) if sum(sums) else 0.0


def _by_dept(rows: list[Row]) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for row in rows:
        if (dept := _dept(row)) and row["amount"] is not None and row["amount"] > 0:
            sizes[dept] += Decimal(str(row["amount"]))
    return sizes


def _price(row: Row) -> float | None:
    try:
        return float(row["properties"].get("price", "none"))
    except ValueError:
        return None


def _prices(rows: list[Row]) -> list[float]:
    return [price for row in rows if (price := _price(row)) is not None]


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["event_ts"], row["event_id"]))


DEFINED: list[tuple[dict[str, Any], Callable[[list[Row]], float]]] = [
    ({"aggregate": "count", "where": {"event": ["view", "cart"]}},
     lambda rows: sum(row["event_name"] in ("view", "cart") for row in rows)),
    ({"aggregate": "count", "where": {"event": "buy"}, "window_days": 7},
     lambda rows: sum(row["event_name"] == "buy" for row in _last(rows, 7))),
    ({"aggregate": "count", "where": {"not": FRESH}},
     lambda rows: sum(_dept(row) not in ("MEAT", "FISH") for row in rows)),
    ({"aggregate": "count", "where": {"any": [{"field": "hour", "less_than": 6}, {"field": "weekday", "equals": 7}]}},
     lambda rows: sum(row["event_ts"].hour < 6 or row["event_ts"].isoweekday() == 7 for row in rows)),
    ({"aggregate": "count", "where": {"field": "event_ts", "at_least": "2026-03-15"}},
     lambda rows: sum(row["event_ts"] >= datetime(2026, 3, 15) for row in rows)),
    ({"aggregate": "count", "where": {"field": "properties.price", "greater_than": 5}},
     lambda rows: sum(price > 5 for price in _prices(rows))),
    ({"aggregate": "count", "where": {"field": "properties.nothing_here", "not_equals": "x"}}, lambda rows: 0),
    ({"aggregate": "days", "where": BOUGHT, "window_days": 14},
     lambda rows: len({_day(row) for row in _last(_buys(rows), 14) if row["amount"] > 0})),
    ({"aggregate": "sum", "of": "amount", "window_days": 10}, lambda rows: _amount(_last(rows, 10))),
    ({"aggregate": "sum", "of": "properties.price"}, lambda rows: sum(_prices(rows))),
    ({"aggregate": "mean", "of": "amount"}, lambda rows: _ratio(_amount(rows), len(_buys(rows)))),
    ({"aggregate": "min", "of": "amount"}, lambda rows: min((row["amount"] for row in _buys(rows)), default=0)),
    ({"aggregate": "max", "of": "amount", "window_days": 20},
     lambda rows: max((row["amount"] for row in _last(_buys(rows), 20)), default=0)),
    ({"aggregate": "median", "of": "properties.price"}, lambda rows: median(_prices(rows) or [0])),
    ({"aggregate": "first", "of": "amount"}, lambda rows: next((row["amount"] for row in _in_order(_buys(rows))), 0)),
    ({"aggregate": "last", "of": "properties.price", "window_days": 25},
     lambda rows: next(iter(reversed(_prices(_in_order(_last(rows, 25))))), 0)),
    ({"aggregate": "distinct", "of": "properties.dept", "window_days": 5},
     lambda rows: len({_dept(row) for row in _last(rows, 5)} - {None})),
    ({"aggregate": "distinct", "of": "identifiers.user_id"}, lambda rows: 1),
    ({"aggregate": "share", "of": "amount", "where": FRESH, "among": BOUGHT},
     lambda rows: _ratio(sum(float(size) for dept, size in _by_dept(_buys(rows)).items() if dept in ("MEAT", "FISH")),
                         _amount([row for row in _buys(rows) if row["amount"] > 0]))),
    ({"aggregate": "share", "where": {"event": "view"}, "window_days": 30},
     lambda rows: _ratio(sum(row["event_name"] == "view" for row in _last(rows, 30)), len(_last(rows, 30)))),
    ({"aggregate": "entropy", "of": "properties.dept"},
     lambda rows: _entropy(list(map(float, Counter(filter(None, map(_dept, rows))).values())))),
    ({"aggregate": "top_share", "of": "event_name", "window_days": 9},
     lambda rows: _ratio(max(Counter(row["event_name"] for row in _last(rows, 9)).values(), default=0),
                         len(_last(rows, 9)))),
    ({"aggregate": "decayed", "of": "amount", "half_life_days": 5},
     lambda rows: sum(_amount([row]) * 0.5 ** ((AS_OF - _day(row)).days / 5) for row in rows)),
    ({"aggregate": "decayed", "where": {"event": "view"}},
     lambda rows: sum(0.5 ** ((AS_OF - _day(row)).days / 30) for row in rows if row["event_name"] == "view")),
    ({"ratio": ["defined_0", "defined_1"], "fill": -1},
     lambda rows: DEFINED[0][1](rows) / DEFINED[1][1](rows) if DEFINED[1][1](rows) else -1),
    ({"total": ["defined_24", "defined_8", 2.5]}, lambda rows: DEFINED[24][1](rows) + DEFINED[8][1](rows) + 2.5),
    ({"difference": ["defined_25", "defined_0"]}, lambda rows: DEFINED[25][1](rows) - DEFINED[0][1](rows)),
    ({"product": ["defined_0", 0.5]}, lambda rows: DEFINED[0][1](rows) * 0.5),
    ({"table": "persons", "aggregate": "last", "of": "identifier_count"},
     lambda rows: 1 + len({row["identifiers"]["cookie"] for row in rows})),
    ({"table": "persons", "aggregate": "last", "of": "first_seen"}, lambda rows: (AS_OF - min(map(_day, rows))).days),
    ({"table": "persons", "aggregate": "max", "of": "last_seen"}, lambda rows: (AS_OF - max(map(_day, rows))).days),
    ({"aggregate": "trend", "where": {"event": "view"}, "window_days": 30},
     lambda rows: _trend([((AS_OF - _day(row)).days, row["event_name"] == "view") for row in rows], 4)),
    ({"aggregate": "trend", "of": "amount", "where": BOUGHT, "window_days": 21},
     lambda rows: _trend([((AS_OF - _day(row)).days, row["amount"]) for row in _buys(rows) if row["amount"] > 0], 3)),
    # Of a few values a sketch is exact.
    ({"aggregate": "distinct", "of": "properties.dept", "window_days": 5, "sketch": True},
     lambda rows: len({_dept(row) for row in _last(rows, 5)} - {None})),
]  # fmt: skip
SETTINGS = FeatureSettings.model_validate(
    {
        "mixes": [{"name": "dept", "field": "properties.dept", "of": "amount", "values": ["MEAT", "DELI"]}],
        "define": [{"name": f"defined_{n}", **definition} for n, (definition, _) in enumerate(DEFINED)],
    }
)


def _history(seed: int) -> list[Row]:
    draw = random.Random(seed)
    rows = []
    for number in range(900):
        name = draw.choice(["view", "view", "cart", "buy", "buy"])
        rows.append(
            {
                "person_id": f"p{draw.randrange(25)}",
                "event_id": f"{draw.random():.12f}",
                "event_ts": datetime(2026, 2, 20) + timedelta(minutes=draw.randrange(57_000)),
                "event_name": name,
                "identifiers": {"user_id": "u", "cookie": f"c{number % 40}"},
                "amount": draw.choice([3.1, 12.25, 0.07, -2.5]) if name == "buy" and draw.random() < 0.9 else None,
                "session_key": f"s{number // 3}" if draw.random() < 0.5 else None,
                "properties": {
                    **({"dept": draw.choice(["MEAT", "FISH", "DELI"])} if draw.random() < 0.8 else {}),
                    **({"price": draw.choice(["1.5", "7", "9.25", "n/a"])} if draw.random() < 0.7 else {}),
                },
            }
        )
    return rows


def _measure(events: DataFrame, settings: FeatureSettings = SETTINGS) -> DataFrame:
    kept = keep_behaviour(events, AS_OF, minimal_settings())
    return measure_features(kept, cut_sessions(kept, SessionSettings(), AS_OF, ("user_id",)), settings, AS_OF)


@pytest.fixture(scope="module")
def history() -> list[Row]:
    return _history(seed=3)


@pytest.fixture(scope="module")
def measured(spark: SparkSession, history: list[Row]) -> dict[str, Row]:
    return {row["person_id"]: row.asDict() for row in _measure(event_rows(spark, history)).collect()}


def test_everyone_has_a_row_and_every_feature_a_number(history: list[Row], measured: dict[str, Row]) -> None:
    assert set(measured) == {row["person_id"] for row in history}
    for figures in measured.values():
        assert list(figures) == ["person_id", "as_of", "feature_set", *SETTINGS.names()]
        assert all(isinstance(figures[name], float) for name in SETTINGS.names())


@pytest.mark.parametrize("number", range(len(DEFINED)))
def test_a_declared_feature_is_what_it_says(history: list[Row], measured: dict[str, Row], number: int) -> None:
    definition, reckon = DEFINED[number]
    for person, figures in measured.items():
        rows = [row for row in history if row["person_id"] == person]
        assert figures[f"defined_{number}"] == pytest.approx(float(reckon(rows)), abs=1e-6), definition


def test_a_mix_shares_out_what_was_bought(history: list[Row], measured: dict[str, Row]) -> None:
    for person, figures in measured.items():
        sizes = _by_dept([row for row in history if row["person_id"] == person])
        everything = float(sum(sizes.values()))
        assert figures["dept_meat_share"] == pytest.approx(_ratio(float(sizes["MEAT"]), everything))
        assert figures["dept_deli_share"] == pytest.approx(_ratio(float(sizes["DELI"]), everything))
        assert figures["dept_entropy"] == pytest.approx(_entropy([float(size) for size in sizes.values()]))


def test_order_partitioning_and_the_future_change_no_bit(
    spark: SparkSession, history: list[Row], measured: dict[str, Row]
) -> None:
    shuffled = random.Random(5).sample(history, len(history))
    future = [{**row, "event_id": f"later {row['event_id']}", "event_ts": datetime(2026, 4, 1)} for row in history[:50]]
    again = _measure(event_rows(spark, [*shuffled, *future]).repartition(5, "event_name"))
    assert {row["person_id"]: row.asDict() for row in again.collect()} == measured


VISITS: list[tuple[dict[str, Any], Callable[[list[Row]], float]]] = [
    ({"aggregate": "count", "where": {"field": "is_bounce", "equals": True}},
     lambda visits: sum(visit["is_bounce"] for visit in visits)),
    ({"aggregate": "sum", "of": "amount", "window_days": 10},
     lambda visits: sum(float(visit["amount"] or 0) for visit in visits if _age(visit) < 10)),
    ({"aggregate": "median", "of": "duration_s"},
     lambda visits: median([visit["duration_s"] for visit in visits] or [0])),
    ({"aggregate": "distinct", "of": "entry_event"}, lambda visits: len({visit["entry_event"] for visit in visits})),
    ({"aggregate": "share", "where": {"field": "hour", "less_than": 12}},
     lambda visits: _ratio(sum(visit["session_start"].hour < 12 for visit in visits), len(visits))),
    ({"aggregate": "trend", "window_days": 28}, lambda visits: _trend([(_age(visit), 1) for visit in visits], 4)),
    ({"aggregate": "count", "last_sessions": 3}, lambda visits: min(3, len(visits))),
    ({"aggregate": "mean", "of": "events", "last_sessions": 3},
     lambda visits: _ratio(sum(visit["events"] for visit in visits[-3:]), len(visits[-3:]))),
    ({"aggregate": "share", "where": {"field": "is_bounce", "equals": True}, "last_sessions": 2},
     lambda visits: _ratio(sum(visit["is_bounce"] for visit in visits[-2:]), len(visits[-2:]))),
    ({"aggregate": "last", "of": "events", "last_sessions": 1, "window_days": 3},
     lambda visits: visits[-1]["events"] if _age(visits[-1]) < 3 else 0),
]  # fmt: skip


def _age(visit: Row) -> int:
    return (AS_OF - visit["session_start"].date()).days


def test_features_of_sessions_are_what_they_say(spark: SparkSession, history: list[Row]) -> None:
    define = [{"name": f"of_visits_{n}", "table": "sessions", **own} for n, (own, _) in enumerate(VISITS)]
    settings = FeatureSettings.model_validate({"library": [], "define": define})
    events = keep_behaviour(event_rows(spark, history), AS_OF, minimal_settings())
    sessions = cut_sessions(events, SessionSettings(), AS_OF, ("user_id",)).persist()
    cut = sorted((row.asDict() for row in sessions.collect()), key=lambda v: (v["session_start"], v["session_id"]))
    for figures in measure_features(events, sessions, settings, AS_OF).collect():
        visits = [visit for visit in cut if visit["person_id"] == figures["person_id"]]
        for number, (own, reckon) in enumerate(VISITS):
            assert figures[f"of_visits_{number}"] == pytest.approx(float(reckon(visits)), abs=1e-9), own


def test_more_features_make_no_more_scans(spark: SparkSession, tmp_path: Any, history: list[Row]) -> None:
    event_rows(spark, history).write.parquet(str(tmp_path / "events"))
    events = spark.read.parquet(str(tmp_path / "events"))
    only_events = SETTINGS.model_copy(update={"library": ["recency", "frequency", "monetary", "interpurchase_cv"]})
    features = measure_features(events, spark.createDataFrame([], "person_id string"), only_events, AS_OF)
    plan = features._jdf.queryExecution().executedPlan().toString()
    assert plan.count("FileScan") == 1


def test_a_sketch_is_within_its_error_and_the_same_in_any_order(spark: SparkSession) -> None:
    """Two people: 60,000 different pages over twenty days, each of them on two; and 30,000 on one day."""
    count = {"aggregate": "distinct", "of": "properties.page"}
    define = [{"name": "exact", **count}, {"name": "about", **count, "sketch": True}]
    settings = FeatureSettings.model_validate({"library": [], "define": define})
    one = spark.range(120_000).select("id", F.lit("many").alias("person_id"), (F.col("id") % 60_000).alias("page"))
    other = spark.range(30_000).select("id", F.lit("one day").alias("person_id"), F.col("id").alias("page"))
    day = F.when(F.col("person_id") == "many", (F.col("id") % 20).cast("int")).otherwise(0)
    events = one.unionByName(other).select(
        "person_id",
        F.concat("person_id", "id").alias("event_id"),
        F.date_add(F.lit(date(2026, 3, 1)), day).alias("event_date"),
        F.create_map(F.lit("page"), F.col("page").cast("string")).alias("properties"),
    )
    found = {}
    for arranged in (events.coalesce(1), events.orderBy(F.rand(3)).repartition(5)):
        rows = measure_features(arranged, events, settings, AS_OF).collect()
        found = {**found, **{(row["person_id"], row["exact"], row["about"]): 1 for row in rows}}
    assert {key[:2] for key in found} == {("many", 60_000), ("one day", 30_000)}
    assert len(found) == 2, "the same whatever the order"
    for _, exact, about in found:
        assert about == pytest.approx(exact, rel=0.05)
        assert about != exact


def test_the_feature_set_is_the_hash_of_its_definitions() -> None:
    other = SETTINGS.model_copy(update={"half_life_days": 31})
    assert SETTINGS.version() == FeatureSettings.model_validate(SETTINGS.model_dump()).version()
    assert SETTINGS.version() != other.version()


def test_a_missing_column_is_named(spark: SparkSession) -> None:
    events = event_rows(spark, [{}]).drop("event_date")
    with pytest.raises(MissingColumnsError, match="'event_date'"):
        measure_features(events, events, FeatureSettings(), AS_OF)


def test_what_a_campaign_brought_does_not_count_where_that_is_asked(spark: SparkSession) -> None:
    day = datetime(2026, 3, 1)
    events = event_rows(
        spark,
        [
            {"event_id": "before", "event_ts": day},
            {"event_id": "mail", "event_ts": day + timedelta(hours=2), "event_name": "mail"},
            {"event_id": "with it", "event_ts": day + timedelta(hours=2)},
            {"event_id": "after", "event_ts": day + timedelta(hours=3)},
            {"event_id": "again", "event_ts": day + timedelta(hours=4), "event_name": "mail"},
            {"event_id": "another's", "event_ts": day + timedelta(hours=5), "person_id": "q"},
        ],
    )
    kept = keep_until(events, Rule(event="mail"))
    assert {row["event_id"] for row in kept.collect()} == {"before", "another's"}
    assert kept.columns == events.columns


def test_sessions_that_are_not_kept_are_in_no_feature_whoever_measures(spark: SparkSession) -> None:
    days = [{"event_ts": datetime(2026, 3, day)} for day in (1, 27, 30)]
    events, owners = event_rows(spark, days).drop("person_id"), identity_rows(spark, {("user_id", "u"): "p"})
    features = {"library": ["sessions", "days_active"]}
    settings = minimal_settings(features=features, maintenance={"keep_rows_days": {"sessions": 4}})
    (row,) = measure_people(events, owners, settings, AS_OF).collect()
    assert (row["sessions"], row["days_active"]) == (2, 3)
    depends_on = features_stage.STAGE.depends_on
    assert depends_on(settings) != depends_on(minimal_settings(features=features))


def test_attributes_are_as_events_had_said_them_by_the_date(spark: SparkSession) -> None:
    rules = {
        "plan": AttributeRule(field="properties.plan"),
        "age": AttributeRule(field="properties.age", prefer="most_frequent"),
    }
    said = [("p", 1, {"plan": "free", "age": "30"}), ("p", 10, {"plan": "gold", "age": "31"}), ("p", 12, {"age": "31"})]
    said += [("q", 2, {"plan": "gold", "age": "n/a"}), ("r", 3, {}), ("later", 20, {"plan": "gold"})]
    events = event_rows(
        spark, [{"person_id": who, "event_ts": datetime(2026, 3, day), "properties": told} for who, day, told in said]
    )
    define = [
        {"name": "gold", "table": "persons", "aggregate": "count"}
        | {"where": {"field": "attributes.plan", "equals": "gold"}},
        {"name": "age", "table": "persons", "aggregate": "last", "of": "attributes.age", "fill": None},
    ]
    settings = FeatureSettings.model_validate({"library": [], "define": define})

    def at(day: int) -> set[tuple[str, float, float | None]]:
        as_of = date(2026, 3, day)
        kept = keep_behaviour(events, as_of, minimal_settings())
        rows = measure_features(kept, kept, settings, as_of, rules).collect()
        assert {row["feature_set"] for row in rows} == {settings.version(rules)}
        return {(row["person_id"], row["gold"], row["age"]) for row in rows}

    assert at(9) == {("p", 0.0, 30.0), ("q", 1.0, None), ("r", 0.0, None)}
    assert at(31) == {("p", 1.0, 31.0), ("q", 1.0, None), ("r", 0.0, None), ("later", 1.0, None)}


def test_a_link_table_says_attributes_and_is_no_behaviour(spark: SparkSession) -> None:
    said = [(1, "page_view", "free"), (3, "crm", "gold"), (5, "page_view", None), (7, "crm", "late")]
    events = event_rows(
        spark,
        [
            {"event_ts": datetime(2026, 3, day), "event_name": name, "properties": {"plan": plan} if plan else {}}
            for day, name, plan in said
        ],
    ).drop("person_id")
    gold = {"name": "gold", "table": "persons", "aggregate": "count"}
    gold |= {"where": {"field": "attributes.plan", "equals": "gold"}}
    before = {"any": [{"event": "crm"}, {"field": "event_ts", "at_least": "2026-03-05"}]}
    identity: dict[str, object] = {"identifiers": {"user_id": {}, "cookie": {}}, "link_events": ["crm"]}
    identity |= {"attributes": {"plan": {"field": "properties.plan"}}}

    def measure(**features: object) -> tuple[float, float]:
        told = {"library": ["days_active"], "define": [gold], **features}
        settings = minimal_settings(features=told, identity=identity)
        (row,) = measure_people(events, identity_rows(spark, {("user_id", "u"): "p"}), settings, AS_OF).collect()
        return row["days_active"], row["gold"]

    assert measure() == (2, 0), "what was said last holds"
    assert measure(before=before) == (1, 1), "up to the first day that is behaviour"


def test_days_put_together_from_parts_are_those_of_all_events(spark: SparkSession, history: list[Row]) -> None:
    library = list(get_args(LibraryName))
    words = {"library": library, "funnel": ["view", "cart", "buy"], "event_weights": {"view": 1.5}}
    bought_as = {"category": "properties.dept", "discount": Rule(field="properties.price", at_most=5)}
    settings = SETTINGS.model_copy(update={**words, **bought_as, "clv_period_days": 7})
    events = keep_behaviour(event_rows(spark, history), AS_OF, minimal_settings())
    sessions = cut_sessions(events, SessionSettings(), AS_OF, ("user_id",))
    plan = FeaturePlan(settings, AS_OF)
    parts = plan.days.summarize(events.withColumn("part", F.hash("event_id") % 3), ("person_id", "part"))
    whole = plan.measure(plan.days.combine(parts), sessions, None, None)
    wanted = measure_features(events, sessions, settings, AS_OF)
    assert_df_equality(whole, wanted, ignore_row_order=True, ignore_nullable=True)


def test_amounts_as_large_as_they_can_be_overflow_nothing(spark: SparkSession) -> None:
    largest = Decimal("99999999999999.9999")
    prices = ["9" * 18, "9" * 18, "9" * 19, "1e400"]
    events = event_rows(
        spark,
        [
            {"event_ts": datetime(2026, 3, day), "amount": largest, "properties": {"price": price, "dept": "MEAT"}}
            for day, price in zip((5, 12, 12, 30), prices, strict=True)
        ],
    )
    amount = {"aggregate": "sum", "of": "amount"}
    define = [
        {"name": "paid", **amount},
        {"name": "faded", **amount, "aggregate": "decayed"},
        {"name": "slope", **amount, "aggregate": "trend", "window_days": 28},
        {"name": "prices", "aggregate": "sum", "of": "properties.price"},
        {"name": "faded_prices", "aggregate": "decayed", "of": "properties.price"},
        {"name": "beyond", "product": ["prices"] * 20, "fill": -1},
        {"name": "beyond_too", "ratio": ["paid", "beyond"]},
    ]
    mixes = [{"name": "dept", "field": "properties.dept", "of": "amount", "values": ["MEAT"]}]
    library = ["monetary", "spend_trend", "clv_monetary", "category_affinity_by_amount"]
    settings = {"library": library, "category": "properties.dept", "mixes": mixes, "define": define}
    (row,) = measure_features(events, events, FeatureSettings.model_validate(settings), AS_OF).collect()
    assert row["paid"] == row["monetary"] == pytest.approx(4 * float(largest), rel=1e-15)
    assert row["prices"] == pytest.approx(2e18), "what has more digits is no number"
    assert (row["beyond"], row["beyond_too"]) == (-1, pytest.approx(-4e14)), "a double that overflows is filled"
    assert (row["dept_meat_share"], row["category_affinity_by_amount"]) == (1.0, 1.0)
    assert 0 < row["faded"] < row["paid"]
    assert 0 < row["faded_prices"] < row["prices"]
    assert all(abs(row[name]) < 1e20 for name in ("slope", "spend_trend", "clv_monetary"))
