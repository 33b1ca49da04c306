"""Charts: where points lie, and what fits."""

from __future__ import annotations

import calendar
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from segmentation.profiles.svg import Axes, Point, Series, figure, line_chart, ticks

AXES = Axes("k", "silhouette", lambda value: f"{value:.2f}")


def _points(*values: float) -> list[Point]:
    return [Point(x, y, f"{x}: {y}") for x, y in enumerate(values, start=2)]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 153_000.0, [0, 50_000, 100_000, 150_000, 200_000]),
        (0.22, 0.39, [0.2, 0.25, 0.3, 0.35, 0.4]),
        (-3.0, 4.0, [-4, -2, 0, 2, 4]),
        (7.0, 7.0, [2, 4, 6, 8, 10, 12]),
        (0.0, 0.0, [-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6]),
    ],
)
def test_ticks_are_round_and_take_in_both_ends(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_points_lie_where_they_belong() -> None:
    series = [Series("one", [*_points(0.2, 0.4), Point(4, 0.3, "best", marked=True)])]
    root = ElementTree.fromstring(line_chart("Title", "Words.", series, AXES, 720))
    assert root.attrib["aria-label"] == "Title. Words."
    line = next(element for element in root.iter("polyline"))
    (x0, y0), (x1, y1), (x2, y2) = (map(float, pair.split(",")) for pair in line.attrib["points"].split())
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y1 < y2 < y0, "more is higher up"
    assert y2 == pytest.approx((y0 + y1) / 2, abs=0.2)
    (ring,) = [e for e in root.iter("circle") if e.attrib["class"] == "ring"]
    assert (float(ring.attrib["cx"]), float(ring.attrib["cy"])) == (x2, y2)


def test_names_fit_beside_each_other() -> None:
    months = [f"{month} 17" for month in calendar.month_abbr[1:]]
    axes = Axes("month", "events", str, months, from_zero=True)
    points = [Point(number, 5.0 + number, "") for number in range(12)]
    for width, most in ((720, 12), (330, 6)):
        drawn = line_chart("T", "D", [Series("events", points)], axes, width)
        shown = [e for e in ElementTree.fromstring(drawn).iter("text") if e.text in months]
        places = [float(e.attrib["x"]) for e in shown]
        assert 2 < len(shown) <= most
        assert min(b - a for a, b in pairwise(places)) > 6.6 * len("Jan 17")
    assert shown[0].text == "Jan 17"


def test_series_differ_in_shape_and_are_named() -> None:
    series = [Series(name, _points(0.1, 0.2)) for name in ("a method with a long name", "another one", "<third>")]
    drawn = figure(lambda width: line_chart("T", "D", series, AXES, width))
    for shape in ("circle", "rect", "polygon"):
        assert f"<{shape} " in drawn
    assert "&lt;third&gt;" in drawn
    assert len(re.findall(r'<div class="(?:wide|narrow)">', drawn)) == 2
