"""Rules on people in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from segmentation.config.audiences import AudienceSettings, PersonRule
from segmentation.features.rule_words import describe_comparison, describe_events, join_values

_TIMES = {
    "equals": "exactly {}",
    "not_equals": "not exactly {}",
    "in_": "{}",
    "not_in": "not {}",
    "greater_than": "more than {}",
    "at_least": "at least {}",
    "less_than": "less than {}",
    "at_most": "at most {}",
    "between": "between {}",
}


def describe_rule(rule: PersonRule, labels: Mapping[str, str]) -> str:
    """A sentence on who meets a rule; `labels`: feature -> what people are told it is."""
    return f"Everyone {', and '.join(describe_condition(part, labels) for part in rule.all or [rule])}."


def describe_limits(audience: AudienceSettings) -> list[str]:
    """Sentences on who meets the rule and is left out all the same, which no count of conditions knows."""
    told = []
    if audience.purpose:
        told.append(f"Of these, only who granted “{audience.purpose}”, which is not counted here.")
    if audience.group:
        told.append(f"Whoever is in another audience of the group “{audience.group}” already is not in this one.")
    if audience.again_after_days:
        told.append(f"Who left it comes in again after {audience.again_after_days} days.")
    if audience.min_size:
        told.append(f"Where they are fewer than {audience.min_size:,}, nobody is in it.")
    return told


def describe_condition(rule: PersonRule, labels: Mapping[str, str]) -> str:
    """A clause on one condition, to stand behind “everyone”."""
    if rule.all:
        return f"({', and '.join(describe_condition(part, labels) for part in rule.all)})"
    if rule.any:
        return f"({', or '.join(describe_condition(part, labels) for part in rule.any)})"
    if rule.not_:
        return _denied(rule.not_, labels)
    if rule.segment is not None:
        return f"who is in the segment {_segments(rule)}"
    if rule.entered is not None:
        return f"who moved into the segment {_segments(rule)} with the version published now"
    if rule.grid is not None:
        return f"who is among {_grid(rule)}"
    if rule.audience is not None:
        return f"who is in the audience “{rule.audience}”"
    if rule.granted is not None:
        return f"who granted “{rule.granted}”"
    if rule.feature is not None and rule.top_share is not None:
        return f"whose “{labels.get(rule.feature, rule.feature)}” is among the highest {rule.top_share * 100:g} %"
    if rule.feature is not None:
        return f"whose “{labels.get(rule.feature, rule.feature)}” {describe_comparison(rule)}"
    return f"who {_did(rule)}"


def _denied(rule: PersonRule, labels: Mapping[str, str]) -> str:
    if rule.segment is not None:
        return f"who is not in the segment {_segments(rule)}"
    if rule.grid is not None:
        return f"who is not among {_grid(rule)}"
    if rule.audience is not None:
        return f"who is not in the audience “{rule.audience}”"
    if rule.granted is not None:
        return f"who did not grant “{rule.granted}”"
    return f"who is not someone {describe_condition(rule, labels)}"


def _did(rule: PersonRule) -> str:
    assert rule.did is not None, "only conditions on events count"
    if rule.first_within_days is not None:
        return f"did {describe_events(rule.did)} for the first time {_lately(rule.first_within_days)}"
    if rule.stopped_days is not None:
        return f"did {describe_events(rule.did)} before, but not {_lately(rule.stopped_days)}"
    if not rule.operator or (rule.operator, rule.operand) == ("at_least", 1):
        times = "at least once"
    else:
        among = rule.operand if isinstance(rule.operand, list) else [rule.operand]
        word = "and" if rule.operator == "between" else "or"
        times = f"{_TIMES[rule.operator].format(join_values(among, word))} times"
    words = f"did {describe_events(rule.did)} {times}"
    if rule.window_days is not None:
        words += f" {_lately(rule.window_days)}"
    if rule.then_not is not None:
        hours = f"{rule.within_hours:g} hour{'' if rule.within_hours == 1 else 's'}"
        words += f", each time without {describe_events(rule.then_not)} in the {hours} after"
    return words


def _lately(days: int) -> str:
    return "on the last day" if days == 1 else f"in the last {days} days"


def _grid(rule: PersonRule) -> str:
    by = "recency and frequency" if rule.grid == "rfm" else "how recently and how often they do anything"
    return f"{join_values(rule.rfm_names, 'or')} by {by}"


def _segments(rule: PersonRule) -> str:
    return join_values(rule.segment_names, "or")
