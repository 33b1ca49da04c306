"""The report's section on journeys: what follows what, and the ways to the target and away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from segmentation.config.journeys import END, OTHER, START
from segmentation.profiles.report.data import Journeys, OwnJourneys, Way

_SHADES = (0.05, 0.15, 0.3, 0.5)
"""Shares of what followed from which a cell is one shade stronger."""

_MOST_STEPS, _MOST_WAYS = 9, 8


def show_journeys(journeys: Journeys, segments: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A table of the commonest steps by what followed them, the commonest ways, and those of each of the `segments`."""
    taken = Counter[str]()
    for step in journeys.steps:
        taken[step.before] += step.times
    started = taken[START]
    reached = [way for way in journeys.ways if way.reached]
    converted = round(reached[0].journeys / reached[0].share) if reached else 0
    targets = Counter[str]()
    for way in reached:
        targets[way.steps[-1]] += way.journeys
    target = targets.most_common(1)[0][0] if targets else None
    shown = [step for step, _ in taken.most_common(_MOST_STEPS + 1) if step not in (START, target)][:_MOST_STEPS]
    shares = {(step.before, step.after): step for step in journeys.steps}
    after = [*shown, *([target] if target else []), END]
    rows = [
        {
            "name": words(before),
            "times": taken[before],
            "cells": [_cell(found.share if (found := shares.get((before, step))) else 0.0) for step in after],
        }
        for before in (START, *shown)
    ]
    ended = [step for step in journeys.steps if step.after == END]
    left = sum(step.times for step in ended)
    return {
        "days": journeys.days,
        "repeats": journeys.repeats,
        "journeys": started,
        "share": converted / started if started else 0.0,
        "target": words(target) if target else None,
        "columns": [words(step) for step in after],
        "rows": rows,
        "ways": [_way(way) for way in reached[:_MOST_WAYS]],
        "away": [_way(way) for way in journeys.ways if not way.reached][:_MOST_WAYS],
        "segments": [
            {"segment": segment, **_own(own)}
            for segment in segments
            if (own := journeys.segments.get(segment["profile"].segment_id))
        ],
        "ends": [(words(step.before), step.share, step.times / left) for step in ended[:_MOST_WAYS]],
    }


def words(step: str) -> str:
    """A step as people say it."""
    return {START: "at the start", END: "left", OTHER: "something else"}.get(step, step.replace("_", " "))


def _own(own: OwnJourneys) -> dict[str, Any]:
    """What the people of one segment do; of the ways to the target and away, the commonest."""
    first = {way.reached: _way(way) for way in reversed(own.ways)}
    return {
        "journeys": own.journeys,
        "share": own.reached / own.journeys,
        "way": first.get(True),
        "away": first.get(False),
    }


def _cell(share: float) -> dict[str, Any]:
    return {"share": share, "shade": sum(share >= step for step in _SHADES)}


def _way(way: Way) -> dict[str, Any]:
    return {"steps": [words(step) for step in way.steps], "journeys": way.journeys, "share": way.share}
