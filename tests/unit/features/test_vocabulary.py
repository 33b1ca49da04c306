"""Which steps in a row are suggested, against a plain count in Python."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import pstdev
from typing import Any

import pytest
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.published import Shop

from segmentation.config.features import FeatureSettings
from segmentation.config.journeys import END, OTHER, JourneySettings
from segmentation.features.chosen_steps import add_steps, choice_of
from segmentation.features.people import measure_people
from segmentation.features.vocabulary import Rated, rate_steps
from segmentation.runtime.vocabulary import know_vocabulary
from segmentation.stages import features
from segmentation.stages.journey_vocabulary import choose_vocabulary
from segmentation.stages.suggest_journeys import Vocabulary

Journey = tuple[str, list[str], bool, bool]
"""Person, steps, whether the target was reached, whether it may go on."""


def _frame(spark: SparkSession, journeys: list[Journey]) -> DataFrame:
    return spark.createDataFrame(journeys, "person_id string, steps array<string>, reached boolean, open boolean")


def _drawn() -> list[Journey]:
    draw = random.Random(3)
    found: list[Journey] = []
    for person in range(25):
        likes = draw.choice(["search", "browse"])
        for _ in range(draw.randint(1, 6)):
            steps = ["home"]
            while draw.random() < 0.8:
                steps.append(draw.choice([s for s in ("home", likes, likes, "view", "cart") if s != steps[-1]]))
            reached = draw.random() < 0.4
            found.append((f"p{person}", [*steps, "purchase"] if reached else steps, reached, draw.random() < 0.1))
    return [(who, steps, reached, goes_on and not reached) for who, steps, reached, goes_on in found]


def _expected(journeys: list[Journey], kind: str, length: int) -> dict[tuple[str, ...], tuple[int, float, float]]:
    """Steps -> people, mean and deviation of the share over everyone."""
    shares: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    people = sorted({who for who, *_ in journeys})
    for person in people:
        own = [(steps, reached or goes_on) for who, steps, reached, goes_on in journeys if who == person]
        times: Counter[tuple[str, ...]] = Counter()
        before: Counter[tuple[str, ...]] = Counter()
        for steps, stays in own:
            walk = steps if stays or kind == "contains" else [*steps, END]
            grams = [tuple(walk[at : at + length]) for at in range(len(walk) - length + 1)]
            times.update(set(grams) if kind == "contains" else grams)
            before.update(gram[:-1] for gram in grams)
        for gram, n in times.items():
            shares[gram][person] = n / (len(own) if kind == "contains" else before[gram[:-1]])
    figures = {}
    for gram, of in shares.items():
        values = [of.get(person, 0.0) for person in people]
        figures[gram] = len(of), sum(values) / len(values), pstdev(values)
    return figures


@pytest.mark.parametrize("kind", ["follows", "contains"])
def test_steps_are_rated_as_the_feature_that_they_would_be(spark: SparkSession, kind: str) -> None:
    journeys = _drawn()
    rated = [one for one in rate_steps(_frame(spark, journeys), JourneySettings(), 1000) if one.kind == kind]
    known = {**_expected(journeys, kind, 2), **_expected(journeys, kind, 3)}
    assert len(rated) > 10
    for one in rated:
        people, mean, deviation = known[one.steps]
        assert one.people == people
        assert (one.mean, one.deviation) == pytest.approx((mean, deviation), abs=1e-6)
    assert [one.deviation for one in rated] == sorted((one.deviation for one in rated), reverse=True)
    # Of two steps in a row, all in which people differ are there, however few were asked for in all.
    two = {steps for steps, (_, _, deviation) in known.items() if len(steps) == 2 and deviation > 0}
    assert {one.steps for one in rated if len(one.steps) == 2} == two


def test_the_order_of_rows_does_not_matter(spark: SparkSession) -> None:
    journeys = _drawn()
    once = rate_steps(_frame(spark, journeys), JourneySettings(), 5)
    random.Random(9).shuffle(journeys)
    assert rate_steps(_frame(spark, journeys).repartition(7), JourneySettings(), 5) == once
    assert Counter(one.kind for one in once) == {"follows": 5, "contains": 5}


def test_longer_rows_that_say_the_same_and_rare_steps_are_left_out(spark: SparkSession) -> None:
    journeys: list[Journey] = [
        (f"p{n}", ["home", "view", "cart"] if n % 2 else ["home", f"odd{n}"], False, True) for n in range(20)
    ]
    rated = rate_steps(_frame(spark, journeys), JourneySettings(most_steps=3), 100)
    held = [one.steps for one in rated if one.kind == "contains"]
    assert held == [("home", "view"), ("view", "cart")]
    assert not any(OTHER in one.steps for one in rated)


def test_nothing_is_suggested_where_nobody_differs(spark: SparkSession) -> None:
    alike: list[Journey] = [(f"p{n}", ["home", "view"], False, True) for n in range(5)]
    assert rate_steps(_frame(spark, alike), JourneySettings(), 5) == []
    assert rate_steps(_frame(spark, [("p", ["home"], False, True)]), JourneySettings(), 5) == []
    assert Vocabulary(5, ()).declaration == ""


def test_the_suggestion_can_be_declared() -> None:
    rated = (
        Rated("follows", ("view", "cart"), 5, 0.3, 0.2),
        Rated("follows", ("cart", END), 5, 0.3, 0.2),
        Rated("contains", ("search", "view", "buy: now"), 5, 0.3, 0.2),
    )
    said = yaml.safe_load(Vocabulary(9, rated).declaration)
    settings = FeatureSettings.model_validate(said["features"])
    assert settings.journeys is not None
    assert settings.journeys.follows == [["view", "cart"], ["cart", END]]
    assert settings.journeys.contains == [["search", "view", "buy: now"]]


def _declared(**changes: Any) -> FeatureSettings:
    journeys = {"vocabulary": {"most": 2}, **changes}
    return FeatureSettings.model_validate({"library": ["events"], "journeys": journeys})


def test_chosen_steps_are_features_as_if_they_had_been_declared() -> None:
    chosen = add_steps(_declared(), [("follows", ["view", "cart"]), ("contains", ["search", "view"])])
    declared = _declared(follows=[["view", "cart"]], contains=[["search", "view"]])
    assert chosen.names() == declared.names() == ["events", "cart_after_view", "journeys_with_search_view"]
    assert chosen.version() == declared.version() != _declared().version()
    assert chosen.definition("cart_after_view") == declared.definition("cart_after_view")
    again = add_steps(declared, [("follows", ["View", "cart"]), ("follows", ["cart", END])])
    assert again.names() == ["events", "cart_after_view", "end_after_cart", "journeys_with_search_view"]
    assert again.journeys is not None
    assert again.journeys.follows == [["view", "cart"], ["cart", END]], "a column that there is stays what it is"


def test_a_choice_stands_until_what_decides_of_it_changes() -> None:
    kept = choice_of(_declared())
    assert kept is not None
    assert choice_of(FeatureSettings.model_validate({"journeys": {}})) is None
    assert {choice_of(_declared(follows=[["view", "cart"]])), choice_of(_declared(longest_path=9))} == {kept}
    assert choice_of(_declared().model_copy(update={"library": ["recency"]})) == kept
    others = [_declared(pause_hours=2), _declared(vocabulary={"most": 3}), _declared(most_steps=9)]
    others.append(_declared(vocabulary={"most": 2, "up_to": "2026-03-31"}))
    assert kept not in {choice_of(other) for other in others}


def _happen(shop: Shop, first: datetime, *habits: list[str]) -> list[dict[str, Any]]:
    """Every habit is one person's: the steps of a journey of theirs on each of three days."""
    return [
        {"person_id": f"p{who}", "event_name": step, "event_ts": first + timedelta(days=day, minutes=at)}
        for who, steps in enumerate(habits)
        for day in range(3)
        for at, step in enumerate(steps)
    ]


