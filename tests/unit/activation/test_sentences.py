"""Rules on people in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from segmentation.activation.sentences import describe_rule
from segmentation.config.audiences import PersonRule

LABELS = {"recency": "days since last purchase"}
CASES: list[tuple[dict[str, Any], str]] = [
    ({"segment": "Frequent"}, "Everyone who is in the segment “Frequent”."),
    ({"not": {"segment": ["a", "b"]}}, "Everyone who is not in the segment “a” or “b”."),
    ({"feature": "recency", "at_least": 30}, "Everyone whose “days since last purchase” is at least 30."),
    ({"feature": "recency", "between": [1, 2.5]}, "Everyone whose “days since last purchase” is between 1 and 2.5."),
    ({"not": {"feature": "recency", "exists": True}},
     "Everyone who is not someone whose “days since last purchase” is known."),
    ({"did": {"event": "buy"}, "window_days": 1}, "Everyone who did “buy” at least once on the last day."),
    ({"did": {"event": ["buy", "rent"]}, "in": [1, 2, 3], "window_days": 30},
     "Everyone who did “buy” or “rent” 1, 2 or 3 times in the last 30 days."),
    ({"did": {"all": [{"event": "buy"}, {"field": "amount", "greater_than": 9}]}, "equals": 0},
     "Everyone who did something of which (the name is “buy” and “amount” is more than 9) exactly 0 times."),
    ({"did": {"event": "cart"}, "then_not": {"event": "buy"}, "within_hours": 24, "window_days": 7},
     "Everyone who did “cart” at least once in the last 7 days, each time without “buy” in the 24 hours after."),
    ({"any": [{"granted": "ads"}, {"not": {"granted": "mail"}}]},
     "Everyone (who granted “ads”, or who did not grant “mail”)."),
    ({"entered": ["a", "b"]},
     "Everyone who moved into the segment “a” or “b” with the version published now."),
    ({"not": {"rfm": "At risk"}}, "Everyone who is not among “At risk” by recency and frequency."),
    (
        {"rfm_engagement": ["New", "Promising"]},
        "Everyone who is among “New” or “Promising” by how recently and how often they do anything.",
    ),
    ({"feature": "recency", "top_share": 0.125},
     "Everyone whose “days since last purchase” is among the highest 12.5 %."),
    ({"did": {"event": "buy"}, "first_within_days": 7},
     "Everyone who did “buy” for the first time in the last 7 days."),
    ({"did": {"event": "buy"}, "stopped_days": 30}, "Everyone who did “buy” before, but not in the last 30 days."),
    ({"all": [{"audience": "a"}, {"not": {"audience": "b"}}, {"any": [{"segment": "s"}, {"segment": "t"}]}]},
     "Everyone who is in the audience “a”, and who is not in the audience “b”, and "
     "(who is in the segment “s”, or who is in the segment “t”)."),
]  # fmt: skip


@pytest.mark.parametrize(("who", "sentence"), CASES)
def test_a_rule_is_said_in_a_sentence(who: dict[str, Any], sentence: str) -> None:
    assert describe_rule(PersonRule.model_validate(who), LABELS) == sentence
