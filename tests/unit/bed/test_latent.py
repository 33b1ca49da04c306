"""What people do follows the knobs of their latent segment, in made visits and events."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.bed import truth
from segmentation.bed.activity import leave_events
from segmentation.bed.campaign import assign_campaign
from segmentation.bed.disorder import disturb
from segmentation.bed.knobs import World
from segmentation.bed.people import draw_people
from segmentation.bed.visits import draw_visits, list_segments

PLAIN = {
    "share": 1, "visits_per_week": 3, "events_per_visit": 7, "bounces": 0, "buys": 0, "signs_in": 1, "signs_out": 0,
    "to_weekend": 0, "monthly_churn": 0, "campaign_effect": 0, "funnel": {"sets_out": 0},
}  # fmt: skip
"""Looks about on the web, and neither changes nor leaves."""
STEPS = ["add_to_cart", "shipping", "checkout"]
KINDS = {
    "plain": {},
    "buying": {"buys": 1, "funnel": {"steps": STEPS}},
    "turning_back": {"funnel": {"steps": STEPS, "sets_out": 1, "goes_on": 0.5}, "campaign_effect": 1},
    "signing_out": {"signs_out": 0.8, "campaign_effect": 0.5},
    "returning": {"channels": {"web": 0, "store": 1}, "returns": 0.4},
    "halving": {"half_life_days": 7, "visits_per_week": 15},
    "leaving": {"monthly_churn": 0.8},
}
"""What is different from `PLAIN`."""


@dataclass(frozen=True)
class Lives:
    """People, each with the `kind` that they are, their visits (`path`: events in order) and the campaign."""

    people: pd.DataFrame
    visits: pd.DataFrame
    campaign: pd.DataFrame

    def of(self, kind: str) -> pd.DataFrame:
        return self.visits[self.visits.kind == kind]


@pytest.fixture(scope="module")
def lives(spark: SparkSession) -> Lives:
    world = World.model_validate(
        {
            "seed": 5,
            "people": 210,
            "days": 42,
            "segments": [{**PLAIN, "name": name, **differs} for name, differs in KINDS.items()],
            "population": {"there_from_start": 1, "account": 1, "email": 1, "change_segment": 0, "change_day": 20},
            "disorder": {"drift_day": None, "malformed": 0},
            "season": {"spike_day": None},
            "consent": {"marketing": 1, "withdraw": 0},
            "campaign": {"day": 14, "holdout": 0.3},
        }
    )
    drawn = draw_people(spark, world, 2).persist()
    segments = list_segments(spark, world)
    audience = assign_campaign(drawn, segments, world)
    events = disturb(leave_events(draw_visits(drawn, segments, audience, world), world), world).where("copy = 0")
    events = events.select("person", "visit", "visitor", "copy", "event_name", "happened", "email").persist()
    visits = events.groupBy("person", "visit").agg(
        F.transform(
            F.array_sort(F.collect_list(F.struct("happened", "event_name"))), lambda event: event["event_name"]
        ).alias("path"),
        F.min(F.unix_date(F.to_date(F.timestamp_millis("happened")))).alias("day"),
    )
    first_day = F.unix_date(F.lit(world.start))
    whose = drawn.select("person", "segment", "left").join(
        segments.select(F.col("number").alias("segment"), F.col("name").alias("kind")), "segment"
    )
    return Lives(
        whose.toPandas(),
        visits.join(whose, "person").withColumn("day", F.col("day") - first_day).toPandas(),
        truth.tell_campaign(audience, events, world).toPandas(),
    )


def _share_with(visits: pd.DataFrame, event: str) -> float:
    return visits.path.map(lambda path: event in path).mean()


def test_who_turns_back_goes_on_from_step_to_step_as_often_as_said(lives: Lives) -> None:
    paths = lives.of("turning_back").path.map(list)
    paths = paths[(paths.map(len) > len(STEPS) + 1) & ~paths.map(lambda path: "purchase" in path)]
    reached = [paths.map(lambda path, n=n: path[-n:] == STEPS[:n]).mean() for n in (1, 2, 3)]
    assert sum(reached) == 1
    assert reached == pytest.approx([1 / 2, 1 / 4, 1 / 4], abs=0.06)
    for event in ("add_to_cart", "checkout"):
        assert _share_with(lives.of("plain"), event) == 0


def test_a_purchase_comes_after_all_steps(lives: Lives) -> None:
    assert lives.of("buying").path.map(lambda path: list(path[-4:]) == [*STEPS, "purchase"]).all()
    assert _share_with(lives.of("plain"), "purchase") == 0


def test_as_many_things_are_brought_back_as_said(lives: Lives) -> None:
    assert _share_with(lives.of("returning"), "return") == pytest.approx(0.4, abs=0.06)
    assert _share_with(lives.of("plain"), "return") == 0


def test_as_many_visits_end_with_a_sign_out_as_said(lives: Lives) -> None:
    looked = lives.of("signing_out").path.map(list)
    looked = looked[(looked.map(len) >= 4) & ~looked.map(lambda path: "purchase" in path)]
    assert looked.map(lambda path: path[-1] == "sign_out").mean() == pytest.approx(0.8, abs=0.06)
    assert _share_with(lives.of("plain"), "sign_out") == 0


def test_visits_halve_with_each_half_life(lives: Lives) -> None:
    by_week = lives.of("halving").groupby(lives.of("halving").day // 7).size()
    assert by_week[1] / by_week[0] == pytest.approx(1 / 2, abs=0.15)
    assert by_week[2] / by_week[0] == pytest.approx(1 / 4, abs=0.1)
    plain = lives.of("plain").groupby(lives.of("plain").day // 7).size()
    assert plain.min() > 0.7 * plain.max()


def test_who_leaves_comes_no_more(lives: Lives) -> None:
    stay = lives.people.set_index("kind").left
    assert (stay["plain"] == 42).all()
    # Of five, four leave within thirty days.
    assert (stay["leaving"] <= 30).mean() == pytest.approx(0.8, abs=0.15)
    leaving = lives.of("leaving")
    assert (leaving.day < leaving.left).all()
    assert lives.of("plain").groupby("person").day.max().min() > 28


def test_the_campaign_moves_each_segment_by_its_own_effect(lives: Lives) -> None:
    treated = lives.campaign[lives.campaign.arm == "treated"].groupby("segment")
    assert treated.effect.first().to_dict() == {
        kind: differs.get("campaign_effect", 0) for kind, differs in KINDS.items()
    }
    moved = (treated.converts.mean() - treated.converts_anyway.mean()).to_dict()
    assert (moved["plain"], moved["returning"], moved["turning_back"]) == (0, 0, 1)
    assert moved["signing_out"] == pytest.approx(0.5, abs=0.25)
    held_out = lives.campaign[lives.campaign.arm == "holdout"]
    assert (held_out.converts == held_out.converts_anyway).all()
    assert held_out.converts[held_out.segment == "turning_back"].eq(False).all()


@pytest.fixture(scope="module")
def year(spark: SparkSession) -> pd.DataFrame:
    """Visits of a year, in whose middle all change from one of two segments to the other: `person`, `segment` before,
    `day`, `channel`."""
    world = World.model_validate(
        {
            "people": 20,
            "days": 364,
            "segments": [
                {**PLAIN, "name": name, "channels": {"web": name == "web", "app": name == "app"}}
                for name in ("web", "app")
            ],
            "population": {"there_from_start": 1, "change_segment": 1, "change_day": 182},
            "season": {"weekdays": [1, 1, 1, 1, 1, 4, 1], "yearly_swing": 0.5, "best_month": 12, "spike_day": None},
        }
    )
    people, segments = draw_people(spark, world, 1), list_segments(spark, world)
    visits = draw_visits(people, segments, assign_campaign(people, segments, world), world)
    ours = visits.where("not in_campaign").join(people.select("person", "segment"), "person")
    return ours.select("person", "segment", "day", "channel", F.timestamp_millis("started").alias("at")).toPandas()


def test_people_behave_as_their_segment_until_the_day_on_which_it_changes(year: pd.DataFrame) -> None:
    before = (year.day < 182) == (year.segment == 0)
    assert (year.channel == before.map({True: "web", False: "app"})).all()
    assert year[year.day >= 182].person.nunique() == 20


def test_visits_follow_weekdays_and_the_time_of_the_year(year: pd.DataFrame) -> None:
    by_weekday = year.groupby(year.day % 7).size()  # the world starts on a Monday
    assert by_weekday[5] / by_weekday.drop(5).mean() == pytest.approx(4, rel=0.15)
    by_month = year.groupby(year["at"].dt.month).size()
    assert by_month[12] / by_month[6] == pytest.approx(3, rel=0.2)
