"""Conditions on rows, as a typed tree: no text of the configuration is ever run as SQL.

A rule is one comparison (`{field: amount, at_least: 10}`), the short form for an event's name (`{event: purchase}`),
or other rules joined: `{all: [...]}`, `{any: [...]}`, `{not: ...}`. A field without a value meets no comparison but
`exists: false`, so `not` is exactly the opposite. `audiences` has rules on people, made of the same parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from segmentation.config.model import Section

Kind = Literal["text", "number", "time", "flag"]
RuleTable = Literal["events", "sessions"]
FeatureTable = Literal["events", "sessions", "persons"]
Value = bool | int | float | datetime | date | str

FIELDS: dict[str, dict[str, Kind]] = {
    "events": {
        "event_name": "text",
        "event_ts": "time",
        "received_ts": "time",
        "hour": "number",
        "weekday": "number",
        "source": "text",
        "platform": "text",
        "session_key": "text",
        "amount": "number",
        "currency": "text",
    },
    "sessions": {
        "session_start": "time",
        "session_end": "time",
        "hour": "number",
        "weekday": "number",
        "duration_s": "number",
        "events": "number",
        "entry_event": "text",
        "exit_event": "text",
        "end_reason": "text",
        "amount": "number",
        "platform": "text",
        "channel": "text",
        "device": "text",
        "is_bounce": "flag",
        "converted": "flag",
    },
    "persons": {},
}
"""What rules and features may look at, by table; events also have `properties.NAME` and `identifiers.NAME` (text), and
persons `attributes.NAME` alone (text).

