"""Charts as the SVG that a page gets: where things lie, what is said of them, and that everything fits."""

from __future__ import annotations

import re
import warnings
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from segmentation.profiles.plots.bars import Bar, Class, Place, bar_chart, histogram_chart, small_histogram
from segmentation.profiles.plots.canvas import drawing, for_all_screens, width_of
from segmentation.profiles.plots.intervals import Interval, interval_chart
from segmentation.profiles.plots.lines import Axes, Point, Series, line_chart, round_ticks
from segmentation.profiles.plots.network import Node, Tie, network_chart
from segmentation.profiles.plots.sankey import Band, Group, sankey_chart
from segmentation.profiles.standalone import render_svg

AXES = Axes("k", "silhouette", lambda value: f"{value:.2f}")
WIDTHS = pytest.mark.parametrize("width", [330, 720])


class Drawn:
    """A chart that was drawn, as a reader of SVG sees it."""

    def __init__(self, chart: Markup) -> None:
        self.root = ElementTree.fromstring(chart)
        self.width, self.height = float(self.root.attrib["width"]), float(self.root.attrib["height"])
        self.texts = [(str(text.text), _number(text, "x"), _number(text, "y"), text) for text in self._all("text")]

    def said(self) -> dict[str, ElementTree.Element]:
        """What is said of a part -> the part: a mark, or the group of one shape."""
        return {str(tip.text): part for part in self.root.iter() if (tip := part.find("title")) is not None}

    def mark(self, said: str) -> tuple[float, float]:
        """Where the mark is of which this is said."""
        part = self.said()[said]
        use = part if part.tag == "use" else next(part.iter("use"))
        return _number(use, "x"), _number(use, "y")

    def marks(self, stroke: str) -> list[tuple[float, float]]:
        """All marks with a line of this colour."""
        return [(_number(u, "x"), _number(u, "y")) for u in self._all("use") if f"stroke: {stroke};" in _style(u)]

    def box(self, part: ElementTree.Element) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of a shape."""
        (path,) = part.iter("path")
        numbers = _numbers(path.attrib["d"])
        return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])

    def boxes(self, fill: str) -> list[tuple[float, float, float, float]]:
        """All shapes of this colour, in order."""
        return [self.box(g) for g in self._all("g") if len(g) == 1 and f"fill: {fill}" in _style(g[0])]

    def ends(self) -> list[tuple[str, float, float]]:
        """Each text with where it begins and ends, in the widest of fonts."""
        shares = {"start": 0.0, "middle": 0.5, "end": 1.0}
        found = []
        for text, x, _, element in self.texts:
            before = shares[re.findall(r"text-anchor: (\w+)", _style(element))[0]] * width_of(text)
            found.append((text, x - before, x - before + width_of(text)))
        return found

    def _all(self, tag: str) -> list[ElementTree.Element]:
        return list(self.root.iter(tag))


def _number(element: ElementTree.Element, name: str) -> float:
    return float(element.attrib[name])


def _numbers(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", path)]


def _pairs(numbers: list[float]) -> list[tuple[float, float]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _style(element: ElementTree.Element) -> str:
    return element.attrib.get("style", "") + ";"


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
    assert round_ticks(low, high) == pytest.approx(expected)


def test_points_lie_where_they_belong() -> None:
    series = [Series("one", [*_points(0.2, 0.4), Point(4, 0.3, "best", marked=True)])]
    drawn = Drawn(line_chart("Title", "Words.", series, AXES, 720))
    assert drawn.root.attrib["aria-label"] == "Title. Words."
    (x0, y0), (x1, y1), (x2, y2) = (drawn.mark(said) for said in ("2: 0.2", "3: 0.4", "best"))
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert y1 < y2 < y0, "more is higher up"
    assert y2 == pytest.approx((y0 + y1) / 2)
    assert drawn.marks("var(--ink)") == [(x2, y2)], "in a ring"


@WIDTHS
@pytest.mark.parametrize("months", [1, 2, 5, 12, 30, 90])
def test_dates_fit_beside_each_other(months: int, width: int) -> None:
    dates = [date(2015 + month // 12, month % 12 + 1, 1) for month in range(months)]
    points = [Point(day, 5.0 + number, f"{day}") for number, day in enumerate(dates)]
    axes = Axes("month", "events", str, from_zero=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = Drawn(line_chart("T", "D", [Series("events", points)], axes, width))
    bottom = max(y for text, _, y, _ in drawn.texts if text != "month" and "-" not in text)
    below = [abs(y - bottom) < 4 for _, _, y, _ in drawn.texts]
    named = [(left, right) for (_, left, right), shown in zip(drawn.ends(), below, strict=True) if shown]
    assert all(right < left for (_, right), (left, _) in pairwise(named))
    assert min(len(named), 3) >= min(months, 3), "however many there are"
    assert all(left >= 0 and right <= width for _, left, right in drawn.ends())


@WIDTHS
def test_series_differ_in_shape_and_are_named(width: int) -> None:
    names = ["a method with a long name", "another one", "<third> for $5 or $6"]
    drawn = Drawn(line_chart("T", "D", [Series(name, _points(0.1, 0.2)) for name in names], AXES, width))
    assert {text for text, *_ in drawn.texts} > set(names)
    shapes = {use.attrib["href"] for said, use in drawn.said().items() if said == "2: 0.1"}
    assert len(shapes) == 1, "of each of them the first"
    assert len({use.attrib["href"] for use in drawn._all("use")}) == 3
    assert all(left >= 0 and right <= width for _, left, right in drawn.ends())


def test_a_chart_is_drawn_for_wide_and_for_narrow_screens_and_brings_no_ids_or_styles_that_meet() -> None:
    series = [Series(name, _points(0.1, 0.2)) for name in ("one", "other")]
    page = for_all_screens(lambda width: line_chart("T", "D", series, AXES, width))
    page += for_all_screens(lambda width: line_chart("T", "Another.", series, AXES, width))
    assert re.findall(r'<div class="(\w+)"><svg [^>]*width="(\d+)"', page)[:2] == [("wide", "720"), ("narrow", "330")]
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) > 0
    assert "<style" not in page
    assert "<metadata" not in page
    assert "font-family" not in page, "the page has its own"
    assert not re.search("#[0-9a-f]{6}", re.sub('href="[^"]*"', "", page)), "colours are the page's"


def test_the_same_is_drawn_the_same() -> None:
    series = [Series("one", _points(0.1, 0.2))]
    assert line_chart("T", "D", series, AXES, 330) == line_chart("T", "D", series, AXES, 330)


def test_letters_that_no_font_or_no_page_has_do_no_harm() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bars = [Bar("顧客 \x00\ud800 👋", 1, "1\x1b"), Bar(r"$\no$ mathematics", 0, r"$\frac$ 顧")]
        drawn = Drawn(bar_chart("T\x00", "D", bars, 330))
    assert {"顧客 \ufffd\ufffd 👋", "1\ufffd", r"$\no$ mathematics", r"$\frac$ 顧"} == {t for t, *_ in drawn.texts}
    assert drawn.root.attrib["aria-label"] == "T\ufffd. D"


def test_bars_are_as_long_as_their_values_and_leave_room_for_them() -> None:
    bars = [Bar("Frequent <buyers>", 40, "40 (80 %)"), Bar("Lapsing", 10, "10 (20 %)"), Bar("None", 0, "0")]
    drawn = Drawn(bar_chart("Sizes", "Words.", bars, 330))
    assert drawn.root.attrib["aria-label"] == "Sizes. Words."
    longest, short, least = (right - left for left, _, right, _ in drawn.boxes("var(--m0)"))
    assert longest == pytest.approx(4 * short, abs=0.2)
    assert least > 0, "something is there"
    assert max(right for _, _, right in drawn.ends()) <= 330
    places = {text: y for text, _, y, _ in drawn.texts}
    assert places["Frequent <buyers>"] < places["40 (80 %)"] < places["Lapsing"] < places["10 (20 %)"] < places["None"]


BARS = [Class(10, "ten"), Class(0, "none"), Class(5, "five")]


def test_bars_of_a_histogram_are_as_high_as_what_they_count() -> None:
    drawn = Drawn(histogram_chart("T", "D", BARS, [], [], 720))
    boxes = [drawn.box(drawn.said()[said]) for said in ("ten", "none", "five")]
    heights = [bottom - top for _, top, _, bottom in boxes]
    assert heights[0] == pytest.approx(2 * heights[2])
    assert heights[1] == 0
    assert len({bottom for *_, bottom in boxes}) == 1


def test_a_name_that_would_touch_another_is_left_out() -> None:
    names = [Place(0.5, "first"), Place(0.51, "hidden"), Place(2.5, "last")]
    said = {text for text, *_ in Drawn(histogram_chart("T", "D", BARS, names, [], 720)).texts}
    assert {"first", "last"} < said
    assert "hidden" not in said


@WIDTHS
def test_what_is_pointed_at_is_said_inside_the_drawing(width: int) -> None:
    marked = [Place(0.2, "left", "c1"), Place(2.9, "on the right", "c1")]
    drawn = Drawn(histogram_chart("T", "D", BARS, [], marked, width))
    places = {text: (x, y) for text, x, y, _ in drawn.texts}
    (left_at, left_y), (right_at, right_y) = places["left"], places["on the right"]
    assert left_at < right_at
    assert left_y != right_y
    assert all(left >= 0 and right <= width for _, left, right in drawn.ends())


def test_a_small_histogram_says_its_ends() -> None:
    drawn = Drawn(small_histogram("From 1 to 9.", BARS, ("1 day", "9 days"), 300, 64))
    assert [(text, round(left), round(right)) for text, left, right in drawn.ends()] == [
        ("1 day", 0, round(width_of("1 day"))),
        ("9 days", round(300 - width_of("9 days")), 300),
    ]
    assert list(drawn.said()) == ["ten", "none", "five"]
    assert drawn.box(drawn.said()["ten"])[3] < min(y for _, _, y, _ in drawn.texts) - 8


@WIDTHS
def test_an_interval_reaches_from_end_to_end_and_nothing_is_ruled(width: int) -> None:
    intervals = [Interval("everyone", -1, 1, 3, "+1 (-1 to +3)"), Interval("Loyal", 2, 3, 4, "+3 (+2 to +4)")]
    drawn = Drawn(interval_chart("Lift", "Words.", intervals, "points", width))
    (x1, y1), (x2, y2) = (drawn.mark(one.text) for one in intervals)
    assert y1 < y2
    blue = [path.attrib["d"] for path in drawn._all("path") if "stroke: var(--m0)" in _style(path)]
    lines = sorted(_numbers(path) for path in blue if path.count("L") == 1 and "C" not in path)
    (low1, _, high1, _), (low2, _, high2, _) = lines
    assert (low1 + high1) / 2 == pytest.approx(x1)
    assert (low2 + high2) / 2 == pytest.approx(x2)
    assert high1 - low1 == pytest.approx(2 * (high2 - low2))
    (rule,) = (path for path in drawn._all("path") if "stroke: var(--soft)" in _style(path))
    assert _numbers(rule.attrib["d"])[0] == pytest.approx((low1 + x1) / 2), "at 0"
    assert all(left >= 0 and right <= width for _, left, right in drawn.ends())


@pytest.mark.parametrize("count", [2, 3, 9, 60])
@WIDTHS
def test_a_network_fits_and_its_lines_end_at_its_nodes(count: int, width: int) -> None:
    nodes = [Node(f"cookie {number:07}", number % 2) for number in range(count)]
    ties = [Tie(0, 1, "seen 3 times"), Tie(0, count - 1, "seen once", cut=True)]
    drawn = Drawn(network_chart("T", "D", nodes, ties, width))
    assert len(drawn.texts) == count
    assert all(left >= 0 and right <= width for _, left, right in drawn.ends())
    assert all(0 < y < drawn.height for _, _, y, _ in drawn.texts)
    kept, cut = (next(drawn.said()[tie.label].iter("path")) for tie in ties)
    assert "dasharray" in _style(cut)
    assert "dasharray" not in _style(kept)
    first = drawn.marks("var(--m0)")[0]
    for path in (kept, cut):
        assert tuple(_numbers(path.attrib["d"])[:2]) == pytest.approx(first)


@WIDTHS
def test_bands_are_as_thick_as_what_flows_and_end_at_their_bars(width: int) -> None:
    left, right = [Group("Loyal", "c0"), Group("Lapsing", "c1")], [Group("Loyal", "c0"), Group("gone", "fallback")]
    bands = [Band(0, 0, 60, "a", quiet=True), Band(0, 1, 30, "b"), Band(1, 0, 10, "c <d>")]
    drawn = Drawn(sankey_chart("T", "D", left, right, bands, width))
    bars = [box for hue in ("c0", "c1", "fallback") for box in drawn.boxes(f"var(--{hue})") if box[2] - box[0] == 12]
    heights = [round(bottom - top, 3) for _, top, _, bottom in bars]
    assert heights == [270, 210, 30, 90], "300 for a hundred"
    assert max(bottom for *_, bottom in bars) <= drawn.height
    said = {label: next(part.iter("path")).attrib for label, part in drawn.said().items()}
    assert "opacity: 0.22" in said["a"]["style"]
    assert "fill: var(--c0)" in said["a"]["style"]
    assert "opacity: 0.6" in said["c <d>"]["style"]
    assert "fill: var(--c1)" in said["c <d>"]["style"]
    corners = {label: _pairs([round(number, 1) for number in _numbers(path["d"])]) for label, path in said.items()}
    assert corners["a"][0] == (12, round(bars[0][1], 1))
    assert corners["b"][0] == (12, round(bars[0][1] + 180, 1)), "under the first band of the same bar"
    assert (width - 12, round(bars[1][1] + 210, 1)) in corners["c <d>"], "under the other band of its bar"
    assert [(text, start, end) for text, start, end in drawn.ends() if text == "Loyal"] == [
        ("Loyal", 0, pytest.approx(width_of("Loyal"))),
        ("Loyal", pytest.approx(width - width_of("Loyal")), width),
    ]


def test_a_drawing_by_itself_is_whole_and_has_its_colours() -> None:
    root = ElementTree.fromstring(render_svg(drawing("T", "D", 9, 9, lambda canvas: None)))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "--m0:" in str(root[0].text)
    assert root.attrib["width"] == "9"
