"""Bounds on features, by which people are kept, left out or decided of."""

from __future__ import annotations

from pydantic import Field, model_validator

from segmentation.config.model import Name, Section


class Condition(Section):
    """One bound on one feature; a person without the feature does not meet it."""

    feature: Name = Field(description="A column of `features`.")
    at_least: float | None = Field(None, description="Least value that is in.")
    at_most: float | None = Field(None, description="Greatest value that is in.")

    @model_validator(mode="after")
    def _bounded(self) -> Condition:
        if self.at_least is None and self.at_most is None:
            raise ValueError("needs at_least or at_most")
        return self
