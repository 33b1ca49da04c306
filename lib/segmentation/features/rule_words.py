"""Rules on rows in plain words."""

from __future__ import annotations

from segmentation.config.rules import Comparison, Rule

_OPERATORS = {
    "equals": "is {}",
    "not_equals": "is not {}",
    "in_": "is {}",
    "not_in": "is none of {}",
    "greater_than": "is more than {}",
    "at_least": "is at least {}",
    "less_than": "is less than {}",
    "at_most": "is at most {}",
    "between": "is between {}",
    "contains": "contains {}",
    "starts_with": "begins with {}",
}


def describe_events(rule: Rule) -> str:
    """Words for the events that meet a rule."""
    if rule.event is not None:
        return join_values([rule.event] if isinstance(rule.event, str) else rule.event, "or")
    return f"something of which {describe_row(rule)}"


def describe_row(rule: Rule) -> str:
    """A clause on one row that meets a rule, to stand behind “of which”."""
    if rule.all:
        return f"({' and '.join(map(describe_row, rule.all))})"
    if rule.any:
        return f"({' or '.join(map(describe_row, rule.any))})"
    if rule.not_:
        return f"it is not so that {describe_row(rule.not_)}"
    if rule.event is not None:
        return f"the name is {describe_events(rule)}"
    return f"“{rule.field}” {describe_comparison(rule)}"


def describe_comparison(comparison: Comparison) -> str:
    """What a comparison says of a value, to stand behind its name."""
    operator, operand = comparison.operator, comparison.operand
    if operator == "exists":
        return "is known" if operand else "is not known"
    among = operand if isinstance(operand, list) else [operand]
    return _OPERATORS[str(operator)].format(join_values(among, "and" if operator == "between" else "or"))


def join_values(values: list[object] | list[str], word: str) -> str:
    """Values in a row, the last behind `word`."""
    shown = [f"“{value}”" if isinstance(value, str) else str(value) for value in values]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {word} {shown[-1]}"
