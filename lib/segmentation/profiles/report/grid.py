"""The report's grids of recency and frequency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segmentation.config.rfm import RFM_GRID
from segmentation.profiles.report.data import Rfm, RfmCell
from segmentation.profiles.wording import number

_NAMES = {cell: name for name, cells in RFM_GRID.items() for cell in cells}

_RFM_STEPS = (0.005, 0.03, 0.06, 0.1)
"""Shares of people from which a cell of the grid is one shade stronger; of 25 alike each would have 0.04."""


def show_grid(grid: Rfm, segments: list[dict[str, Any]]) -> dict[str, Any]:
    """The grid, the most recent at the top and the most frequent on the right, and a row for each name in it."""
    cells = {(cell.recency, cell.frequency): cell for cell in grid.cells}
    people, money = sum(cell.people for cell in grid.cells), sum(cell.money for cell in grid.cells)
    hues = {segment["profile"].segment_id: segment for segment in segments}
    scores = range(1, 6)
    return {
        "people": people,
        "columns": [_range([c.times for c in grid.cells if c.frequency == score]) for score in scores],
        "rows": [
            {
                "days": _range([c.days for c in grid.cells if c.recency == score]),
                "cells": [
                    _rfm_cell(_NAMES[f"{score}{frequency}"], cells.get((score, frequency)), people)
                    for frequency in scores
                ],
            }
            for score in reversed(scores)
        ],
        "names": [
            {
                "name": name,
                "people": sum(cell.people for cell in mine),
                "share": sum(cell.people for cell in mine) / people,
                "money": sum(cell.money for cell in mine) / money if money else None,
                "mostly": _mostly(grid.segments.get(name, {}), hues),
            }
            for name in RFM_GRID
            if (mine := [cell for cell in grid.cells if cell.name == name])
        ],
    }


def _rfm_cell(name: str, cell: RfmCell | None, people: int) -> dict[str, Any]:
    share = cell.people / people if cell else 0.0
    return {"name": name, "people": cell.people if cell else 0, "shade": sum(share >= step for step in _RFM_STEPS)}


def _range(ranges: list[tuple[float, float]]) -> str:
    if not ranges:
        return "–"
    low, high = number(min(low for low, _ in ranges)), number(max(high for _, high in ranges))
    return low if low == high else f"{low} to {high}"


def _mostly(segments: Mapping[str | None, int], shown: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The segment in which most of them are, and which share of them."""
    known = {segment_id: people for segment_id, people in segments.items() if segment_id in shown}
    if not known:
        return None
    segment_id, people = max(known.items(), key=lambda item: (item[1], str(item[0])))
    return {"segment": shown[str(segment_id)], "share": people / sum(segments.values())}
