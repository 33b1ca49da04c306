"""`sources[].rules`: what the events of a source must be like, typed, so that no rule can run code."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from segmentation.config.model import Name, Pattern, Section

RULED = ("event_name", "event_ts", "received_ts", "platform", "session_key", "amount", "currency")
"""Contract columns that a rule may name, beside `identifiers.TYPE` and `properties.NAME`."""


class QualityRule(Section):
    """One rule. Each check in it is one reason in the quarantine: `amount_missing`, `amount_below_min`, …"""

    column: str = Field(description=f"One of {', '.join(RULED)}, identifiers.TYPE, properties.NAME.")
    name: Name | None = Field(
        None, description="The reason that the quarantine gives. Default: made of column and check."
    )
    events: list[str] = Field([], description="Names of the events that it is for. Default: all.")
    required: bool = Field(False, description="The value must be there.")
    allowed: list[str] | None = Field(None, min_length=1, description="The only values that it may have, as text.")
    min: float | None = Field(None, description="As a number it is at least this.")
    max: float | None = Field(None, description="As a number it is at most this.")
    pattern: Pattern | None = Field(None, description="A regular expression that the whole value matches.")
    severity: Literal["warn", "quarantine", "fail"] = Field(
        "quarantine", description="Count the row, refuse the row, or refuse the whole batch."
    )

    @field_validator("allowed", mode="before")
    @classmethod
    def _texts(cls, values: object) -> object:
        return [str(value) for value in values] if isinstance(values, list) else values

    @field_validator("column")
    @classmethod
    def _known_column(cls, column: str) -> str:
        if column not in RULED and column.partition(".")[0] not in {"identifiers", "properties"}:
            raise ValueError(f"'{column}' is none of {', '.join(RULED)}, identifiers.TYPE, properties.NAME")
        return column

    @model_validator(mode="after")
    def _checks_something(self) -> Self:
        if not self.checks():
            raise ValueError("has no check: give required, allowed, min, max or pattern")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max: no value can pass")
        return self

    def checks(self) -> dict[str, str]:
        """The checks that are set -> the reason that each gives."""
        column = self.column.partition(".")[2] or self.column
        reasons = {
            "required": f"{column}_missing",
            "allowed": f"{column}_not_allowed",
            "min": f"{column}_below_min",
            "max": f"{column}_above_max",
            "pattern": f"{column}_malformed",
        }
        return {
            check: self.name or reason
            for check, reason in reasons.items()
            if getattr(self, check) is not None and getattr(self, check) is not False
        }
