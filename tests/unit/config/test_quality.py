"""Rules of sources."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from segmentation.config.quality import QualityRule


def test_each_check_is_a_reason() -> None:
    rule = QualityRule.model_validate({"column": "amount", "required": True, "min": 0, "max": 9, "allowed": [1, "x"]})
    assert rule.checks() == {
        "required": "amount_missing",
        "allowed": "amount_not_allowed",
        "min": "amount_below_min",
        "max": "amount_above_max",
    }
    assert rule.allowed == ["1", "x"]
    named = QualityRule.model_validate({"column": "properties.page", "name": "odd_page", "pattern": "/.*"})
    assert named.checks() == {"pattern": "odd_page"}


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"column": "amount"}, "has no check"),
        ({"column": "amount", "min": 2, "max": 1}, "min is above max"),
        ({"column": "event_ts", "min": 20}, "min and max of event_ts are dates"),
        ({"column": "properties.age", "max": "2020-01-01"}, "min and max of properties.age are numbers"),
        ({"column": "event_ts", "min": "2020-01-02", "max": "2020-01-01"}, "min is above max"),
        ({"column": "price", "min": 2}, "'price' is none of"),
        ({"column": "currency", "pattern": "("}, "not a regular expression"),
        ({"column": "currency", "sql": "1 = 1"}, "Extra inputs"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        QualityRule.model_validate(rule)
