"""`features.rfm`: people scored by recency, frequency and money, and named by the usual grid of the scores.

Who never bought has no place there, and may have one by what they do (`engagement`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from segmentation.config.model import Name, Section

Grid = Literal["rfm", "rfm_engagement"]
"""A table of scores: of those who bought, and of whoever does anything."""

GRIDS: tuple[Grid, ...] = get_args(Grid)

Edges = Annotated[list[float], Field(min_length=1, max_length=9)]

RFM_GRID: dict[str, tuple[str, ...]] = {
    "Champions": ("55", "54"),
    "Loyal": ("45", "44", "35", "34"),
    "Potential loyalists": ("53", "52", "43", "42"),
    "New": ("51",),
    "Promising": ("41",),
    "Need attention": ("33",),
    "About to sleep": ("32", "31"),
    "Cannot lose them": ("25", "15"),
    "At risk": ("24", "23", "14", "13"),
    "Hibernating": ("22", "21", "12", "11"),
}
"""Name -> cells of the grid, the scores of recency and of frequency, 5 being best."""

_DIMENSIONS = ("recency", "frequency", "monetary")


class RfmEdges(Section):
    """Where one score ends and the next begins, ascending; what is left out is found as quantiles."""

    recency: Edges | None = Field(None, description="Edges of `recency`; few of it is best.")
    frequency: Edges | None = Field(None, description="Edges of `frequency`.")
    monetary: Edges | None = Field(None, description="Edges of `monetary`.")


class RfmScores(Section):
    """What is scored, and where one score ends and the next begins."""

    recency: Name = Field("recency", description="The feature that is scored for recency: few of it is best.")
    frequency: Name = Field("frequency", description="For frequency. Who has 0 of it gets no scores.")
    monetary: Name = Field("monetary", description="For money.")
    scores: int = Field(5, ge=2, le=9, description="Scores go from 1 to this. The names are of a grid of 5.")
    edges: RfmEdges = Field(RfmEdges(), description="Edges of one's own, one fewer than scores.")
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = Field(
        "linear", description="What an edge is where a quantile falls between two values, as in NumPy."
    )
    edge_belongs: Literal["below", "above"] = Field(
        "below",
        description="Whether a value that is an edge has the score below it or above. Equal values always have equal "
        "scores.",
    )

    @model_validator(mode="after")
    def _edges_fit(self) -> Self:
        for name in _DIMENSIONS:
            edges = getattr(self.edges, name)
            if edges is None:
                continue
            if len(edges) != self.scores - 1:
                need = self.scores - 1
                raise ValueError(f"edges.{name} has {len(edges)} values, and {self.scores} scores have {need}")
            if sorted(set(edges)) != edges:
                raise ValueError(f"edges.{name} must rise from each value to the next")
        return self

    @property
    def features(self) -> dict[str, str]:
        """What is scored -> the feature."""
        return {name: getattr(self, name) for name in _DIMENSIONS}


class EngagementRfm(RfmScores):
    """The same of what people do, whether they buy or not."""

    recency: Name = Field("inactivity", description="The feature that is scored for recency: few of it is best.")
    frequency: Name = Field("days_active", description="For frequency. Who has 0 of it gets no scores.")
    monetary: Name = Field("engagement", description="For how much they do, in the place of money.")


class RfmSettings(RfmScores):
    """Who gets which scores."""

    engagement: EngagementRfm | None = Field(
        None,
        description="Everyone who does anything, who never bought too, is scored by this beside: in the table "
        "`rfm_engagement`. Default: nobody.",
    )
