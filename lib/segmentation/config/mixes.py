"""`features.mixes`: how a person's rows, or amounts, are spread over the values of a field."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from segmentation.config.model import Name, Section
from segmentation.config.rules import Rule, RuleTable, check_rule, field_kind

SHIPPED_MIXES: dict[str, dict[str, str]] = {
    "channel": {"table": "sessions", "field": "channel"},
    "device": {"table": "sessions", "field": "device"},
    "first_touch": {"table": "sessions", "field": "channel", "touch": "first"},
    "last_touch": {"table": "sessions", "field": "channel", "touch": "last"},
}
"""What a mix of this name is of, where it does not say so itself."""

_OF_THE_CLOCK = {"hour", "weekday"}


class Mix(Section):
    """What share of a person's rows, or amounts, falls on each value of a field, or which value came first or last: one
    feature a value."""

    name: Name = Field(description="Columns are called NAME_VALUE_share, and NAME_entropy; with `touch`, NAME_VALUE.")
    table: RuleTable = Field("events", description="Whose rows are shared out.")
    field: str = Field(
        description="A column with text, `properties.NAME` or `identifiers.NAME`; `hour` or `weekday`. May be left out "
        f"where `name` is one of {', '.join(SHIPPED_MIXES)}: these are of the `channel` or `device` of sessions."
    )
    of: Literal["rows", "amount"] = Field("rows", description="Whether rows or (positive) amounts are shared out.")
    values: list[str] = Field(min_length=1, max_length=100, description="The values that get a column.")
    touch: Literal["first", "last"] | None = Field(
        None,
        description="Instead of shares, 1 for the value of the person's first (or last) row that has one, and 0 for "
        "the others: the channel that brought them, or that they came by last.",
    )
    where: Rule | None = Field(None, description="Which rows count.")
    window_days: int | None = Field(None, ge=1, le=36_500, description="The last so many days. Default: all.")
    entropy: bool = Field(
        True, description="Add NAME_entropy (bits; undeclared values count as one): 0 for people who keep to one value."
    )

    @model_validator(mode="before")
    @classmethod
    def _shipped_is_filled_in(cls, data: Any) -> Any:
        """What is measured is said in full, so that a hash of it says all."""
        if not isinstance(data, dict) or "field" in data:
            return data
        return {**SHIPPED_MIXES.get(str(data.get("name")), {}), **data}

    @model_validator(mode="after")
    def _is_whole(self) -> Mix:
        if field_kind(self.field, self.table) != "text" and self.field not in _OF_THE_CLOCK:
            raise ValueError(
                f"'{self.name}': a mix needs a text field of {self.table}, hour or weekday, and {self.field} is none"
            )
        if self.field in _OF_THE_CLOCK and not all(value.isdecimal() for value in self.values):
            raise ValueError(f"'{self.name}': {self.field} is a number, and so are its values")
        if self.where is not None and (problem := check_rule(self.where, self.table)):
            raise ValueError(f"'{self.name}': {problem}")
        if self.touch and self.model_fields_set & {"of", "entropy"}:
            raise ValueError(f"'{self.name}': of and entropy go with shares, and `touch` is of one row")
        return self

    @property
    def has_entropy(self) -> bool:
        """Whether there is a column of how evenly all is spread."""
        return self.entropy and self.touch is None

    def column(self, value: str) -> str:
        """The column of one value."""
        own = f"{self.name}_{re.sub(r'[^a-z0-9]+', '_', value.lower()).strip('_')}"
        return own if self.touch else f"{own}_share"

    def columns(self) -> list[str]:
        """All columns."""
        return [*map(self.column, self.values), *([f"{self.name}_entropy"] if self.has_entropy else [])]
