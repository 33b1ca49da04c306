"""`segments`: how versions are assigned, named and let through."""

from __future__ import annotations

from pydantic import Field, model_validator

from segmentation.config.clustering import Share
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


class Fallback(Section):
    """The segment of people who are out of scope, or of whom nothing is known."""

    segment_id: Name = Field("unassigned", description="Its id.")
    name: str = Field("Not enough activity", min_length=1, description="Its name.")


class Gates(Section):
    """What a candidate version must pass to be published."""

    max_moved_share: Share = Field(0.15, description="Most people in both versions who may change segment.")
    min_segment_share: Share = Field(0.01, description="Least share of the people in a segment of the model.")
    max_segment_share: Share = Field(0.7, description="Greatest share of the people in a segment of the model.")
    min_coverage: Share = Field(
        0.5, description="Least share of the people whom the model places (the others get the fallback)."
    )


class SegmentSettings(Section):
    """Assignment, names and publication gates."""

    scope: list[Condition] = Field([], description="Who is segmented: people who meet all of these. Default: everyone.")
    fallback: Fallback = Field(Fallback(), description="The segment of everyone else.")
    match_threshold: Share = Field(
        0.3,
        description="Least overlap (Jaccard index of the people) for a new cluster to carry on a published segment.",
    )
    ambiguous_margin: Share = Field(0.05, description="People whose margin is below are counted as ambiguous.")
    names: dict[Name, str] = Field({}, description="Segment id -> a name of your own in place of the found one.")
    gates: Gates = Field(Gates(), description="What a candidate must pass to be published.")
