"""`features.define`: a feature of one's own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from segmentation.config.feature_words import Words
from segmentation.config.model import Name
from segmentation.config.rules import (
    FeatureTable,
    Rule,
    check_rule,
    field_kind,
    is_attribute,
    rule_fields,
    unknown_field,
)

Aggregate = Literal[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "median",
    "first",
    "last",
    "distinct",
    "days",
    "share",
    "entropy",
    "top_share",
    "trend",
    "decayed",
]

_NUMERIC = {"sum", "mean", "min", "max", "median", "first", "last"}
_MAY_WEIGH = {"share", "trend", "decayed"}
_OVER_VALUES = {"distinct", "entropy", "top_share"}
PERSON_FIELDS = ("identifier_count", "first_seen", "last_seen")
"""What is known of a person at any date, by the events up to it."""

_OF_AGGREGATES = ("of", "where", "among", "window_days", "last_sessions", "half_life_days", "sketch")
_COMBINATIONS = ("ratio", "difference", "total", "product")


class FeatureDefinition(Words):
    """One feature of one's own: an aggregate over the rows of a table, or a combination of other features."""

    name: Name = Field(description="Its column in `features`.")
    table: FeatureTable = Field(
        "events",
        description="Whose rows it is made from. Of `persons`, who have one row each: `identifier_count`, `first_seen` "
        "and `last_seen` in days before the date, and the numbers that `attributes.NAME` have, all by the events up to "
        "it; a `count` with `where` is 1 for those whose attributes are so.",
    )
    aggregate: Aggregate | None = Field(None, description="What is made of the rows.")
    of: str | None = Field(
        None,
        description="The field that is aggregated. `share`, `trend` and `decayed` count rows without one.",
    )
    where: Rule | None = Field(None, description="Which rows count.")
    among: Rule | None = Field(None, description="Of which rows a `share` is taken. Default: all.")
    window_days: int | None = Field(None, ge=1, le=36_500, description="The last so many days. Default: all.")
    last_sessions: int | None = Field(
        None, ge=1, le=10_000, description="Of `sessions`: the person's last so many; of these, which `where` takes."
    )
    half_life_days: float | None = Field(None, gt=0, description="For `decayed`. Default: `features.half_life_days`.")
    sketch: bool = Field(
        False,
        description="For `distinct`: count by HyperLogLog sketches of 4,096 registers instead of keeping every value. "
        "Exact for a few; of many, two counts in three are within 1.6 % of the truth.",
    )
    ratio: list[Name | float] | None = Field(None, min_length=2, max_length=2, description="The first by the second.")
    difference: list[Name | float] | None = Field(
        None, min_length=2, max_length=2, description="The first less the second."
    )
    total: list[Name | float] | None = Field(None, min_length=2, description="These added up.")
    product: list[Name | float] | None = Field(None, min_length=2, description="These multiplied.")
    fill: float | None = Field(
        0.0, allow_inf_nan=False, description="Where there is nothing to measure. `null` leaves it empty."
    )

    @property
    def combination(self) -> tuple[str, list[str | float]] | None:
        """Which combination it is and of what; None: it is an aggregate."""
        return next(((kind, parts) for kind in _COMBINATIONS if (parts := getattr(self, kind))), None)

    @property
    def attributes(self) -> set[str]:
        """Those of `identity.attributes` that it is made of."""
        if self.table != "persons":
            return set()
        fields = {self.of} if self.of else set(rule_fields(self.where)) if self.where else set()
        return {field.removeprefix("attributes.") for field in fields if is_attribute(field)}

    @model_validator(mode="after")
    def _is_whole(self) -> FeatureDefinition:
        combinations = [kind for kind in _COMBINATIONS if getattr(self, kind) is not None]
        if (self.aggregate is not None) + len(combinations) != 1:
            raise ValueError(f"'{self.name}' needs exactly one of aggregate, {', '.join(_COMBINATIONS)}")
        if combinations:
            used = [key for key in _OF_AGGREGATES if getattr(self, key)]
            if used:
                raise ValueError(f"'{self.name}' is a {combinations[0]} of features: {used[0]} goes with aggregate")
        elif problem := self._misfit():
            raise ValueError(f"'{self.name}': {problem}")
        return self

    def _misfit(self) -> str | None:
        if self.table == "persons":
            return self._misfit_of_persons()
        if self.of is None and self.aggregate in _NUMERIC | _OVER_VALUES:
            return f"{self.aggregate} needs `of`, the field to aggregate"
        if self.of is not None:
            kind = field_kind(self.of, self.table)
            if kind is None:
                return unknown_field(self.of, self.table)
            if self.aggregate not in _NUMERIC | _MAY_WEIGH | _OVER_VALUES:
                return f"{self.aggregate} takes no `of`"
            if (self.aggregate not in _OVER_VALUES and kind == "flag") or kind == "time":
                return f"{self.aggregate} cannot be taken of {self.of}, which is a {kind}"
        if self.among is not None and self.aggregate != "share":
            return "among goes with share"
        if self.aggregate == "share" and self.where is None:
            return "share needs `where`: which rows the share is of"
        if self.last_sessions and self.table != "sessions":
            return "last_sessions goes with table: sessions"
        if self.sketch and self.aggregate != "distinct":
            return "sketch goes with distinct"
        if self.half_life_days is not None and self.aggregate != "decayed":
            return "half_life_days goes with decayed"
        if self.aggregate == "trend" and (self.window_days is None or self.window_days < 14):
            return "trend needs window_days of 14 or more: it compares weeks"
        return next(
            (problem for rule in (self.where, self.among) if rule and (problem := check_rule(rule, self.table))), None
        )

    def _misfit_of_persons(self) -> str | None:
        used = [key for key in _OF_AGGREGATES if key not in ("of", "where") and getattr(self, key)]
        if used:
            return f"persons have one row each: {used[0]} goes with events and sessions"
        if self.aggregate == "count":
            if self.of is not None or self.where is None:
                return "a count of persons is 1 for those who meet `where`, and takes no `of`"
            return check_rule(self.where, "persons")
        if self.where is not None:
            return "where goes with a count of persons, which is 1 for those who meet it"
        known = self.of in PERSON_FIELDS or (self.of is not None and is_attribute(self.of))
        if not known or self.aggregate not in _NUMERIC:
            return (
                f"of persons, a numeric aggregate of one of {', '.join(PERSON_FIELDS)} and attributes.NAME can be "
                "taken, or a count"
            )
        return None
