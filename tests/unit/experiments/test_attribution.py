"""Conversions shared out among touches, against a plain reckoning of a random history and published figures."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, minimal_settings

from segmentation.contracts.errors import ConfigError, InputError
from segmentation.experiments.attribution import (
    METHODS,
    MOST_CHANNELS,
    MOST_TOUCHES,
    Attribution,
    attribute,
    list_journeys,
)
from segmentation.experiments.markov import CONVERTED, LOST, START, removal_effects
from segmentation.stages.attribution import find_settings

AS_OF = date(2026, 3, 31)
SEGMENTS = {f"p{n}": ("s-1", "s-2", None)[n % 3] for n in range(20)}
Row = dict[str, Any]


def _journeys(spark: SparkSession, rows: list[Row], window_days: int = 30) -> DataFrame:
    channel, buys = F.col("properties")["channel"], F.col("event_name") == "buy"
    return list_journeys(event_rows(spark, rows).repartition(3), channel, F.lit(True), buys, window_days)


def _touch(person: str, hour: int, channel: str | None, name: str = "view", amount: float | None = None) -> Row:
    return {
        "person_id": person,
        "event_id": f"{person}-{hour:04}-{name}-{channel}",
        "event_name": name,
        "event_ts": datetime(2026, 3, 1) + timedelta(hours=hour),
        "properties": {"channel": channel} if channel else {},
        "amount": amount,
    }


def test_a_touch_is_of_one_journey(spark: SparkSession) -> None:
    rows = [
        _touch("p1", 0, "mail"),
        _touch("p1", 24 * 28, "web"),
        _touch("p1", 24 * 29, None),
        _touch("p1", 24 * 30, "web", "buy", 9.5),
        _touch("p1", 24 * 30 + 1, None, "buy", 0.5),
        _touch("p1", 24 * 30 + 2, "app"),
        _touch("p2", 5, "mail"),
    ]
    found = [
        (row["person_id"], [(t["channel"], round(t["days"], 3)) for t in row["path"]], row["converted"], row["amount"])
        for row in _journeys(spark, rows).collect()
    ]
    assert sorted(found, key=repr) == [
        ("p1", [("app", 0.0)], False, 0),
        ("p1", [("web", 2.0), ("web", 0.0)], True, 9.5),
        ("p1", [], True, 0.5),
        ("p2", [("mail", 0.0)], False, 0),
    ], "the first mail is thirty days old: no more than the window"
    long = [_touch("p1", hour, str(hour)) for hour in range(MOST_TOUCHES + 5)]
    (journey,) = _journeys(spark, long).collect()
    assert [touch["channel"] for touch in journey["path"]] == [str(hour) for hour in range(5, MOST_TOUCHES + 5)]


def _history() -> list[Row]:
    draw, rows = random.Random(8), []
    for person in SEGMENTS:
        for hour in sorted(draw.sample(range(700), 25)):
            if draw.random() < 0.2:
                rows.append(_touch(person, hour, None, "buy", round(draw.expovariate(0.1), 2)))
            else:
                rows.append(_touch(person, hour, draw.choice(["mail", "web", "app", "call"])))
    return rows


def _reckon(rows: list[Row], half_life: float, people: list[str]) -> dict[tuple[str, str], list[float]]:
    """Channel and method -> conversions and amount, of these people."""
    credit: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for person in people:
        path: list[tuple[str, datetime]] = []
        for row in (row for row in rows if row["person_id"] == person):
            if row["event_name"] != "buy":
                path.append((row["properties"]["channel"], row["event_ts"]))
                continue
            size, channels = len(path), {channel for channel, _ in path}
            decay = [0.5 ** ((row["event_ts"] - at) / timedelta(days=half_life)) for _, at in path]
            for place, (channel, _) in enumerate(path):
                ends = place in (0, size - 1)
                shares = {
                    "first": place == 0,
                    "last": place == size - 1,
                    "linear": 1 / size,
                    "position": {1: 1.0, 2: 0.5}.get(size, 0.4 if ends else 0.2 / max(size - 2, 1)),
                    "time_decay": decay[place] / sum(decay),
                    "shapley": 1 / len(channels) / sum(other == channel for other, _ in path),
                }
                for method, share in shares.items():
                    credit[channel, method][0] += share
                    credit[channel, method][1] += share * row["amount"]
            path = []
    return credit


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> Attribution:
    placed = spark.createDataFrame(list(SEGMENTS.items()), "person_id string, segment_id string")
    return attribute(_journeys(spark, _history()).join(placed, "person_id", "left"), 7, AS_OF)


@pytest.mark.parametrize("segment", [None, "s-1", "s-2"])
def test_conversions_are_shared_out_as_reckoned(found: Attribution, segment: str | None) -> None:
    people = [person for person, of in SEGMENTS.items() if segment in (None, of)]
    expected = _reckon(_history(), 7, people)
    credited = {credit.channel: credit for credit in found.credits if credit.segment_id == segment}
    assert set(credited) == {"mail", "web", "app", "call"}
    assert {method for _, method in expected} == {*METHODS} - {"markov"}
    for (channel, method), (conversions, amount) in expected.items():
        assert credited[channel].conversions[method] == pytest.approx(conversions, abs=1e-6), (channel, method)
        assert credited[channel].revenue[method] == pytest.approx(amount, abs=1e-5), (channel, method)


def test_removal_effects_and_shapley_values_of_each_segment_are_those_by_hand(spark: SparkSession) -> None:
    # The published example is one segment; in the other somebody buys after one channel.
    journeys = {"a1": "123+", "a2": "1", "a3": "23", "b1": "1+", "b2": "2"}
    rows = [
        _touch(person, hour, None, "buy", {"a": 9, "b": 10}[person[0]]) if step == "+" else _touch(person, hour, step)
        for person, steps in journeys.items()
        for hour, step in enumerate(steps)
    ]
    of = spark.createDataFrame([(person, person[0]) for person in journeys], "person_id string, segment_id string")
    found = attribute(_journeys(spark, rows).join(of, "person_id"), 7, AS_OF)
    shares = {
        # Without channel 1 three in five begin in vain, and so on: 2/3, 1/2 and 1/2 fewer conversions.
        None: {"markov": (0.8, 0.6, 0.6), "shapley": (4 / 3, 1 / 3, 1 / 3)},
        "a": {"markov": (0.2, 0.4, 0.4), "shapley": (1 / 3, 1 / 3, 1 / 3)},
        "b": {"markov": (1, 0), "shapley": (1, 0)},
    }
    paid = {
        None: {"markov": (7.6, 5.7, 5.7), "shapley": (13, 3, 3)},
        "a": {"markov": (1.8, 3.6, 3.6), "shapley": (3, 3, 3)},
        "b": {"markov": (10, 0), "shapley": (10, 0)},
    }
    for segment, methods in shares.items():
        credits_ = [credit for credit in found.credits if credit.segment_id == segment]
        assert [credit.channel for credit in credits_] == list("123")[: len(credits_)]
        for method, expected in methods.items():
            given = [credit.conversions[method] for credit in credits_]
            assert given == pytest.approx(expected, abs=1e-6), (segment, method)
            amounts = [credit.revenue[method] for credit in credits_]
            assert amounts == pytest.approx(paid[segment][method], abs=1e-5), (segment, method)


def test_every_method_shares_out_all_that_was_touched(found: Attribution) -> None:
    assert [total.segment_id for total in found.totals] == [None, "s-1", "s-2"]
    rows = [row for row in _history() if row["event_name"] == "buy"]
    assert found.totals[0].conversions == len(rows)
    assert found.totals[0].revenue == pytest.approx(sum(row["amount"] for row in rows))
    assert 0 < found.totals[0].untouched < len(rows)
    for total in found.totals:
        mine = [credit for credit in found.credits if credit.segment_id == total.segment_id]
        for method in METHODS:
            given = sum(credit.conversions[method] for credit in mine)
            assert given == pytest.approx(total.conversions - total.untouched, abs=1e-6), (total.segment_id, method)
            paid = sum(credit.revenue[method] for credit in mine)
            assert paid == pytest.approx(total.revenue - total.untouched_revenue, abs=1e-4)


def test_removal_effects_are_those_of_the_published_example() -> None:
    journeys = [["C1", "C2", "C3", CONVERTED], ["C1", LOST], ["C2", "C3", LOST]]
    steps: dict[tuple[str, str], int] = defaultdict(int)
    for journey in journeys:
        for here, there in zip([START, *journey], journey, strict=False):
            steps[here, there] += 1
    assert removal_effects(steps) == pytest.approx({"C1": 0.5, "C2": 1.0, "C3": 1.0})
    assert removal_effects({(START, "C1"): 2, ("C1", "C1"): 5, ("C1", LOST): 2}) == {"C1": 0.0}, "nobody converts"
    assert removal_effects({(START, "C1"): 1, ("C1", "C1"): 9, ("C1", CONVERTED): 1}) == {"C1": 1.0}


def test_too_many_channels_are_none(spark: SparkSession) -> None:
    rows = [_touch(person, hour, f"{person} {hour}") for person in ("p1", "p2", "p3") for hour in range(90)]
    assert len(rows) > MOST_CHANNELS
    journeys = _journeys(spark, rows).withColumn("segment_id", F.lit(None).cast("string"))
    with pytest.raises(InputError, match="more than 200 channels"):
        attribute(journeys, 7, AS_OF)


def test_the_configuration_says_what_a_channel_is() -> None:
    with pytest.raises(ConfigError, match="attribution: is missing"):
        find_settings(minimal_settings())
    with pytest.raises(ValueError, match="channel needs a text field of events, and amount is none"):
        minimal_settings(attribution={"channel": "amount"})
    with pytest.raises(ValueError, match="no field 'amout'"):
        minimal_settings(attribution={"channel": "platform", "conversion": {"field": "amout", "exists": True}})
