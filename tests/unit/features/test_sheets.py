"""The catalogue of features, and its page."""

from __future__ import annotations

import re
from datetime import date
from typing import get_args

import pytest
from pyspark.sql import SparkSession
from tests.factories import minimal_settings

from segmentation.config.feature_definition import Aggregate
from segmentation.config.feature_library import LibraryName
from segmentation.config.feature_words import Words
from segmentation.config.features import FeatureSettings
from segmentation.config.identity import AttributeRule
from segmentation.features.sheets import FeatureSheet, find_users, shared_rules, write_sheets
from segmentation.profiles.feature_page import Measured, build_feature_page, histogram

OF = {"sum", "mean", "min", "max", "median", "first", "last", "distinct", "entropy", "top_share"}


def _sheets(settings: dict[str, object], used_by: dict[str, list[str]] | None = None) -> dict[str, FeatureSheet]:
    written = write_sheets(FeatureSettings.model_validate(settings), used_by or {})
    return {sheet.info.name: sheet for sheet in written}


def test_every_shipped_feature_says_what_it_is_made_of(spark: SparkSession) -> None:
    sheets = _sheets(
        {
            "library": list(get_args(LibraryName)),
            "funnel": ["view", "buy"],
            "event_weights": {"buy": 3, "view": 1},
            "category": "properties.category",
            "discount": {"field": "properties.coupon", "exists": True},
        }
    )
    assert all(sheet.made_of and sheet.columns and len(sheet.definition) == 16 for sheet in sheets.values())
    assert sheets["monetary"].made_of == ("sum of “amount” of purchases and returns",)
    assert sheets["monetary"].columns == ("events.amount", "events.event_date")
    assert sheets["frequency"].columns == ("events.amount", "events.event_date", "events.session_key")
    assert sheets["active_days_last_30"].window == "last 30 days"
    assert sheets["session_duration_mean"].made_of == ("sum of “duration_s” of sessions", "number of sessions")
    assert sheets["weighted_engagement"].made_of == ("sum of their weights of events, half as much after each 30 days",)
    assert sheets["weighted_engagement"].columns == ("events.event_date", "events.event_name")
    assert sheets["interpurchase_time"].fill == 365


@pytest.mark.parametrize("aggregate", get_args(Aggregate))
def test_every_aggregate_has_words(spark: SparkSession, aggregate: str) -> None:
    own = {
        "name": "mine",
        "table": "sessions",
        "aggregate": aggregate,
        "where": {"field": "is_bounce", "equals": False},
        "window_days": None if aggregate == "decayed" else 28,
        **({"of": "duration_s"} if aggregate in OF else {}),
    }
    sheet = _sheets({"library": [], "define": [own]})["mine"]
    assert "sessions of which “is_bounce” is False" in sheet.made_of[0]
    assert {"sessions.is_bounce", "sessions.session_start"} <= set(sheet.columns)
    assert ("sessions.duration_s" in sheet.columns) is (aggregate in OF)
    assert sheet.window == ("all days" if aggregate == "decayed" else "last 28 days")


def test_what_is_known_of_a_person_says_by_which_events(spark: SparkSession) -> None:
    own = {"name": "keys", "table": "persons", "aggregate": "last", "of": "identifier_count"}
    sheet = _sheets({"library": [], "define": [own]})["keys"]
    assert sheet.made_of == ("each different identifier of events",)
    assert sheet.columns == ("events.event_date", "events.identifiers")


def test_what_is_of_attributes_says_as_of_when(spark: SparkSession) -> None:
    gold = {"name": "gold", "table": "persons", "aggregate": "count"}
    gold |= {"where": {"field": "attributes.plan", "equals": "gold"}}
    age = {"name": "age", "table": "persons", "aggregate": "last", "of": "attributes.age"}
    sheets = _sheets({"library": [], "define": [gold, age]})
    assert sheets["gold"].made_of == ("whether “attributes.plan” is “gold”, as events had said it by the date",)
    assert (sheets["age"].columns, sheets["gold"].columns) == (
        ("persons.attributes.age",),
        ("persons.attributes.plan",),
    )


def test_what_is_of_the_last_sessions_says_so(spark: SparkSession) -> None:
    own = {"name": "usual", "table": "sessions", "aggregate": "max", "of": "duration_s", "last_sessions": 5}
    sheet = _sheets({"library": [], "define": [own]})["usual"]
    assert sheet.made_of == ("largest “duration_s” of sessions, among the last 5 sessions",)
    assert sheet.window == "last 5 sessions"


