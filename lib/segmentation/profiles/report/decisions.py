"""The report's section on rules: of whom they decided, and where the model alone would have people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from segmentation.profiles.report.comparisons import shade_of_part
from segmentation.profiles.report.data import Decisions


def show_decisions(decisions: Decisions, segments: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """People by rule, and a row a segment: where the model alone has its people, as shares of the row.

    What the model finds and rules leave empty is none of the `segments`, and goes by its id.
    """
    everyone = sum(decisions.together.values())
    decided = sum(decisions.people.values())
    shown = {segment["profile"].segment_id: segment for segment in segments}
    columns = _in_order((by_model for _, by_model in decisions.together), shown)
    return {
        "people": decided,
        "share": decided / everyone,
        "rules": [(rule, people, people / everyone) for rule, people in decisions.people.items()],
        "columns": [_label(segment_id, shown) for segment_id in columns],
        "rows": [
            {"label": _label(segment_id, shown), "cells": _cells([_people(decisions, segment_id, c) for c in columns])}
            for segment_id in _in_order((segment for segment, _ in decisions.together), shown)
        ],
        "agreement": decisions.agreement,
    }


def _in_order(found: Iterable[str], shown: Mapping[str, Any]) -> list[str]:
    """As the segments are shown; what is none of them last."""
    position = {segment_id: number for number, segment_id in enumerate(shown)}
    return sorted(set(found), key=lambda segment_id: (position.get(segment_id, len(position)), segment_id))


def _label(segment_id: str, shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    segment = shown.get(segment_id)
    return {"segment": segment, "name": segment["profile"].name if segment else segment_id}


def _people(decisions: Decisions, segment_id: str, by_model: str) -> int:
    return decisions.together.get((segment_id, by_model), 0)


def _cells(counts: Sequence[int]) -> list[dict[str, Any]]:
    people = sum(counts)
    shares = [count / people for count in counts]
    return [
        {"people": count, "share": share, "shade": shade_of_part(share)}
        for count, share in zip(counts, shares, strict=True)
    ]
