"""Gaps between events, and the timeout that they support."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from pyspark.sql import SparkSession
from tests.factories import event_rows

from segmentation.config.sessions import SessionSettings
from segmentation.sessions.gaps import FEWEST, STEPS, count_from, count_gaps, shortest_of, suggest_timeout

TRUST = ["user_id", "cookie"]
NOON = datetime(2026, 3, 1, 12)


def _classes(seconds: np.ndarray) -> dict[int, int]:
    numbers, counts = np.unique(np.floor(np.log2(np.maximum(seconds, 1)) * STEPS).astype(int), return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _two_kinds(within: float, between: float, spread: float = 1.0) -> dict[int, int]:
    """4,000 gaps within visits and 1,000 between them, log-normal around these medians (seconds)."""
    random = np.random.default_rng(1)
    return _classes(
        np.concatenate([within * random.lognormal(0, spread, 4000), between * random.lognormal(0, spread, 1000)])
    )


def _events(spark: SparkSession, moments: list[tuple[str, float, dict[str, object]]]) -> object:
    rows = [
        {"person_id": person, "event_ts": NOON + timedelta(seconds=after), **further}
        for person, after, further in moments
    ]
    return event_rows(spark, rows)


def test_the_gaps_of_each_person_are_counted_by_class(spark: SparkSession) -> None:
    moments = [("ann", 0, {}), ("ann", 1, {}), ("ann", 65, {}), ("bob", 30, {}), ("bob", 30.5, {}), ("cid", 9, {})]
    counts = count_gaps(_events(spark, moments), SessionSettings(), TRUST)  # type: ignore[arg-type]
    assert counts == {0: 2, 6 * STEPS: 1}, "1 s and half a second are the first class, 64 s begin their own"


def test_passive_events_and_other_devices_are_no_ends_of_a_gap(spark: SparkSession) -> None:
    moments = [
        ("ann", 0, {"identifiers": {"user_id": "u", "cookie": "phone"}}),
        ("ann", 5, {"event_name": "mail_sent"}),
        ("ann", 10, {"identifiers": {"user_id": "u", "cookie": "tablet"}}),
        ("ann", 64, {"identifiers": {"user_id": "u", "cookie": "phone"}}),
    ]
    events = _events(spark, moments)
    passive = SessionSettings(passive_events=["mail_sent"])
    assert sum(count_gaps(events, passive, TRUST).values()) == 2  # type: ignore[arg-type]
    by_device = passive.model_copy(update={"by": "device"})
    assert count_gaps(events, by_device, TRUST) == {6 * STEPS: 1}  # type: ignore[arg-type]


def test_what_the_source_calls_one_session_is_not_looked_at_where_it_is_believed(spark: SparkSession) -> None:
    moments = [("ann", 0, {"session_key": "s"}), ("ann", 100, {"session_key": "s"}), ("ann", 164, {}), ("ann", 228, {})]
    events = _events(spark, moments)
    assert sum(count_gaps(events, SessionSettings(), TRUST).values()) == 3  # type: ignore[arg-type]
    assert count_gaps(events, SessionSettings(trust_source=True), TRUST) == {6 * STEPS: 1}  # type: ignore[arg-type]


@pytest.mark.parametrize(("within", "between"), [(20, 86_400), (120, 86_400), (5, 4 * 3600), (40, 3 * 86_400)])
def test_the_timeout_lies_in_the_valley(within: float, between: float) -> None:
    found = suggest_timeout(_two_kinds(within, between))
    assert found.timeout_minutes is not None
    assert found.from_minutes is not None
    assert found.to_minutes is not None
    assert within * 3 < found.timeout_minutes * 60 < between / 3
    assert found.from_minutes <= found.timeout_minutes <= found.to_minutes
    assert found.depth > 0.8


def test_a_longer_stay_asks_for_a_longer_timeout() -> None:
    short, long = (suggest_timeout(_two_kinds(within, 86_400)).timeout_minutes for within in (5, 300))
    assert short is not None
    assert long is not None
    assert long > 3 * short


def test_the_stretch_that_cuts_the_same_holds_no_more_than_one_gap_in_a_hundred() -> None:
    counts = _two_kinds(20, 86_400)
    found = suggest_timeout(counts)
    assert found.from_minutes is not None
    assert found.to_minutes is not None
    assert 0 <= count_from(counts, found.from_minutes) - count_from(counts, found.to_minutes) <= 0.01 * found.gaps


def test_one_hill_supports_no_timeout() -> None:
    random = np.random.default_rng(1)
    assert suggest_timeout(_classes(600 * random.lognormal(0, 1.5, 5000))).timeout_minutes is None


@pytest.mark.parametrize("counts", [{}, {0: FEWEST - 1}, {4: 50, 60: 49}])
def test_few_gaps_support_no_timeout(counts: dict[int, int]) -> None:
    found = suggest_timeout(counts)
    assert (found.gaps, found.timeout_minutes) == (sum(counts.values()), None)


def test_classes_are_a_quarter_of_an_octave() -> None:
    assert [round(shortest_of(number), 2) for number in (0, 1, 4, 8)] == [1.0, 1.19, 2.0, 4.0]
    assert count_from({0: 1, 23: 2, 24: 3}, 1) == 3, "of at least a minute are the gaps from 64 seconds on"


def test_the_date_of_a_class_does_not_depend_on_the_calendar(spark: SparkSession) -> None:
    """Daylight saving or the end of a month make no gap longer."""
    for start in (datetime(2026, 3, 29, 0, 30), datetime(2026, 2, 28, 23, 30)):
        rows = [{"event_ts": start}, {"event_ts": start + timedelta(seconds=4096)}]
        counts = count_gaps(event_rows(spark, rows), SessionSettings(), TRUST)
        assert counts == {12 * STEPS: 1}, date(start.year, start.month, start.day)