def test_what_is_counted_in_periods_says_of_how_many_days(spark: SparkSession) -> None:
    sheets = _sheets({"library": ["clv_frequency", "clv_monetary"], "clv_period_days": 7})
    assert sheets["clv_frequency"].made_of == ("periods of 7 days with purchases",)
    assert "sum of “amount” in the first period of 7 days with purchases" in sheets["clv_monetary"].made_of


def test_what_is_said_of_a_shipped_feature_can_be_said_otherwise(spark: SparkSession) -> None:
    mix = {"name": "channel", "field": "properties.channel", "values": ["ads"]}
    words = {
        "monetary": {"owner": "CRM", "label": "revenue"},
        "channel_ads_share": {"sensitivity": "personal", "high": "ad-led"},
    }
    plain = FeatureSettings.model_validate({"library": ["monetary"], "mixes": [mix]})
    sheets = _sheets({"library": ["monetary"], "mixes": [mix], "words": words})
    monetary, ads = sheets["monetary"], sheets["channel_ads_share"]
    assert (monetary.owner, monetary.info.label, monetary.info.high) == ("CRM", "revenue", "high-value")
    assert (ads.sensitivity, ads.info.high, ads.info.low) == ("personal", "ad-led", "ads-light")
    assert monetary.definition == plain.definition("monetary"), "nothing else is measured"
    assert plain.version() == plain.model_copy(update={"words": {"monetary": Words(owner="CRM")}}).version()


def test_a_touch_says_of_which_row_it_is(spark: SparkSession) -> None:
    mix = {"name": "channel", "field": "properties.channel", "touch": "last", "values": ["ads"], "window_days": 30}
    sheet = _sheets({"library": [], "mixes": [mix]})["channel_ads"]
    assert sheet.made_of == ("“properties.channel” of the last of events that has one, in the last 30 days",)
    assert sheet.info.description == "1 where the last event that says properties.channel says ads, else 0."


def test_what_is_made_of_features_says_so_and_they_say_who_takes_them(spark: SparkSession) -> None:
    ratio = {"name": "per_visit", "ratio": ["monetary", "sessions"], "owner": "CRM", "sensitivity": "personal"}
    sheets = _sheets({"library": ["monetary", "sessions"], "define": [ratio]}, {"sessions": ["audience keen"]})
    sheet = sheets["per_visit"]
    assert sheet.made_of == ("monetary ÷ sessions",)
    assert sheet.columns == ("events.amount", "events.event_date", "sessions.session_start")
    assert (sheet.owner, sheet.sensitivity) == ("CRM", "personal")
    assert sheets["sessions"].used_by == ("audience keen", "feature per_visit")
    assert sheets["monetary"].used_by == ("feature per_visit",)


def test_everything_that_takes_a_feature_is_named() -> None:
    settings = minimal_settings(
        features={"rfm": {"engagement": {"recency": "recency"}}},
        clustering={
            "features": ["frequency"],
            "attributes": {"city": {"encode": "target", "target": "monetary"}},
            "transform": {"cohorts": {"feature": "tenure", "edges": [30]}},
            "always_in": [{"feature": "monetary", "at_least": 5000}],
        },
        segments={
            "scope": [{"feature": "days_active", "at_least": 1}],
            "rules": [
                {"name": "vip", "when": [{"feature": "monetary", "at_least": 9000, "at_most": 9e9}], "into": "vip"}
            ],
        },
        audiences=[{"name": "keen", "who": {"feature": "engagement", "at_least": 5}}],
    )
    assert find_users(settings) == {
        "frequency": ["the segments' model", "RFM scores"],
        "monetary": [
            "the segments' model, as the mean of people with the same city",
            "whom a model is always fitted on",
            "segment rule vip",
            "RFM scores",
        ],
        "tenure": ["the cohorts within which features count"],
        "days_active": ["the segments' scope", "RFM scores by engagement"],
        "recency": ["RFM scores", "RFM scores by engagement"],
        "engagement": ["RFM scores by engagement", "audience keen"],
    }


