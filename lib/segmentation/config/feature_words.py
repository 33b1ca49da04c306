"""What a configuration says of a feature beside what is measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segmentation.config.model import Section


class Words(Section):
    """How a feature is spoken of; what is left out is made from its name."""

    label: str | None = Field(None, description="Its name for people.")
    unit: str | None = Field(None, description="`share`, `money`, `days`, or what is counted (`visits`).")
    description: str | None = Field(None, description="What it says, in one sentence.")
    family: str | None = Field(None, description="Features of one family say nearly the same.")
    high: str | None = Field(None, description="What people with much of it are called in a segment's name.")
    low: str | None = Field(None, description="What people with little of it are called in a segment's name.")
    phrase: str | None = Field(None, description="Said behind “they”, with {value} or {times}: `spend {times}`.")
    owner: str | None = Field(None, description="Who answers for it.")
    sensitivity: Literal["none", "personal", "sensitive"] = Field("none", description="How it must be handled.")
