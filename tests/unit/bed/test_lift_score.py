"""The measured lift against the true one, on people few enough to count."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from segmentation.bed.lift_score import LiftScore, score_lift

EVENTS = (
    "person_id string, event_id string, event_name string, event_ts timestamp, amount decimal(18,4), "
    "properties map<string,string>"
)
# Who: arm, latent segment, buys within the window, would have bought anyway. p5 is two people of different arms.
PEOPLE = {
    1: ("treated", "a", True, True),
    2: ("treated", "a", True, False),
    3: ("treated", "b", True, False),
    4: ("treated", "b", False, False),
    5: ("holdout", "a", False, False),
    6: ("holdout", "b", True, True),
}


def _event(number: int, name: str, day: int, hour: int = 12, **properties: str) -> tuple[Any, ...]:
    at = datetime(2026, 3, day, hour)
    return f"p{number}", f"{number}-{name}-{day}", name, at, Decimal(10) if name == "purchase" else None, properties


def _score(spark: SparkSession, extra: list[tuple[Any, ...]], campaign: str = "spring") -> LiftScore | None:
    rows = [_event(n, "campaign_assigned", 10, campaign="spring", arm=arm) for n, (arm, *_) in PEOPLE.items()]
    rows += [_event(n, "purchase", 12) for n, (_, _, buys, _) in PEOPLE.items() if buys]
    mains: DataFrame = spark.createDataFrame([(str(n), f"p{n}") for n in PEOPLE], "owner string, person_id string")
    truth = spark.createDataFrame(
        [(n, arm, segment, buys, anyway) for n, (arm, segment, buys, anyway) in PEOPLE.items()],
        "person long, arm string, segment string, converts boolean, converts_anyway boolean",
    )
    return score_lift(spark.createDataFrame(rows + extra, EVENTS), mains, truth, campaign, window_days=7)


def test_people_are_counted_in_their_first_arm_and_purchases_in_the_window(spark: SparkSession) -> None:
    found = _score(
        spark,
        [
            _event(5, "campaign_assigned", 11, campaign="spring", arm="treated"),
            _event(4, "campaign_assigned", 9, campaign="winter", arm="holdout"),
            _event(4, "purchase", 10, hour=11),  # an hour before
            _event(4, "purchase", 17),  # at the window's end
            _event(1, "purchase", 13),  # nobody buys twice
            _event(7, "purchase", 12),  # not in the campaign
        ],
    )
    assert found is not None
    assert (found.people, found.in_both_arms) == (6, 1)
    assert found.measured == pytest.approx(3 / 4 - 1 / 2)
    assert found.true == pytest.approx(2 / 4)
    assert found.lowest < found.true < found.highest
    # Of b, one treated of two and the one held out buy: -0.5, and at most 0.39, where the truth is 0.5.
    assert (found.is_covered, found.segments_covered) == (1, 1 / 2)


def test_a_wrong_measure_is_not_covered(spark: SparkSession) -> None:
    # Two hundred more in segment a: all of the held out buy and none of the treated, though the truth says otherwise.
    extra = [
        event
        for n in range(100, 300)
        for event in (
            _event(n, "campaign_assigned", 10, campaign="spring", arm="treated" if n < 200 else "holdout"),
            *([_event(n, "purchase", 12)] if n >= 200 else []),
        )
    ]
    found = _score(spark, extra)
    assert found is not None
    assert found.highest < 0 < found.true
    assert found.is_covered == 0


def test_a_campaign_without_people_is_not_measured(spark: SparkSession) -> None:
    assert _score(spark, [], campaign="autumn") is None
