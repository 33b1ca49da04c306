"""Rules on people as Spark columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.config.audiences import PersonRule
from segmentation.config.rfm import Grid
from segmentation.features.measures import Measures
from segmentation.features.rules import compare_column
from segmentation.segments.named import find_segments

FEATURES = "features"
"""STRUCT column of a person's features, so that none of their names meets that of another column."""

ENTERED = "entered_segment_id"
"""Column with the segment that a person moved into with the published version."""

GRANTED = "granted"
"""ARRAY column of the purposes that a person has granted, of those that a rule asks for."""


@dataclass(frozen=True)
class Compiler:
    """Makes columns over one row a person; what they need to know of events is asked of `events`, all in one scan.

    `segments` are the published ones, id -> name; `tops`: feature and share -> from which value on a person is among
    those with most of it.
    """

    events: Measures
    segments: Mapping[str, str]
    tops: Mapping[tuple[str, float], float]

    def column(self, rule: PersonRule) -> Column:
        """BOOLEAN, never null: whether a person meets `rule`."""
        if rule.all:
            return reduce(and_, map(self.column, rule.all))
        if rule.any:
            return reduce(or_, map(self.column, rule.any))
        if rule.not_:
            return ~self.column(rule.not_)
        if rule.segment_names:
            ids = find_segments(rule.segment_names, self.segments)
            return F.coalesce(F.col(ENTERED if rule.entered else "segment_id").isin(ids), F.lit(False))
        if rule.grid is not None:
            return F.coalesce(F.col(name_in_grid(rule.grid)).isin(rule.rfm_names), F.lit(False))
        if rule.audience is not None:
            return F.col(audience_column(rule.audience))
        if rule.granted is not None:
            return F.coalesce(F.array_contains(GRANTED, rule.granted), F.lit(False))
        if rule.feature is not None and rule.top_share is not None:
            least = self.tops.get((rule.feature, rule.top_share))
            return F.coalesce(F.col(FEATURES)[rule.feature] >= F.lit(least), F.lit(False))
        if rule.feature is not None:
            return compare_column(F.col(FEATURES)[rule.feature], "number", rule)
        if days := rule.first_within_days or rule.stopped_days:
            assert rule.did is not None, "the condition's own check has made sure"
            ever, lately = (F.coalesce(self.events.count(rule.did, w), F.lit(0)) for w in (None, days))
            return (lately >= 1) & (lately == ever) if rule.first_within_days else (ever >= 1) & (lately == 0)
        number = F.coalesce(self._count(rule), F.lit(0))
        return compare_column(number, "number", rule) if rule.operator else number >= 1

    def _count(self, rule: PersonRule) -> Column:
        assert rule.did is not None, "of all forms of a condition only did is left"
        if rule.then_not is None:
            return self.events.count(rule.did, rule.window_days)
        assert rule.within_hours is not None, "then_not and within_hours go together"
        return self.events.unanswered(rule.did, rule.then_not, rule.within_hours, rule.window_days)


def name_in_grid(grid: Grid) -> str:
    """The column with the name that a person has in a grid of scores."""
    return f"{grid}_segment"


def audience_column(name: str) -> str:
    """The column that says whether a person is in an audience."""
    return f"is_{name}"
