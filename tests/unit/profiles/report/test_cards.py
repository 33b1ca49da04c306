"""A segment's card: what sets it apart."""

from __future__ import annotations

from dataclasses import replace

from tests.reports import report_data

from segmentation.profiles.report.cards import show_card
from segmentation.profiles.statistics import FeatureStatistics


def _bars(**medians: float) -> list[str]:
    """Labels of a segment's bars. Each feature has a mean of 12 against everyone's 10, and a deviation of 4."""
    data = report_data()
    figures = {name: FeatureStatistics(100, 12, median, 4, 0.5, 10, 10) for name, median in medians.items()}
    return [bar["label"] for bar in show_card(replace(data.segments[0], statistics=figures), 0, data)["bars"]]


def test_a_bar_stands_where_the_figures_beside_it_differ_too() -> None:
    assert _bars(recency=12, monetary=10.3, frequency=9, tenure=10.1) == [
        "Spend",
        "Days since the last purchase",
    ]
