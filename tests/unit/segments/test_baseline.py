"""Names in use: all stay, and those that nobody gave were found."""

from __future__ import annotations

from typing import Any

from segmentation.config.segments import SegmentSettings
from segmentation.segments.baseline import Baseline, found_names, kept_names


def test_names_in_use_stay_and_those_that_nobody_gave_were_found() -> None:
    settings, own = SegmentSettings(names={"s_2": "Frequent"}), {"recent": "Recent"}
    beside = {settings.outliers.segment_id: settings.outliers.name, settings.fallback.segment_id: "Typical"}
    rest: Any = None
    baseline = Baseline(rest, rest, rest, {"s_1": "High-value", "s_2": "Occasional", **own, **beside})
    kept = {"s_1": "High-value", "s_2": "Frequent", **own, **beside}
    assert kept_names(baseline, own, settings) == {**kept, settings.fallback.segment_id: settings.fallback.name}
    assert found_names(baseline, own, settings) == {"s_1"}
    assert found_names(None, own, settings) == set()
