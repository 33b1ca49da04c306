"""The keys of consent."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from segmentation.config.consent import ConsentRule, check_purposes, check_signal

JOINED = {"event": "joined"}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"grants": JOINED}, "exactly one of purpose and purpose_field"),
        ({"purpose": "ads", "purpose_field": "source", "grants": JOINED}, "exactly one of purpose and purpose_field"),
        ({"purpose_field": "amount", "grants": JOINED}, "'amount' is none"),
        ({"purpose": "ads"}, "needs grants, withdraws or both"),
        ({"purpose": "ads", "withdraws": {"field": "amout", "at_least": 1}}, "events have no field 'amout'"),
    ],
)
def test_a_wrong_rule_is_refused(rule: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        ConsentRule.model_validate(rule)


def test_a_purpose_that_nobody_could_grant_is_named_with_its_key() -> None:
    exports = [{"name": "crm", "purpose": "marketing"}, {"name": "mail", "purpose": "marketng"}, {"name": "all"}]
    raw: dict[str, Any] = {"exports": exports, "consent": [{"purpose": "marketing", "grants": JOINED}]}
    (problem,) = check_purposes(raw)
    assert (problem.key, problem.suggestion) == ("exports.1.purpose", "marketing")
    assert [problem.key for problem in check_purposes({"exports": exports})] == [
        "exports.0.purpose",
        "exports.1.purpose",
    ]
    anything = {"purpose_field": "properties.purpose", "grants": JOINED}
    assert check_purposes({**raw, "consent": [anything]}) == []
    who = {"feature": "recency", "at_least": 1}
    audiences = [{"name": "lapsing", "who": who, "purpose": "ads"}]
    withdrawn = {"purpose": "ads", "withdraws": JOINED}
    (problem,) = check_purposes({"audiences": audiences, "consent": [withdrawn]})
    assert problem.key == "audiences.0.purpose", "what can only be withdrawn is granted by nobody"
    (problem,) = check_purposes(
        {"segments": {"purpose": "profilng"}, "consent": [{"purpose": "profiling", "grants": JOINED}]}
    )
    assert (problem.key, problem.suggestion) == ("segments.purpose", "profiling")


def test_a_condition_on_a_purpose_that_nobody_could_grant_is_named_with_its_key() -> None:
    who = {"all": [{"granted": "marketing"}, {"not": {"granted": "marketng"}}]}
    raw = {"audiences": [{"name": "a", "who": who}], "consent": [{"purpose": "marketing", "grants": JOINED}]}
    (problem,) = check_purposes(raw)
    assert (problem.key, problem.suggestion) == ("audiences.0.who.all.1.not.granted", "marketing")


def test_a_purpose_that_nobody_could_refuse_is_named_with_its_key() -> None:
    exports = [{"name": "ads", "unless_refused": ["sale", "sharng", "marketing"]}]
    consent = [{"purpose": "marketing", "withdraws": JOINED}, {"purpose": "sale", "grants": JOINED}]
    raw = {"exports": exports, "consent": consent, "global_privacy_control": {"property": "gpc"}}
    (problem,) = check_purposes(raw)
    assert (problem.key, problem.suggestion) == ("exports.0.unless_refused.1", "sharing")
    without = {**raw, "global_privacy_control": None}
    assert [problem.key for problem in check_purposes(without)] == [
        "exports.0.unless_refused.0",
        "exports.0.unless_refused.1",
    ], "a yes alone keeps nobody out"


def test_a_property_for_the_signal_that_no_source_maps_is_named_with_its_key() -> None:
    raw = {"sources": [{"columns": {"properties": {"gpc": "sec_gpc"}}}], "global_privacy_control": {"property": "gcp"}}
    (problem,) = check_signal(raw)
    assert (problem.key, problem.suggestion) == ("global_privacy_control.property", "gpc")
    assert check_signal({**raw, "global_privacy_control": {"property": "gpc"}}) == []
    assert check_signal({"sources": raw["sources"]}) == []
