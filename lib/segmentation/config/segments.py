"""`segments`: how versions are assigned, named and let through."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field, field_validator, model_validator

from segmentation.config.clustering import Share
from segmentation.config.conditions import Condition
from segmentation.config.model import Name, Section
from segmentation.config.rules import MAX_PARTS


class Fallback(Section):
    """The segment of people who are out of scope, or of whom nothing is known."""

    segment_id: Name = Field("unassigned", description="Its id.")
    name: str = Field("Not enough activity", min_length=1, description="Its name.")


class SetApart(Section):
    """The segment of outliers, where `clustering.outliers` sets them apart."""

    segment_id: Name = Field("outliers", description="Its id.")
    name: str = Field("Unlike the others", min_length=1, description="Its name.")


class SegmentRule(Section):
    """What is decided of some people, whatever the model says: forced, forbidden, merged or split.

    Segments are given by id, or by the name that they have in the published version.
    """

    name: Name = Field(description="Its name in `segments.rule`.")
    of: list[str] = Field(
        [],
        max_length=MAX_PARTS,
        description="Only people whom the model puts into one of these segments. Default: wherever it puts them.",
    )
    when: list[Condition] = Field(
        [], max_length=MAX_PARTS, description="Only people who meet all of these. Default: everyone."
    )
    into: str | None = Field(
        None, min_length=1, description="They are in this segment: one that is there, or, by a new id, one of its own."
    )
    not_in: str | None = Field(
        None,
        min_length=1,
        description="The model may not put them into this segment: they are in the nearest other that is open to them; "
        "nor may a rule further down.",
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> SegmentRule:
        if (self.into is None) == (self.not_in is None):
            raise ValueError("needs either into or not_in")
        if not self.of and not self.when:
            raise ValueError("is about everyone: say which people with of or when")
        return self

    @property
    def merged(self) -> list[str]:
        """The segments that it leaves nobody in."""
        return [] if self.when or self.into is None else [segment for segment in self.of if segment != self.into]


class Gates(Section):
    """What a candidate version must pass to be published."""

    max_moved_share: Share = Field(0.15, description="Most people in both versions who may change segment.")
    min_segment_share: Share = Field(
        0.01,
        description="Least share of the people in a segment of the model; with `clustering.parts`, of the people of a "
        "part in one of its segments.",
    )
    max_segment_share: Share = Field(0.7, description="Greatest share of the people in a segment of the model.")
    min_coverage: Share = Field(
        0.5, description="Least share of the people whom the model places (the others get the fallback)."
    )
    min_stability: Share | None = Field(
        None,
        description="Least agreement of the model with its refits (mean adjusted Rand index), where it is new.",
    )
    max_drift: float | None = Field(
        None,
        ge=0,
        description="Greatest population stability index of a feature of the model against the dates before, as in "
        "`feature_profiles`: beyond 0.25 people are usually said to have changed.",
    )
    max_age_days: int | None = Field(
        None, ge=0, description="Most days from the newest event to the date that is scored."
    )
    max_group_difference: Share | None = Field(
        None,
        description="Most that the people of a group of `segments.fairness` may be spread over the segments otherwise "
        "than everyone: the share of them who would have to be elsewhere.",
    )


class Fairness(Section):
    """Groups of people who should be in the segments alike."""

    attributes: list[Name] = Field(
        [], description="Attributes of `persons.attributes`; each of their values is a group."
    )
    min_people: int = Field(100, ge=2, description="Groups of fewer people are not looked at.")


class SegmentSettings(Section):
    """Assignment, names and publication gates."""

    scope: list[Condition] = Field(
        [], max_length=MAX_PARTS, description="Who is segmented: people who meet all of these. Default: everyone."
    )
    purpose: Name | None = Field(
        None,
        description="What people must have granted to be segmented, such as `profiling` (see `consent`): nobody else "
        "is fitted on, placed by model or rule, or delivered. Default: nothing.",
    )
    fallback: Fallback = Field(Fallback(), description="The segment of everyone else.")
    outliers: SetApart = Field(
        SetApart(), description="The segment of outliers, where `clustering.outliers` sets them apart."
    )
    match_threshold: Share = Field(
        0.3,
        description="Least overlap (Jaccard index of the people) for a new cluster to carry on a published segment.",
    )
    ambiguous_margin: Share = Field(0.05, description="People whose margin is below are marked as ambiguous.")
    rules: list[SegmentRule] = Field(
        [], description="Decisions on top of the model. Of those that take a person into a segment the first holds."
    )
    placed_by: Literal["model", "rules"] = Field(
        "model",
        description="Where people are of whom no rule decides: where the model puts them, or, with `rules`, in the "
        "fallback, so that the segments are those of the rules alone; `model_segment_id` has the model's beside them.",
    )
    names: dict[Name, str] = Field({}, description="Segment id -> a name of your own in place of the found one.")
    fairness: Fairness = Field(Fairness(), description="Whose spread over the segments `max_group_difference` judges.")
    gates: Gates = Field(Gates(), description="What a candidate must pass to be published.")

    @field_validator("rules")
    @classmethod
    def _have_names_of_their_own(cls, rules: list[SegmentRule]) -> list[SegmentRule]:
        if twice := [name for name, times in Counter(rule.name for rule in rules).items() if times > 1]:
            raise ValueError(f"two rules are called '{twice[0]}'")
        return rules

    @model_validator(mode="after")
    def _are_there(self) -> SegmentSettings:
        if self.placed_by == "rules" and not self.rules:
            raise ValueError("placed_by: rules needs rules")
        if self.outliers.segment_id == self.fallback.segment_id:
            raise ValueError(f"outliers and fallback have the same segment_id, '{self.fallback.segment_id}'")
        if self.gates.max_group_difference is not None and not self.fairness.attributes:
            raise ValueError("gates.max_group_difference needs fairness.attributes: whose groups?")
        return self
