"""`sources[].rules`: what the events of a source must be like, typed, so that no rule can run code."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from segmentation.config.model import Name, Pattern, Section

RULED = ("event_name", "event_ts", "received_ts", "platform", "session_key", "amount", "currency")
"""Contract columns that a rule may name, beside `identifiers.TYPE` and `properties.NAME`."""

_TIMES = ("event_ts", "received_ts")


class QualityRule(Section):
    """One rule. Each check in it is one reason in the quarantine: `amount_missing`, `amount_below_min`, …"""

    column: str = Field(
        description=f"One of {', '.join(RULED)}, identifiers.TYPE, properties.NAME. An identifier is looked at as it "
        "is compared (an e-mail in lower case), a personal one before it becomes a token."
    )
    name: Name | None = Field(
        None, description="The reason that the quarantine gives. Default: made of column and check."
    )
    events: list[str] = Field([], description="Names of the events that it is for. Default: all.")
    required: bool = Field(False, description="The value must be there.")
    allowed: list[str] | None = Field(None, min_length=1, description="The only values that it may have, as text.")
    min: float | date | None = Field(
        None,
        description=f"It is a number, and at least this; of {' and '.join(_TIMES)}: of this date, UTC, or later.",
    )
    max: float | date | None = Field(
        None,
        description=f"It is a number, and at most this; of {' and '.join(_TIMES)}: of this date, UTC, or earlier.",
    )
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
        bounds = [bound for bound in (self.min, self.max) if bound is not None]
        is_time = self.column in _TIMES
        if any(isinstance(bound, date) != is_time for bound in bounds):
            raise ValueError(
                f"min and max of {self.column} are {'dates, such as 2020-01-31' if is_time else 'numbers'}"
            )
        if bounds != sorted(bounds):
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
