"""`features.journeys`: what people do one after the other, on the way to a target or away."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from segmentation.config.model import Section
from segmentation.config.rules import Rule, check_rule, field_kind

START, END, OTHER = "(start)", "(end)", "(other)"
"""Before the first step; behind the last of a journey that ended without the target; any rare step."""

Measure = Literal["follows", "contains"]
Gram = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=2, max_length=4)]

_TOLD = {"most_steps", "longest_path"}
"""What tables and report depend on, and features do not."""


class JourneySettings(Section):
    """What a journey is, and which of its steps become features.

    A journey is what one person did without a long pause, up to the target: behind it the next one begins.
    """

    step: str = Field(
        "event_name", description="The text field of events that names a step; an event without one is none."
    )
    where: Rule | None = Field(None, description="Which events are steps. Default: all but `passive_events`.")
    target: Rule | None = Field(None, description="What journeys lead to. Default: `features.purchase`.")
    pause_hours: float = Field(0.5, gt=0, le=8760, description="After a longer pause a new journey begins.")
    window_days: int = Field(90, ge=1, le=36_500, description="Journeys of the last so many days.")
    repeats: bool = Field(False, description="Whether the same step several times in a row counts as several.")
    follows: list[Gram] = Field(
        [],
        max_length=100,
        description="Steps in a row, two to four: one feature each, of the times that all but the last were taken the "
        f"share that the last followed. `{END}` as the last: that nothing did, and the target was not reached.",
    )
    contains: list[Gram] = Field(
        [], max_length=100, description="Steps in a row: one feature each, the share of journeys in which they stand."
    )
    most_steps: int = Field(
        30, ge=2, le=200, description="In tables and report, the commonest steps have their names; others are one."
    )
    longest_path: int = Field(6, ge=2, le=20, description="Of a longer path, the last so many steps are told.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if field_kind(self.step, "events") != "text":
            raise ValueError(f"step needs a text field of events, and {self.step} is none")
        if self.step == "session_key" or self.step.startswith("identifiers."):
            raise ValueError(f"step names what people do, and {self.step} names one of them: choose another field")
        for rule in (self.where, self.target):
            if rule is not None and (problem := check_rule(rule, "events")):
                raise ValueError(problem)
        for gram in (*(gram[:-1] for gram in self.follows), *self.contains):
            if END in gram:
                raise ValueError(f"{END} is no step: it goes last, in follows")
        return self

    @property
    def declared(self) -> list[tuple[str, Measure, list[str]]]:
        """Column, what is measured, and of which steps in a row."""
        return [
            *((f"{_slug(gram[-1:])}_after_{_slug(gram[:-1])}", "follows", gram) for gram in self.follows),
            *((f"journeys_with_{_slug(gram)}", "contains", gram) for gram in self.contains),
        ]

    @property
    def names(self) -> list[str]:
        """All columns."""
        return [name for name, _, _ in self.declared]

    @property
    def measured(self) -> JourneySettings | None:
        """The part that features depend on; None: there are none."""
        if not self.names:
            return None
        return self.model_copy(update={name: type(self).model_fields[name].default for name in _TOLD})

    def only(self, name: str) -> JourneySettings:
        """The same with one column alone."""
        kept = {
            kind: [gram for column, measure, gram in self.declared if column == name and measure == kind]
            for kind in ("follows", "contains")
        }
        return self.model_copy(update=kept)

    def definition(self, name: str) -> object:
        """All that the values of one column depend on."""
        return self.only(name).model_dump(mode="json", exclude=_TOLD)


def _slug(steps: list[str]) -> str:
    return "_".join(re.sub(r"[^a-z0-9]+", "_", step.lower()).strip("_") or "other" for step in steps)
