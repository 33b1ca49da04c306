"""Segments by id or name."""

from __future__ import annotations

import pytest

from segmentation.contracts.errors import ConfigError
from segmentation.segments.named import choose_segments

NAMES = {"s-1": "High-value, lapsing", "s-2": "Occasional deal-seekers"}


def test_segments_are_chosen_by_id_or_name() -> None:
    assert choose_segments([], NAMES, "exports.0.segments") is None
    assert choose_segments(["occasional deal-seekers", "s-1", "s-2"], NAMES, "exports.0.segments") == ["s-1", "s-2"]
    with pytest.raises(ConfigError) as error:
        choose_segments(["High-value lapsing", "s-9"], NAMES, "exports.0.segments")
    assert [problem.suggestion for problem in error.value.problems] == ["High-value, lapsing", "s-2"]
    assert "exports.0.segments: no published segment has the id or name 'High-value lapsing'" in str(error.value)
