"""The size of rules, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from tests.factories import minimal_settings

from segmentation.config.problems import explain
from segmentation.config.rules import MAX_PARTS
from segmentation.config.settings import Settings

PURCHASE = {"event": "purchase"}
SHARE = {"name": "share", "aggregate": "share"}
PLACES: list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = [
    ("features.purchase", lambda rule: {"features": {"purchase": rule}}),
    ("features.before", lambda rule: {"features": {"before": rule}}),
    ("features.define.0.where", lambda rule: {"features": {"define": [{**SHARE, "where": rule}]}}),
    ("features.define.0.among", lambda rule: {"features": {"define": [{**SHARE, "where": PURCHASE, "among": rule}]}}),
    ("features.mixes.0.where",
     lambda rule: {"features": {"mixes": [{"name": "by", "field": "source", "values": ["a"], "where": rule}]}}),
    ("features.journeys.where", lambda rule: {"features": {"journeys": {"where": rule}}}),
    ("features.journeys.target", lambda rule: {"features": {"journeys": {"target": rule}}}),
    ("consent.0.grants", lambda rule: {"consent": [{"purpose": "ads", "grants": rule}]}),
    ("consent.0.withdraws", lambda rule: {"consent": [{"purpose": "ads", "withdraws": rule}]}),
    ("attribution.touches", lambda rule: {"attribution": {"channel": "platform", "touches": rule}}),
    ("attribution.conversion", lambda rule: {"attribution": {"channel": "platform", "conversion": rule}}),
    ("audiences.0.who.did", lambda rule: {"audiences": [{"name": "a", "who": {"did": rule}}]}),
]  # fmt: skip


def _nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = PURCHASE
    for _ in range(depth):
        rule = {"not": rule}
    return rule


@pytest.mark.parametrize(("key", "place"), PLACES, ids=[key for key, _ in PLACES])
def test_no_rule_is_deeper_or_larger_than_can_be_read(
    key: str, place: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    minimal_settings(**place(_nested(15)))
    for rule in (_nested(25), _nested(5000), {"any": [PURCHASE] * MAX_PARTS}):
        with pytest.raises(ValidationError) as caught:
            minimal_settings(**place(rule))
        (said,) = [str(problem) for problem in explain(caught.value, Settings)]
        assert said.startswith(key.removesuffix(".did"))
        assert "lie at most 20 deep in each other and have at most 500 parts" in said


def test_rules_of_segments_have_so_many_conditions_at_most() -> None:
    many = [{"feature": "recency", "at_least": 1}] * (MAX_PARTS + 1)
    for key, segments in (
        ("segments.scope", {"scope": many}),
        ("segments.rules.0.when", {"rules": [{"name": "all", "when": many, "into": "vip"}]}),
        ("segments.rules.0.of", {"rules": [{"name": "all", "of": ["s-1"] * (MAX_PARTS + 1), "into": "vip"}]}),
    ):
        with pytest.raises(ValidationError) as caught:
            minimal_settings(segments=segments)
        (said,) = [str(problem) for problem in explain(caught.value, Settings)]
        assert said.startswith(f"{key}: ")
        assert "at most 500 items" in said
