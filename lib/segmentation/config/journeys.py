"""`features.journeys`: what people do one after the other, on the way to a target or away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from segmentation.config.model import Section
from segmentation.config.rules import Rule, check_rule, field_kind

START, END, OTHER = "(start)", "(end)", "(other)"
"""Before the first step; behind the last of a journey that ended without the target; any rare step."""

Measure = Literal["follows", "contains"]
Gram = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=2, max_length=4)]

_TOLD = {"most_steps", "longest_path", "vocabulary"}
"""What tables and report depend on, and features do not: of a vocabulary they depend on what was chosen."""


class VocabularySettings(Section):
    """Steps in a row that become features without being named."""

    most: int = Field(
        5,
        ge=1,
        le=50,
        description="So many for `follows`, and so many for `contains`: rows of steps in which people differ most.",
    )
    up_to: date | None = Field(
        None,
        description="They are chosen by the journeys up to the end of this date, such as that of the data that models "
        "learn from; another date chooses anew. Default: the first date that is measured.",
    )


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
    vocabulary: VocabularySettings | None = Field(
        None,
        description="Steps in a row that are chosen as further features: once, and kept in `journey_vocabulary`, so "
        "that later dates measure the same. Default: none.",
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
            *((name_column("follows", gram), "follows", gram) for gram in self.follows),
            *((name_column("contains", gram), "contains", gram) for gram in self.contains),
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


def name_column(measure: Measure, steps: Sequence[str]) -> str:
    """The column of the feature that is measured of these steps in a row."""
    if measure == "follows":
        return f"{_slug(steps[-1:])}_after_{_slug(steps[:-1])}"
    return f"journeys_with_{_slug(steps)}"


def _slug(steps: Sequence[str]) -> str:
    return "_".join(re.sub(r"[^a-z0-9]+", "_", step.lower()).strip("_") or "other" for step in steps)