`hour` is 0 to 23 and `weekday` 1 (Monday) to 7, both in UTC, of the event or of the session's start.
"""

_ATTRIBUTE = re.compile(r"^attributes\.[a-z][a-z0-9_]{0,62}$")
_MAP_FIELD = re.compile(r"^(properties|identifiers)\.[a-z][a-z0-9_]{0,62}$")
_OPERATORS = (
    "equals",
    "not_equals",
    "in_",
    "not_in",
    "greater_than",
    "at_least",
    "less_than",
    "at_most",
    "between",
    "contains",
    "starts_with",
    "exists",
)
_ORDERED = {"greater_than", "at_least", "less_than", "at_most", "between"}
_TEXTUAL = {"contains", "starts_with"}

MAX_DEPTH, MAX_PARTS = 20, 500
"""How deep the conditions of one rule may lie in each other, and how many keys and list items they may have."""

OPERATOR_NAMES = ", ".join(name.rstrip("_") for name in _OPERATORS)
"""All comparisons, for texts."""


class Comparison(Section):
    """What a value is compared with, by one of a list of operators."""

    model_config = ConfigDict(validate_by_name=True)

    shorter: ClassVar[str] = "say it in fewer"
    """What to do about a rule that is too large."""

    equals: Value | None = Field(None, description="Is this.")
    not_equals: Value | None = Field(None, description="Has a value, and it is not this.")
    in_: list[Value] | None = Field(None, alias="in", min_length=1, description="Is one of these.")
    not_in: list[Value] | None = Field(None, min_length=1, description="Has a value, and it is none of these.")
    greater_than: Value | None = Field(None, description="Is more than this.")
    at_least: Value | None = Field(None, description="Is this or more.")
    less_than: Value | None = Field(None, description="Is less than this.")
    at_most: Value | None = Field(None, description="Is this or less.")
    between: list[Value] | None = Field(
        None, min_length=2, max_length=2, description="Is the first of these, the second, or something between."
    )
    contains: str | None = Field(None, min_length=1, description="Has this text in it.")
    starts_with: str | None = Field(None, min_length=1, description="Begins with this text.")
    exists: bool | None = Field(None, description="Has a value (true), or has none (false).")

    @model_validator(mode="before")
    @classmethod
    def _is_of_bounded_size(cls, data: Any) -> Any:
        """Checked before anything looks into it: what is nested without end must not exhaust the stack."""
        parts, left = 0, [(data, 0)]
        while left:
            item, depth = left.pop()
            if not isinstance(item, (dict, list)):
                continue
            parts, depth = parts + len(item), depth + isinstance(item, dict)
            if depth > MAX_DEPTH or parts > MAX_PARTS:
                raise ValueError(
                    f"conditions lie at most {MAX_DEPTH} deep in each other and have at most {MAX_PARTS} parts: "
                    f"{cls.shorter}"
                )
            left += [(inner, depth) for inner in (item.values() if isinstance(item, dict) else item)]
        return data

    @property
    def operators(self) -> list[str]:
        """The comparisons that are set; what is valid has one at most."""
        return [name for name in _OPERATORS if getattr(self, name) is not None]

    @property
    def operator(self) -> str | None:
        """The one comparison that is set."""
        return next(iter(self.operators), None)

    @property
    def operand(self) -> object:
        """What the comparison compares with."""
        return getattr(self, self.operator) if self.operator else None


class Rule(Comparison):
    """A condition on one row."""

    all: list[Rule] | None = Field(None, min_length=1, description="All of these hold.")
    any: list[Rule] | None = Field(None, min_length=1, description="At least one of these holds.")
    not_: Rule | None = Field(None, alias="not", description="This does not hold.")
    event: str | list[str] | None = Field(None, description="The event's name is this, or one of these.")
    field: str | None = Field(None, description="A column, `properties.NAME` or `identifiers.NAME`.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Rule:
        forms = [name for name in ("all", "any", "not_", "event", "field") if getattr(self, name) is not None]
        if len(forms) != 1:
            raise ValueError("a rule has exactly one of all, any, not, event and field")
        if forms == ["field"] and len(self.operators) != 1:
            raise ValueError(f"a rule on a field has exactly one of {OPERATOR_NAMES}")
        if forms != ["field"] and self.operators:
            raise ValueError(f"{self.operators[0].rstrip('_')} goes with field")
        return self


def is_map_field(field: str) -> bool:
    """Whether a field is `properties.NAME` or `identifiers.NAME`."""
    return _MAP_FIELD.match(field) is not None


def is_attribute(field: str) -> bool:
    """Whether a field is `attributes.NAME`."""
    return _ATTRIBUTE.match(field) is not None


def field_kind(field: str, table: str) -> Kind | None:
    """What kind of value a field holds; None: the table has no such field."""
    if (table == "events" and is_map_field(field)) or (table == "persons" and is_attribute(field)):
        return "text"
    return FIELDS[table].get(field)


def check_rule(rule: Rule, table: str) -> str | None:
    """What keeps a rule from being applied to a table, in words; None: nothing."""
    for part in (*(rule.all or ()), *(rule.any or ()), *((rule.not_,) if rule.not_ else ())):
        if problem := check_rule(part, table):
            return problem
    if rule.event is not None and table != "events":
        return f"{table} have no event: name a field such as entry_event"
    if rule.field is None:
        return None
    kind = field_kind(rule.field, table)
    if kind is None:
        return unknown_field(rule.field, table)
    return misfit(rule, rule.field, kind)


def rule_fields(rule: Rule) -> Iterator[str]:
    """The columns that a rule looks at, as it names them; `event_name` where it is of events."""
    if rule.event is not None:
        yield "event_name"
    elif rule.field is not None:
        yield rule.field
    for part in (*(rule.all or ()), *(rule.any or ()), *((rule.not_,) if rule.not_ else ())):
        yield from rule_fields(part)


def unknown_field(field: str, table: str) -> str:
    """Says that a table has no such field, and what it has."""
    more = {"events": ["properties.NAME", "identifiers.NAME"], "persons": ["attributes.NAME"]}.get(table, [])
    return f"{table} have no field '{field}' (they have {', '.join([*FIELDS[table], *more])})"


def misfit(comparison: Comparison, name: str, kind: Kind) -> str | None:
    """What keeps a comparison from being made of `name`, a value of this kind, in words; None: nothing."""
    operator, operand = comparison.operator, comparison.operand
    if operator == "exists":
        return None
    if operator in _TEXTUAL:
        return None if kind == "text" else f"{operator} goes with text, and {name} is a {kind}"
    values = operand if isinstance(operand, list) else [operand]
    for value in values:
        if not _fits(value, kind, operator in _ORDERED):
            return f"{name} is a {kind}: it cannot be compared with {value!r}"
    if operator == "between" and kind == "number" and float(str(values[0])) > float(str(values[1])):
        return f"between has the smaller value first, not {values[0]} and then {values[1]}"
    return None


def _fits(value: object, kind: Kind, ordered: bool) -> bool:
    if kind == "flag":
        return isinstance(value, bool) and not ordered
    if kind == "time":
        return isinstance(value, date) or _is_time(value)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return not isinstance(value, bool) or not ordered


def _is_time(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True
