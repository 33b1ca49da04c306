"""Journeys against a plain walk through the events in Python."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession
from tests.factories import event_rows

from segmentation.config.features import FeatureSettings
from segmentation.config.journeys import END, START
from segmentation.contracts.errors import MissingColumnsError
from segmentation.features.build import measure_features
from segmentation.features.catalogue import feature_catalogue
from segmentation.features.journeys import count_paths, count_steps, keep_common_steps, list_journeys
from segmentation.features.sheets import write_sheets

AS_OF = date(2026, 3, 31)
MIDNIGHT = datetime(2026, 4, 1, tzinfo=UTC)
STEPS = ["view", "view", "view", "cart", "search", "purchase"]


def _settings(**journeys: Any) -> FeatureSettings:
    return FeatureSettings.model_validate(
        {"library": [], "purchase": {"event": "purchase"}, "passive_events": ["mail"], "journeys": journeys}
    )


def _events(spark: SparkSession, *taken: tuple[str, str, int]) -> DataFrame:
    """Person, event, and how many minutes before midnight."""
    rows = [
        {"event_id": f"e{n:04}", "person_id": who, "event_name": event, "event_ts": MIDNIGHT - timedelta(minutes=ago)}
        for n, (who, event, ago) in enumerate(taken)
    ]
    return event_rows(spark, rows)


def _drawn(people: int = 12) -> list[tuple[str, str, int]]:
    draw = random.Random(5)
    taken = [
        ("late", "view", 902),
        ("late", "cart", 900),
        ("late", "view", 21),
        ("late", "cart", 20),
        ("bought", "view", 9),
        ("bought", "purchase", 8),
    ]
    for person in range(people):
        at = 20_000
        while (at := at - draw.choice([1, 2, 5, 29, 30, 31, 700, 3000])) > 0:
            taken.append((f"p{person}", draw.choice(STEPS), at))
    draw.shuffle(taken)
    return taken


def _walk(taken: list[tuple[str, str, int]], repeats: bool = False) -> list[tuple[str, list[str], bool, bool]]:
    """Person, steps without repeats unless they count, whether the target was reached, and whether it may go on."""
    found: list[tuple[str, list[str], bool, bool]] = []
    for person in sorted({who for who, _, _ in taken}):
        own = sorted((-ago, n, event) for n, (who, event, ago) in enumerate(taken) if who == person)
        journeys: list[list[tuple[int, str]]] = []
        for at, _, event in own:
            before = journeys[-1][-1] if journeys else None
            goes_on = before is not None and at - before[0] <= 30
            if before is None or not goes_on or (before[1] == "purchase" and (repeats or event != "purchase")):
                journeys.append([])
            journeys[-1].append((at, event))
        for journey in journeys:
            names = [event for _, event in journey]
            kept = [name for n, name in enumerate(names) if repeats or n == 0 or name != names[n - 1]]
            reached = names[-1] == "purchase"
            found.append((person, kept, reached, not reached and journey[-1][0] >= -30))
    return found


@pytest.mark.parametrize("repeats", [False, True])
def test_a_journey_ends_at_a_pause_or_at_the_target(spark: SparkSession, repeats: bool) -> None:
    taken = _drawn()
    journeys = list_journeys(_events(spark, *taken).repartition(5), _settings(repeats=repeats), AS_OF)
    found = sorted((row["person_id"], row["steps"], row["reached"], row["open"]) for row in journeys.collect())
    assert found == sorted(_walk(taken, repeats))
    assert any(row[3] for row in found), "one may still go on"


def test_the_lines_of_one_basket_reach_the_target_once(spark: SparkSession) -> None:
    settings = _settings(step="properties.category")
    lines = [("view", "shoes", 60), ("purchase", "shoes", 50), ("purchase", "socks", 50), ("purchase", "laces", 10)]
    rows = [
        {
            "event_id": f"e{n}",
            "person_id": "a",
            "event_name": event,
            "properties": {"category": category},
            "event_ts": MIDNIGHT - timedelta(minutes=ago),
        }
        for n, (event, category, ago) in enumerate(lines)
    ]
    journeys = list_journeys(event_rows(spark, rows), settings, AS_OF).collect()
    assert sorted(row["steps"] for row in journeys) == [["laces"], ["shoes"]], "after a pause, it is another purchase"


def test_features_are_shares_of_what_came_next_and_of_journeys(spark: SparkSession) -> None:
    taken = _drawn()
    grams = [["view", "cart"], ["cart", END], ["view", "cart", "purchase"]]
    settings = _settings(follows=grams, contains=[["view", "cart"]])
    names = ["cart_after_view", "end_after_cart", "purchase_after_view_cart", "journeys_with_view_cart"]
    assert settings.names() == names
    rows = measure_features(_events(spark, *taken).repartition(3), _events(spark), settings, AS_OF).collect()
    walks = defaultdict(list)
    for person, steps, reached, open_ in _walk(taken):
        walks[person].append((steps, [*steps, *([] if reached or open_ else [END])]))
    for row in rows:
        walked = [walk for _, walk in walks[row["person_id"]]]
        for name, gram in zip(names, grams, strict=False):
            before = sum(_count(walk[:-1], gram[:-1]) for walk in walked)
            assert row[name] == pytest.approx(sum(_count(walk, gram) for walk in walked) / before if before else 0.0)
        with_it = [_count(steps, ["view", "cart"]) > 0 for steps, _ in walks[row["person_id"]]]
        assert row["journeys_with_view_cart"] == pytest.approx(sum(with_it) / len(with_it))
    assert len({row["cart_after_view"] for row in rows}) > 3


def _count(walk: list[str], gram: list[str]) -> int:
    return sum(walk[at : at + len(gram)] == gram for at in range(len(walk) - len(gram) + 1))


def test_steps_and_paths_of_everyone(spark: SparkSession) -> None:
    taken, settings = _drawn(), _settings(longest_path=3)
    assert settings.journeys is not None
    journeys = keep_common_steps(list_journeys(_events(spark, *taken), settings, AS_OF), settings.journeys)
    walked = _walk(taken)
    pairs: Counter[tuple[str, str]] = Counter()
    for _, steps, reached, open_ in walked:
        walk = [START, *steps, *([] if reached or open_ else [END])]
        pairs.update(pairwise(walk))
    rows = count_steps(journeys, AS_OF).collect()
    assert {(row["from_step"], row["to_step"]): row["times"] for row in rows} == pairs
    for row in rows:
        leaving = sum(times for (step, _), times in pairs.items() if step == row["from_step"])
        assert row["share"] == pytest.approx(row["times"] / leaving)
        assert 1 <= row["people"] <= min(row["times"], 14)

    paths = Counter(
        (reached, tuple(steps if len(steps) <= 3 else ["…", *steps[-3:]]))
        for _, steps, reached, open_ in walked
        if not open_
    )
    found = count_paths(journeys, settings.journeys, AS_OF).collect()
    assert {(row["reached"], tuple(row["path"])): row["journeys"] for row in found} == paths
    assert sum(row["share"] for row in found if row["reached"]) == pytest.approx(1.0)


def test_rare_steps_are_one_and_what_happens_to_people_is_none(spark: SparkSession) -> None:
    settings = _settings(most_steps=2)
    assert settings.journeys is not None
    steps = ("view", "help", "jobs", "mail", "view", "cart", "cart")
    events = _events(spark, *[("a", step, 600 - n) for n, step in enumerate(steps)])
    journeys = list_journeys(events, settings, AS_OF)
    assert [row["steps"] for row in journeys.collect()] == [["view", "help", "jobs", "view", "cart"]]
    common = keep_common_steps(journeys, settings.journeys)
    assert [row["steps"] for row in common.collect()] == [["view", "(other)", "view", "cart"]], "first by name"
    with pytest.raises(MissingColumnsError, match="person_id"):
        list_journeys(events.drop("person_id"), settings, AS_OF)


def test_what_is_long_ago_changes_nothing(spark: SparkSession) -> None:
    settings = _settings(follows=[["view", "cart"]], window_days=30)
    here = [("a", "view", 600), ("a", "cart", 599)]
    for further in ([], [("a", "view", 31 * 1440), ("a", "search", 31 * 1440 - 1)]):
        (row,) = measure_features(_events(spark, *here, *further), _events(spark), settings, AS_OF).collect()
        assert row["cart_after_view"] == 1.0


def test_nobody_has_journeys(spark: SparkSession) -> None:
    settings = _settings()
    assert settings.journeys is not None
    journeys = list_journeys(_events(spark), settings, AS_OF)
    assert count_paths(journeys, settings.journeys, AS_OF).collect() == []
    assert count_steps(keep_common_steps(journeys, settings.journeys), AS_OF).collect() == []


def test_the_catalogue_says_what_they_are() -> None:
    settings = _settings(follows=[["view", "cart"], ["cart", END]], contains=[["view", "cart"]])
    infos = feature_catalogue(settings)
    assert infos["end_after_cart"].description.endswith("cart, the share that ended the journey without the target.")
    sheets = {sheet.info.name: sheet for sheet in write_sheets(settings, {})}
    assert sheets["cart_after_view"].made_of == ("how often the last followed of view → cart, in the last 90 days",)
    assert sheets["journeys_with_view_cart"].columns == ("events.event_date", "events.event_name")
    other = _settings(follows=[["view", "cart"]], most_steps=5)
    assert other.definition("cart_after_view") == settings.definition("cart_after_view")
    assert _settings(follows=[["view", "cart"]], pause_hours=2).definition("cart_after_view") != other.definition(
        "cart_after_view"
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"step": "amount"}, "step needs a text field of events"),
        ({"step": "identifiers.email"}, "names one of them"),
        ({"follows": [["view"]]}, "at least 2"),
        ({"follows": [[END, "view"]]}, "goes last, in follows"),
        ({"contains": [["view", END]]}, "goes last, in follows"),
        ({"follows": [["view", "cart"], ["View", "cart"]]}, "two features are called 'cart_after_view'"),
        ({"target": {"field": "duration_s", "at_least": 1}}, "duration_s"),
        ({"pause_hours": 0}, "greater than 0"),
    ],
)
def test_what_does_not_fit_is_said(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        _settings(**wrong)
