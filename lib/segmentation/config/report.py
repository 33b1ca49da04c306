"""`report`: what the report says beside its figures."""

from __future__ import annotations

from pydantic import Field, model_validator

from segmentation.config.model import Section


class LifecycleSettings(Section):
    """Where people are in their time as customers, by the features `tenure` and `recency`."""

    new_days: int = Field(30, ge=0, description="New is who was first seen at most so many days ago.")
    active_days: int = Field(30, ge=0, description="Active is whose `recency` is at most this.")
    lapsed_days: int = Field(90, ge=1, description="Lapsed is whose `recency` is more; who is between is slipping.")

    @model_validator(mode="after")
    def _in_order(self) -> LifecycleSettings:
        if self.lapsed_days <= self.active_days:
            raise ValueError("lapsed_days has to be more than active_days: who is between them is slipping")
        return self


class ReportSettings(Section):
    """Texts of the report."""

    title: str = Field("Customer segments", min_length=1, max_length=120, description="Its headline.")
    lifecycle: LifecycleSettings = Field(
        LifecycleSettings(), description="Stages of which each segment's shares are told, where both are measured."
    )
    typical_people: int = Field(
        3,
        ge=0,
        le=10,
        description="Of each segment so many people stand in the report with their `person_id` and traits, those "
        "nearest to its middle; 0: none. A report in the warehouse goes when somebody in it is erased.",
    )
    notes: list[str] = Field([], description="Paragraphs on the data that a reader must know, such as its origin.")
