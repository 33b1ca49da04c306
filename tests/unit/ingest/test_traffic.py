"""Which events no customer made: by user agent, by account, by address, by rate."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows

from segmentation.bed.activity import USER_AGENTS
from segmentation.config.identity import IdentitySettings
from segmentation.config.traffic import Accounts, Rates, TrafficSettings
from segmentation.ingest.addresses import is_within
from segmentation.ingest.agents import any_of, find_programs
from segmentation.ingest.identifiers import normalise_identifier
from segmentation.ingest.traffic import (
    busy_days,
    flag_busy_days,
    flag_programs,
    forget_properties,
    is_declared,
    leave_out,
    seen_programs,
    suspect_days,
)

NOON = datetime(2026, 3, 1, 12)
TRUST = ("user_id", "cookie")
NETWORKS = ("10.1.0.0/16", "192.0.2.77", "198.51.100.160/27", "2001:db8:a::/47", "2001:db8::1")
ADDRESSES = {
    "10.1.255.255": True,
    " 10.1.0.0 ": True,
    "10.2.0.0": False,
    "192.0.2.77": True,
    "192.0.2.78": False,
    "198.51.100.160": True,
    "198.51.100.191": True,
    "198.51.100.159": False,
    "198.51.100.192": False,
    "::ffff:10.1.2.3": True,
    "2001:db8:a::": True,
    "2001:DB8:B:ffff:ffff:ffff:ffff:ffff": True,
    "2001:db8:c::": False,
    "2001:0db8:0000:0000:0000:0000:0000:0001": True,
    "2001:db8:0:0::0:1": True,
    "2001:db8::2": False,
    "::": False,
    "10.1": False,
    "10.1.999.0": False,
    "12345::": False,
    "somewhere": False,
    "": False,
}


def test_an_address_is_within_its_networks_however_it_is_written(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(address,) for address in [*ADDRESSES, None]], "address string")
    found = {row[0]: row[1] for row in rows.select("address", is_within(F.col("address"), NETWORKS)).collect()}
    assert found == {**ADDRESSES, None: False}


def test_user_agents_are_matched_once_each_and_not_for_every_event(spark: SparkSession) -> None:
    agents = spark.createDataFrame([("Googlebot/2.1",), ("Firefox",)] * 5 + [(None,)], "agent string")
    programs = find_programs(agents, "agent", TrafficSettings().bots)
    assert [row[0] for row in programs.collect()] == ["Googlebot/2.1"]
    plan = programs._jdf.queryExecution().optimizedPlan().toString()
    assert plan.index("RLIKE") < plan.index("Aggregate"), f"patterns before rows are put together:\n{plan}"


def test_one_pattern_finds_what_a_thousand_do() -> None:
    patterns = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA]
    together = re.compile(any_of(patterns))
    each = [re.compile(pattern) for pattern in patterns]
    agents = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry["instances"][:1]]
    for agent in [*agents[::20], *USER_AGENTS, "Googlebo", "acunetix", ""]:
        assert bool(together.search(agent)) == any(one.search(agent) for one in each), agent
    assert re.fullmatch(any_of(["ab", "a?c", "x|y", "ad"]), "x")
    assert not re.fullmatch(any_of(["ab", "a?c"]), "aac")
    assert any_of([]) == ""


AGENTS: dict[str | None, bool] = {
    **dict.fromkeys(USER_AGENTS, False),
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": True,
    "python-requests/2.32.3": True,
    "curl/8.11.0": True,
    "our-monitor/1": True,
    "okhttp/4.12 OurApp/7": False,
    "okhttp/4.12": True,
    None: False,
}


def _flagged_programs(events: DataFrame, bots: dict[str, Any]) -> DataFrame:
    traffic = TrafficSettings.model_validate({"bots": bots})
    return flag_programs(events, seen_programs(events, traffic), traffic)


def test_events_of_programs_are_flagged_by_their_user_agent(spark: SparkSession) -> None:
    rows = [{"properties": {"user_agent": agent} if agent else {"page": "/"}} for agent in [*AGENTS, *AGENTS]]
    events = event_rows(spark, [*rows, {"properties": {}, "is_bot": True}, {}]).repartition(3)
    bots = {"agents": ["^our-monitor"], "not_agents": ["OurApp/"]}
    flagged = _flagged_programs(events, bots)
    assert flagged.columns == events.columns
    found = flagged.select(F.col("properties")["user_agent"], "is_bot").collect()
    assert len(found) == 2 * len(AGENTS) + 2
    assert sorted(map(tuple, found), key=repr) == sorted(
        [*AGENTS.items(), *AGENTS.items(), (None, True), (None, False)], key=repr
    )
    unknown = _flagged_programs(events, {**bots, "known": False})
    assert {row[0] for row in unknown.where("is_bot").select(F.col("properties")["user_agent"]).collect()} == {
        "our-monitor/1",
        None,
    }


def test_test_accounts_are_told_by_value_and_by_pattern(spark: SparkSession) -> None:
    identity = IdentitySettings.model_validate({"identifiers": {"email": {}}})
    accounts = Accounts(values=["Q.A@gmail.com", "ops+1@example.com"], patterns=[r".*@example\.test"])
    said = {
        " qa@GMAIL.com": True,
        "ops+1@example.com": True,
        "opss1@example.com": False,
        "Anna@Example.TEST": True,
        "anna@example.test.org": False,
        "test@example.test": True,  # a placeholder, which is no identifier at all
        "": False,
    }
    raw = F.col("raw")
    normal = normalise_identifier("email", raw, identity)
    rows = spark.createDataFrame([(text,) for text in [*said, None]], "raw string")
    found = {
        row[0]: row[1] for row in rows.select(raw, is_declared("email", raw, normal, accounts, identity)).collect()
    }
    assert found == {**said, None: False}


def _at(second: float, **changes: Any) -> dict[str, Any]:
    return {"identifiers": {"cookie": "c"}, "event_ts": NOON + timedelta(seconds=second), **changes}


def _of(cookie: str, seconds: list[float], **changes: Any) -> list[dict[str, Any]]:
    return [_at(second, identifiers={"user_id": "everyone", "cookie": cookie}, **changes) for second in seconds]


RATES = Rates(per_minute=5, per_hour=20, hours_a_day=10)
HISTORY = [
    *_of("six in a minute", [0, 10, 20, 30, 40, 59.9]),
    *_of("five in a minute", [0, 10, 20, 30, 40, 60, 70]),
    *_of("a receipt", [0.1 * line for line in range(9)]),
    *_of("21 in an hour", [150 * step for step in range(21)]),
    *_of("20 in an hour", [150 * step for step in range(20)]),
    *_of("11 hours", [-3600 * step for step in range(11)]),
    *_of("10 hours", [-3600 * step for step in range(10)]),
    *_of("mails", [10 * step for step in range(6)], event_name="mail"),
    # Twelve hours in a row, six of them on either side of midnight.
    *_of("over midnight", [3600 * step + 6 * 3600 for step in range(12)]),
    *_of("busy for one day", [0, 10, 20, 30, 40, 50, 86400, 86410]),
]
BUSY = {("six in a minute", 1), ("21 in an hour", 1), ("11 hours", 1), ("busy for one day", 1)}


def _busy(new: DataFrame, earlier: DataFrame, rates: Rates = RATES) -> DataFrame:
    suspects = suspect_days(new, earlier, rates, TRUST, ["mail"])
    return busy_days(new, earlier, suspects, rates, TRUST, ["mail"])


def _days(busy: DataFrame) -> set[tuple[str, int]]:
    return {(row["who_value"], row["event_date"].day) for row in busy.collect()}


def test_rates_that_no_person_reaches_are_found_by_device_and_day(spark: SparkSession) -> None:
    events = event_rows(spark, HISTORY)
    busy = _busy(events, events.limit(0)).persist()
    assert _days(busy) == BUSY
    flagged = flag_busy_days(events.repartition(3), busy, RATES, TRUST)
    assert flagged.columns == events.columns
    assert flagged.count() == events.count()
    marked = flagged.where("is_bot").groupBy(F.col("identifiers")["cookie"], "event_date").count().collect()
    assert {(row[0], row[1], row[2]) for row in marked} == {
        ("six in a minute", date(2026, 3, 1), 6),
        ("21 in an hour", date(2026, 3, 1), 21),
        ("11 hours", date(2026, 3, 1), 11),
        ("busy for one day", date(2026, 3, 1), 6),
    }


def test_however_events_come_in_parts_the_same_days_are_busy(spark: SparkSession) -> None:
    events = event_rows(spark, HISTORY)
    part = F.pmod(F.xxhash64("event_id"), F.lit(3))
    found: set[tuple[str, int]] = set()
    earlier = events.limit(0)
    for new in (events.where(part == number) for number in range(3)):
        found |= _days(_busy(new, earlier))
        earlier = earlier.unionByName(new)
    assert found == BUSY


def test_only_days_that_the_new_events_touch_are_suspected(spark: SparkSession) -> None:
    earlier = event_rows(spark, [*_of("old", [0, 10, 20, 30, 40, 50]), *_of("more", [0, 10, 20, 30, 40])])
    new = event_rows(spark, [*_of("another", [0]), *_of("more", [50])])
    assert suspect_days(new, earlier, RATES, TRUST, []).count() == 1


def test_people_are_counted_by_the_types_that_are_named(spark: SparkSession) -> None:
    events = event_rows(spark, HISTORY[:6])
    busy = _busy(events, events.limit(0), RATES.model_copy(update={"by": ["user_id"]}))
    assert [(row["who_type"], row["who_value"]) for row in busy.collect()] == [("user_id", "everyone")]


def test_what_is_left_out_and_forgotten_is_configured(spark: SparkSession) -> None:
    rows = [{"is_bot": True}, {"is_test": True}, {"properties": {"ip": "10.0.0.1", "page": "/"}}]
    events = event_rows(spark, rows)
    assert [leave_out(events, kinds).count() for kinds in (["bots", "tests"], ["bots"], [])] == [1, 2, 3]
    kept = forget_properties(events, TrafficSettings(not_kept=["ip"]))
    assert [row["properties"] for row in kept.collect()] == [None, None, {"page": "/"}]
