"""Segments side by side: in each trait, in how far they overlap, in people's time as customers, in their attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segmentation.profiles.differences import (
    Association,
    Difference,
    measure_association,
    measure_associations,
    measure_differences,
)
from segmentation.profiles.report.cards import figure
from segmentation.profiles.report.data import STAGES, Attribute, Border, Lifecycle, ReportData
from segmentation.profiles.report.words import capital
from segmentation.profiles.wording import per_cent

_BY_CHANCE = 0.05
"""Probability from which on segments are not said to differ."""

_PART_SHADES = (0.1, 0.25, 0.5, 0.75)
"""Shares of a segment's people from which a cell is one shade stronger."""


def shade_of_part(share: float) -> int:
    """How strong the cell of a part of a segment's people is, 0 to 4."""
    return sum(share >= step for step in _PART_SHADES)


def compare_traits(data: ReportData, segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a feature, features of a family together in the order of the families' first."""
    families = list(dict.fromkeys(info.family for info in data.features))
    differences = measure_differences([s["profile"].statistics for s in segments if not s["is_fallback"]])
    rows = []
    for info in sorted(data.features, key=lambda info: families.index(info.family)):
        cells = [
            figure(info, segment["profile"].statistics[info.name], data.activity.currency)
            if info.name in segment["profile"].statistics
            else None
            for segment in segments
        ]
        known = next((cell for cell in cells if cell), None)
        if known:
            rows.append(
                {
                    "label": capital(info.label),
                    "description": info.description,
                    "cells": cells,
                    "everyone": known["everyone"],
                    "difference": _difference(differences.get(info.name)),
                }
            )
    return rows


def _difference(found: Difference | None) -> dict[str, str]:
    if found is None:
        return {"told": "–", "test": "known in one segment only"}
    told = per_cent(found.explained) if found.p_value < _BY_CHANCE else "by chance"
    return {"told": told, "test": _test(found.p_value)}


def show_borders(borders: Sequence[Border], segments: list[dict[str, Any]]) -> dict[str, Any]:
    """One row a segment: to how many of its people each other is next nearest, and how many are on the border."""
    near = {(border.segment, border.nearest): border for border in borders}
    columns = [s for s in segments if any(s["profile"].segment_id in pair for pair in near)]
    rows = []
    for segment in columns:
        own = [border for border in borders if border.segment == segment["profile"].segment_id]
        if own:
            people, unsure = sum(border.people for border in own), sum(border.ambiguous for border in own)
            beside = [near.get((segment["profile"].segment_id, s["profile"].segment_id)) for s in columns]
            cells = [_border_cell(border, people) if border else None for border in beside]
            rows.append({"segment": segment, "cells": cells, "unsure": unsure / people})
    everyone = sum(border.ambiguous for border in borders) / sum(border.people for border in borders)
    return {"columns": columns, "rows": rows, "unsure": everyone}


def _border_cell(border: Border, people: int) -> dict[str, Any]:
    share = border.people / people
    return {"share": share, "shade": shade_of_part(share), "unsure": border.ambiguous}


def show_lifecycle(data: ReportData, found: Lifecycle, segments: list[dict[str, Any]]) -> dict[str, Any]:
    """One row a segment: how many of it are in each stage; everyone in the last."""
    shown = [segment for segment in segments if segment["profile"].segment_id in found.people]
    counts = [[found.people[s["profile"].segment_id].get(stage, 0) for stage in STAGES] for s in shown]
    everyone = [sum(column) for column in zip(*counts, strict=True)]
    known = [count for segment, count in zip(shown, counts, strict=True) if not segment["is_fallback"]]
    return {
        "recency": next((info.label for info in data.features if info.name == "recency"), "recency"),
        "stages": [capital(stage) for stage in STAGES],
        "rows": [{"segment": s, "cells": _stage_cells(c)} for s, c in zip(shown, counts, strict=True)],
        "everyone": _stage_cells(everyone),
        "association": _association(measure_association(known)),
    }


def _stage_cells(counts: list[int]) -> list[dict[str, Any]]:
    people = sum(counts)
    return [{"share": count / people, "shade": shade_of_part(count / people)} for count in counts]


def show_attributes(attributes: Sequence[Attribute], segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an attribute of which it can be said how far it goes with the segments; the strongest first."""
    ids = [segment["profile"].segment_id for segment in segments if not segment["is_fallback"]]
    counts = {one.name: [one.people[segment] for segment in ids if segment in one.people] for one in attributes}
    found = measure_associations(counts)
    return [
        {
            "name": capital(name.replace("_", " ")),
            "people": sum(map(sum, counts[name])),
            "strength": one.strength,
            "told": "could be chance" if one.p_value >= _BY_CHANCE else "go together",
            "test": _test(one.p_value),
        }
        for name, one in sorted(found.items(), key=lambda item: -item[1].strength)
    ]


def _association(found: Association | None) -> str | None:
    if found is None:
        return None
    if found.p_value >= _BY_CHANCE:
        return f"How segments and stages go together could be chance ({_test(found.p_value)})"
    return f"Segments and stages go together (Cramér’s V {found.strength:.2f} of 1; {_test(found.p_value)})"


def _test(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