def test_steps_are_chosen_once_and_measured_from_then_on(spark: SparkSession, tmp_path: Path) -> None:
    """In March people differ in what they do after a view, in April in what they do after a search; of what tells
    them apart alike, the first by name is taken."""
    march, april = date(2026, 3, 31), date(2026, 4, 30)
    early, late = ["view", "cart"], ["search", "help"]
    shop = Shop(spark, tmp_path, features={"library": [], "journeys": {"vocabulary": {"most": 1}, "window_days": 20}})
    events = _happen(shop, datetime(2026, 3, 20), early, ["view", "jobs"])
    shop.happen(*events)
    chosen = choose_vocabulary(shop.context(features.STAGE, march)).settings.features
    names = ["end_after_cart", "journeys_with_view_cart"]
    assert chosen.names() == names
    shop.happen(*events, *_happen(shop, datetime(2026, 4, 20), late, ["search", "jobs"], ["search", "jobs"]))
    serving = choose_vocabulary(shop.context(features.STAGE, april)).settings
    assert serving.features == chosen, "a later date measures the same"
    assert know_vocabulary(shop.settings, shop.warehouse) == serving, "and so does whatever else is run"
    rows = measure_people(shop.warehouse.read("events"), shop.warehouse.read("identity_map"), serving, march)
    assert {(row["person_id"], *(row[name] for name in names)) for row in rows.collect()} == {
        ("p0", 1.0, 1.0),
        ("p1", 0.0, 0.0),
    }
    assert {row["feature_set"] for row in rows.collect()} == {chosen.version()}

    journeys = {"vocabulary": {"most": 1, "up_to": april}, "window_days": 20}
    shop.settings = Shop(spark, tmp_path, features={"library": [], "journeys": journeys}).settings
    anew = choose_vocabulary(shop.context(features.STAGE, march)).settings.features
    assert anew.names() == ["end_after_help", "journeys_with_search_help"], "by the date that is said"
    kept = shop.warehouse.read("journey_vocabulary").groupBy("chosen_as_of").agg(F.count("*").alias("n")).collect()
    assert {(row["chosen_as_of"], row["n"]) for row in kept} == {(march, 2), (april, 2)}