def test_a_definition_changes_with_what_it_depends_on_and_nothing_else() -> None:
    base = {"library": ["monetary", "sessions"], "define": [{"name": "per_visit", "ratio": ["monetary", "sessions"]}]}
    first = FeatureSettings.model_validate(base)
    further = FeatureSettings.model_validate({**base, "library": ["monetary", "sessions", "tenure"]})
    filled = FeatureSettings.model_validate({**base, "fill": {"monetary": 1}})
    assert [first.definition(name) == further.definition(name) for name in first.names()] == [True] * 3
    assert [first.definition(name) == filled.definition(name) for name in first.names()] == [False, True, False]
    own = {"name": "views", "aggregate": "count"}
    plain, named = (
        FeatureSettings.model_validate({"define": [{**own, **words}]}) for words in ({}, {"label": "looks"})
    )
    assert plain.definition("views") == named.definition("views"), "the same under another label"
    staged = FeatureSettings.model_validate({"library": ["monetary", "funnel_stage"], "funnel": ["view", "buy"]})
    other = staged.model_copy(update={"funnel": ["view", "cart", "buy"]})
    assert [staged.definition(name) == other.definition(name) for name in staged.names()] == [True, False]


def test_the_rule_of_an_attribute_is_part_of_what_is_made_of_it(spark: SparkSession) -> None:
    gold = {"table": "persons", "aggregate": "count", "where": {"not": {"field": "attributes.plan", "equals": "gold"}}}
    age = {"name": "age", "table": "persons", "aggregate": "max", "of": "attributes.age"}
    define = [{"name": "paid", **gold}, age, {"name": "both", "total": ["paid", "monetary"]}]
    settings = FeatureSettings.model_validate({"library": ["monetary"], "define": define})
    newest = {name: AttributeRule(field=f"properties.{name}") for name in ("plan", "age", "city")}
    usual = {**newest, "plan": AttributeRule(field="properties.plan", prefer="most_frequent")}
    before, after = ({n: settings.definition(n, rules) for n in settings.names()} for rules in (newest, usual))
    assert [name for name in before if before[name] != after[name]] == ["paid", "both"]
    assert settings.version(newest) != settings.version(usual)
    assert [sheet.definition for sheet in write_sheets(settings, {}, usual)] == list(after.values())
    unnamed = {**newest, "city": AttributeRule(field="properties.town")}
    assert settings.version(newest) == settings.version(unnamed)
    plain = FeatureSettings.model_validate({"library": ["monetary"]})
    assert (plain.version(newest), plain.definition("monetary", newest)) == (
        plain.definitions.sha256()[:16],
        plain.definition("monetary"),
    )


def test_the_page_shows_figures_and_findings_and_escapes_what_was_configured(spark: SparkSession) -> None:
    settings = FeatureSettings.model_validate(
        {"library": ["recency"], "define": [{"name": "odd", "aggregate": "count", "description": "<b>bold</b>"}]}
    )
    percentiles = [float(percent) for percent in range(101)]
    measured = {"recency": Measured(date(2026, 3, 31), 1200, 0.25, percentiles, ["moved since May"], True)}
    page = build_feature_page(write_sheets(settings, {}), {"purchases": "events"}, measured, "abc")
    assert "measured as of 2026-03-31 of 1,200 people" in page
    assert "Moved since May. Kept out of models." in page
    assert "50 days" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>bold" not in page
    assert page.count("<svg") == 1
    assert "Nothing has been measured" in build_feature_page(write_sheets(settings, {}), {}, {}, "abc")
    assert list(shared_rules(settings)) == ["purchases", "returns", "purchases and returns"]


def test_a_histogram_is_as_high_as_people_are_many() -> None:
    # Three quarters of the people lie between 0 and 1, the others up to 4.
    percentiles = [percent / 75 for percent in range(76)] + [1 + (percent - 75) * 3 / 25 for percent in range(76, 101)]
    drawn = str(histogram(percentiles, ""))
    bars = re.findall(r"</title>\s*<path d=\"M \S+ (\S+)  L \S+ \S+  L \S+ (\S+) ", drawn)
    heights = [float(bottom) - float(top) for bottom, top in bars]
    assert len(heights) == 24
    # The drawing goes from the 2nd to the 98th percentile: seven bars reach 1.12, below which 76 % of the people are.
    assert sum(heights[:7]) / sum(heights) == pytest.approx(0.76, abs=0.005)
    assert str(histogram([3.0] * 101, "")) == ""
