"""Rules on people: what is wrong with them is said with its key, all of it together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from tests.factories import minimal_settings

from segmentation.config.audiences import AudienceSettings, in_order
from segmentation.config.problems import explain
from segmentation.config.rules import MAX_PARTS
from segmentation.config.settings import Settings, load_settings
from segmentation.contracts.errors import ConfigError


def _load(folder: Path, audiences: list[dict[str, Any]], **more: Any) -> Settings:
    raw = minimal_settings().model_dump(mode="json", exclude_none=True, include={"warehouse", "sources", "identity"})
    path = folder / "conf.yml"
    path.write_text(yaml.safe_dump({**raw, "audiences": audiences, **more}), encoding="utf-8")
    return load_settings(path)


def _said(folder: Path, audiences: list[dict[str, Any]], **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _load(folder, audiences, **more)
    assert caught.value.exit_status == 2
    return [str(problem) for problem in caught.value.problems]


PURCHASE = {"event": "purchase"}
WRONG = [
    ({}, "who", "exactly one of all, any, not, segment"),
    ({"segment": "a", "audience": "b"}, "who", "exactly one of all, any, not, segment"),
    ({"feature": "recency"}, "who", "a condition on a feature has exactly one of"),
    ({"feature": "recency", "at_least": 1, "at_most": 2}, "who", "a condition on a feature has exactly one of"),
    ({"feature": "recency", "at_least": "soon"}, "who", "recency is a number: it cannot be compared with 'soon'"),
    ({"feature": "recency", "between": [9, 1]}, "who", "between has the smaller value first, not 9 and then 1"),
    ({"feature": "recency", "starts_with": "1"}, "who", "starts_with goes with text"),
    ({"segment": "a", "at_least": 1}, "who", "at_least goes with feature and did"),
    ({"segment": "a", "window_days": 7}, "who", "window_days goes with did"),
    ({"granted": "ads", "at_least": 1}, "who", "at_least goes with feature and did"),
    ({"segment": "a", "top_share": 0.1}, "who", "top_share goes with feature"),
    ({"feature": "recency", "top_share": 0.1, "at_least": 3}, "who", "a condition on a feature has exactly one of"),
    ({"feature": "recency", "top_share": 1}, "who.top_share", "less than 1"),
    ({"did": PURCHASE, "stopped_days": 3, "at_least": 2}, "who", "stopped_days stands with did alone"),
    ({"did": PURCHASE, "first_within_days": 3, "window_days": 9}, "who", "first_within_days stands with did alone"),
    ({"did": PURCHASE, "then_not": PURCHASE}, "who", "then_not and within_hours go together"),
    ({"did": PURCHASE, "at_least": 1, "at_most": 2}, "who", "at most one of"),
    ({"did": PURCHASE, "exists": False}, "who", "events are counted"),
    ({"did": PURCHASE, "at_least": "two"}, "who", "the number of events is a number"),
    ({"did": PURCHASE, "window_days": 0}, "who.window_days", "greater than or equal to 1"),
    ({"did": {"field": "amout", "at_least": 1}}, "who", "events have no field 'amout'"),
    ({"all": [{"not": {"fature": "recency", "at_least": 1}}]}, "who.all.0.not.fature", "did you mean 'feature'?"),
    ({"all": [{"segment": "a"}] * MAX_PARTS}, "who", "have at most 500 parts"),
]


@pytest.mark.parametrize(("who", "key", "text"), WRONG, ids=[text for *_, text in WRONG])
def test_a_wrong_condition_is_refused_with_its_key(who: dict[str, Any], key: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        minimal_settings(audiences=[{"name": "a", "who": who}])
    said = [str(problem) for problem in explain(caught.value, Settings)]
    assert any(line.startswith(f"audiences.0.{key}: ") and text in line for line in said), said


def test_names_that_do_not_exist_and_a_circle_are_reported_together(tmp_path: Path) -> None:
    audiences = [
        {"name": "loyal", "who": {"all": [{"feature": "recncy", "at_most": 30}, {"audience": "lapsng"}]}},
        {"name": "lapsing", "who": {"not": {"audience": "circle"}}},
        {"name": "circle", "who": {"any": [{"segment": "s"}, {"audience": "lapsing"}]}},
    ]
    exports = [{"name": "crm", "audience": "people"}, {"name": "mail", "audience": "loyall"}]
    said = _said(tmp_path, audiences, exports=exports, sessions={"timeout_minutes": 0})
    assert "sessions.timeout_minutes: input should be greater than 0 (found 0)" in said
    for expected in (
        "audiences.0.who.all.0.feature: there is no feature 'recncy' in this configuration; did you mean 'recency'?",
        "audiences.0.who.all.1.audience: there is no audience 'lapsng' in this configuration; did you mean 'lapsing'?",
        "exports.1.audience: there is no audience 'loyall' in this configuration; did you mean 'loyal'?",
    ):
        assert expected in said
    assert any("name each other in a circle" in line and line.startswith("audiences.") for line in said)
    assert len(said) == 5


@pytest.mark.parametrize("joined", ["not", "all"])
@pytest.mark.parametrize("depth", [25, 200, 5000])
def test_a_rule_that_is_nested_without_end(tmp_path: Path, joined: str, depth: int) -> None:
    opened, closed = ("{not: ", "}") if joined == "not" else ("{all: [", "]}")
    text = opened * depth + "{segment: s}" + closed * depth
    path = tmp_path / "conf.yml"
    path.write_text(f"warehouse: w\naudiences:\n  - {{name: deep, who: {text}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert "audiences.0.who: conditions lie at most 20 deep" in str(caught.value) or depth == 5000
    assert "deep in each other" in str(caught.value)


def test_who_reads_a_file_is_no_audience() -> None:
    assert minimal_settings(exports=[{"name": "crm", "audience": "people"}]).exports[0].readers == "people"
    with pytest.raises(ValidationError, match="call the audience something else"):
        AudienceSettings.model_validate({"name": "people", "who": {"segment": "s"}})


def test_audiences_come_after_those_that_they_name() -> None:
    settings = minimal_settings(
        audiences=[
            {"name": "both", "who": {"all": [{"audience": "first"}, {"not": {"audience": "second"}}]}},
            {"name": "second", "who": {"audience": "first"}},
            {"name": "first", "who": {"did": PURCHASE, "between": [2, 5], "window_days": 30}},
        ]
    )
    levels = [[audience.name for audience in level] for level in in_order(settings.audiences)]
    assert levels == [["first"], ["second"], ["both"]]


def test_every_condition_has_its_key_path() -> None:
    who = {"all": [{"segment": "s"}, {"any": [{"not": {"audience": "b"}}]}]}
    audience = AudienceSettings.model_validate({"name": "a", "who": who})
    assert [key for key, _ in audience.who.walk("who")] == [
        "who",
        "who.all.0",
        "who.all.1",
        "who.all.1.any.0",
        "who.all.1.any.0.not",
    ]


TWICE = {"did": PURCHASE, "at_least": 2, "window_days": 7}


@pytest.mark.parametrize(
    ("who", "key", "why"),
    [
        ({"did": PURCHASE, "stopped_days": 3}, "who.stopped_days", "`stopped_days` comes true by waiting"),
        ({"all": [TWICE, {"did": PURCHASE, "at_most": 2}]}, "who.all.1.at_most", "`at_most` comes true by waiting"),
        ({"did": PURCHASE, "then_not": PURCHASE, "within_hours": 1}, "who.then_not", "`then_not` comes true"),
        ({"any": [{"not": TWICE}]}, "who.any.0.not", "`not` of what people do comes true by waiting"),
        ({"audience": "idle"}, "who.audience", "'idle' has `stopped_days`, which comes true by waiting"),
    ],
)
def test_a_live_audience_has_nothing_that_comes_true_by_waiting(
    tmp_path: Path, who: dict[str, Any], key: str, why: str
) -> None:
    idle = {"name": "idle", "who": {"did": PURCHASE, "stopped_days": 3}}
    (said,) = _said(tmp_path, [{"name": "now", "live": True, "who": who}, idle])
    assert said.startswith(f"audiences.0.{key}: ")
    assert why in said
    _load(tmp_path, [{"name": "now", "who": who}, idle])


def test_a_live_audience_may_have_what_an_event_brings_about(tmp_path: Path) -> None:
    known = {"not": {"segment": "Frequent"}}
    who = {"all": [TWICE, known, {"feature": "recency", "at_most": 3}, {"did": PURCHASE, "first_within_days": 2}]}
    _load(tmp_path, [{"name": "now", "live": True, "who": who}])
    consent = [{"purpose": "ads", "grants": PURCHASE}]
    for asked in ({"granted": "ads"}, {"not": {"granted": "ads"}}):
        _load(tmp_path, [{"name": "now", "live": True, "who": asked}], consent=consent)
    (said,) = _said(tmp_path, [{"name": "now", "live": True, "who": who, "min_size": 50}])
    assert "audiences.0.min_size: takes everyone to know" in said
