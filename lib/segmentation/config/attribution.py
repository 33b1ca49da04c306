"""`attribution`: what led people to convert, by channel; `segmentation attribution` reckons it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from segmentation.config.model import Section
from segmentation.config.rules import Rule, check_rule, field_kind


class AttributionSettings(Section):
    """What counts as a touch of which channel, and what as a conversion."""

    channel: str = Field(
        description="The field that names the channel of an event, such as `properties.channel` or `platform`; an "
        "event without one is no touch."
    )
    touches: Rule | None = Field(None, description="Which events are touches. Default: all that name a channel.")
    conversion: Rule | None = Field(None, description="Which events convert. Default: `features.purchase`.")
    window_days: int = Field(30, ge=1, le=3650, description="A touch counts for so many days.")
    half_life_days: float = Field(7, gt=0, le=3650, description="For time decay: after so many days it counts half.")

    @model_validator(mode="after")
    def _is_of_events(self) -> Self:
        if field_kind(self.channel, "events") != "text":
            raise ValueError(f"channel needs a text field of events, and {self.channel} is none")
        for rule in (self.touches, self.conversion):
            if rule is not None and (problem := check_rule(rule, "events")):
                raise ValueError(problem)
        return self
