"""What is wrong with declared features is said with its key."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError
from tests.factories import minimal_settings

from segmentation.config.feature_library import DEFAULT_LIBRARY, LibraryName
from segmentation.config.features import MAX_LEVELS, FeatureSettings
from segmentation.config.problems import explain
from segmentation.config.settings import Settings
from segmentation.features.catalogue import feature_catalogue
from segmentation.features.library import SHIPPED
from segmentation.features.words import WORDS


def _problem(features: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        minimal_settings(features=features)
    (problem,) = explain(caught.value, Settings)
    return str(problem)


def _defined(**definition: Any) -> dict[str, Any]:
    return {"define": [{"name": "mine", **definition}]}


WRONG = [
    ({"library": ["recencyy"]}, "features.library.0", "did you mean 'recency'?"),
    (_defined(aggregate="summ", of="amount"), "features.define.0.aggregate", "did you mean 'sum'?"),
    (_defined(aggregate="count", window_days=0), "features.define.0.window_days", "greater than or equal to 1"),
    (_defined(aggregate="sum"), "features.define.0", "sum needs `of`"),
    (_defined(aggregate="count", of="amount"), "features.define.0", "count takes no `of`"),
    (_defined(aggregate="sum", of="amounts"), "features.define.0", "events have no field 'amounts'"),
    (_defined(aggregate="sum", of="event_ts"), "features.define.0", "which is a time"),
    (_defined(aggregate="share"), "features.define.0", "share needs `where`"),
    (_defined(aggregate="trend", window_days=7), "features.define.0", "window_days of 14 or more"),
    (_defined(), "features.define.0", "exactly one of aggregate, ratio"),
    (_defined(aggregate="count", ratio=["recency", "frequency"]), "features.define.0", "exactly one of aggregate"),
    (_defined(ratio=["recency"]), "features.define.0.ratio", "at least 2 items"),
    (_defined(ratio=["recency", "frequencyy"]), "features", "made from 'frequencyy', which is no feature here"),
    (_defined(ratio=["mine", 2]), "features", "in a circle: mine → mine"),
    (
        {
            "define": [
                {"name": "a", "total": ["b", 1]},
                {"name": "b", "total": ["c", 1]},
                {"name": "c", "total": ["a", 1]},
            ]
        },
        "features",
        "in a circle",
    ),
    (
        {"define": [{"name": f"f{n}", "total": [f"f{n - 1}" if n else "recency", 1]} for n in range(2000)]},
        "features",
        "made from each other 2000 deep, and 200 is the most",
    ),
    ({"define": [{"name": "recency", "aggregate": "count"}]}, "features", "two features are called 'recency'"),
    ({"define": [{"name": "as_of", "aggregate": "count"}]}, "features", "'as_of' is a column"),
    ({"library": ["funnel_stage"]}, "features", "needs features.funnel"),
    ({"library": ["weighted_engagement"]}, "features", "needs features.event_weights"),
    ({"fill": {"nobody": 1}}, "features", "fill names 'nobody'"),
    (
        _defined(aggregate="count", where={"event": "a", "field": "amount"}),
        "features.define.0.where",
        "exactly one of all",
    ),
    (_defined(aggregate="count", where={"field": "amount"}), "features.define.0.where", "exactly one of equals"),
    (_defined(aggregate="count", sketch=True), "features.define.0", "sketch goes with distinct"),
    (_defined(ratio=["recency", 2], sketch=True), "features.define.0", "sketch goes with aggregate"),
    (_defined(aggregate="count", where={"event": "a", "equals": 1}), "features.define.0.where", "goes with field"),
    (_defined(aggregate="count", where={"field": "amount", "equals": "a"}), "features.define.0", "amount is a number"),
    (
        _defined(aggregate="count", where={"not": {"field": "amount", "contains": "1"}}),
        "features.define.0",
        "goes with text",
    ),
    (_defined(aggregate="count", where={"fild": "amount"}), "features.define.0.where.fild", "did you mean 'field'?"),
    (
        _defined(aggregate="count", table="sessions", where={"event": "a"}),
        "features.define.0",
        "sessions have no event",
    ),
    (
        _defined(table="persons", aggregate="count", where={"field": "plan", "equals": "gold"}),
        "features.define.0",
        "persons have no field 'plan' (they have attributes.NAME)",
    ),
    (_defined(table="persons", aggregate="count"), "features.define.0", "is 1 for those who meet `where`"),
    (
        _defined(table="persons", aggregate="max", of="last_seen", where={"field": "attributes.plan", "exists": True}),
        "features.define.0",
        "where goes with a count of persons",
    ),
    (_defined(table="persons", aggregate="sum", of="amount"), "features.define.0", "one of identifier_count, first"),
    (
        _defined(table="persons", aggregate="last", of="last_seen", window_days=30),
        "features.define.0",
        "window_days goes with events and sessions",
    ),
    (_defined(aggregate="count", last_sessions=3), "features.define.0", "last_sessions goes with table: sessions"),
    ({"words": {"recencyy": {"owner": "CRM"}}}, "features", "words names 'recencyy', which is no feature here"),
    (
        {**_defined(aggregate="count"), "words": {"mine": {"owner": "CRM"}}},
        "features",
        "words names 'mine', which is declared in define",
    ),
    ({"mixes": [{"name": "m", "field": "amount", "values": ["a"]}]}, "features.mixes.0", "needs a text field"),
    ({"mixes": [{"name": "m", "values": ["a"]}]}, "features.mixes.0.field", "is missing"),
    ({"mixes": [{"name": "m", "field": "weekday", "values": ["Mon"]}]}, "features.mixes.0", "weekday is a number"),
    ({"library": ["category_affinity"]}, "features", "needs features.category"),
    ({"library": ["discount_share"]}, "features", "needs features.discount"),
    ({"category": "amount"}, "features", "category must be a text field of events"),
]


@pytest.mark.parametrize(("features", "key", "text"), WRONG, ids=[f"{key}: {text}" for _, key, text in WRONG])
def test_a_wrong_declaration_is_refused_with_its_key(features: dict[str, Any], key: str, text: str) -> None:
    problem = _problem(features)
    assert problem.startswith(f"{key}: "), problem
    assert text in problem


def test_features_in_a_chain_are_as_many_as_spark_can_plan() -> None:
    chain = [{"name": f"f{n}", "total": [f"f{n - 1}", 1] if n else ["recency", 1]} for n in range(MAX_LEVELS)]
    assert len(FeatureSettings.model_validate({"define": chain}).names()) == MAX_LEVELS + len(DEFAULT_LIBRARY)


def test_every_library_name_is_measured_and_has_words() -> None:
    names = set(get_args(LibraryName))
    assert names == set(SHIPPED) == set(WORDS)
    assert all(info.name == name and info.high and info.low and info.high != info.low for name, info in WORDS.items())


def test_the_catalogue_has_every_column_in_order() -> None:
    settings = FeatureSettings.model_validate(
        {
            "mixes": [{"name": "department", "field": "properties.department", "of": "amount", "values": ["DRUG GM"]}],
            "define": [
                {"name": "coupons", "aggregate": "count", "where": {"event": "coupon"}, "label": "coupons used"},
                {
                    "name": "cheap",
                    "aggregate": "share",
                    "where": {"field": "amount", "less_than": 1},
                    "high": "thrifty",
                },
            ],
        }
    )
    catalogue = feature_catalogue(settings)
    assert list(catalogue) == settings.names()
    assert list(catalogue)[-4:] == ["department_drug_gm_share", "department_entropy", "coupons", "cheap"]
    assert (catalogue["coupons"].label, catalogue["coupons"].high) == ("coupons used", "high coupons used")
    assert (catalogue["cheap"].unit, catalogue["cheap"].high) == ("share", "thrifty")
    assert catalogue["department_drug_gm_share"].high == "drug gm-heavy"
