"""Histograms: how high bars are, and what fits."""

from __future__ import annotations

from xml.etree import ElementTree

from segmentation.profiles.histogram import Bar, Place, histogram_chart

BARS = [Bar(10, "ten"), Bar(0, "none"), Bar(5, "five")]


def _drawn(names: list[Place], marked: list[Place], width: int = 720) -> ElementTree.Element:
    return ElementTree.fromstring(histogram_chart("Title", "Words.", BARS, names, marked, width))


def test_bars_are_as_high_as_what_they_count() -> None:
    bars = list(_drawn([], []).iter("rect"))
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights[0] == 2 * heights[2] > heights[1] == 0
    assert [bar.findtext("title") for bar in bars] == ["ten", "none", "five"]
    bottoms = {round(float(bar.attrib["y"]) + float(bar.attrib["height"]), 1) for bar in bars}
    assert len(bottoms) == 1


def test_a_name_that_would_touch_another_is_left_out() -> None:
    names = [Place(0.5, "first"), Place(0.51, "hidden"), Place(2.5, "last")]
    said = [element.text for element in _drawn(names, []).iter("text")]
    assert "first" in said
    assert "last" in said
    assert "hidden" not in said


def test_what_is_pointed_at_is_said_inside_the_drawing() -> None:
    root = _drawn([], [Place(0.2, "left", "c1"), Place(2.9, "on the right", "c1")])
    left, right = (next(e for e in root.iter("text") if e.text == said) for said in ("left", "on the right"))
    assert "end" not in left.attrib["class"]
    assert "end" in right.attrib["class"], "it would stick out of the drawing on its right"
    assert left.attrib["y"] != right.attrib["y"]
