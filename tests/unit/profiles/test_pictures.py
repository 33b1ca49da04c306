"""Bars and networks: where things lie, and that everything fits."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from segmentation.profiles.bars import Bar, bar_chart
from segmentation.profiles.network import Node, Tie, network_chart


def test_bars_are_as_long_as_their_values_and_leave_room_for_them() -> None:
    bars = [Bar("Frequent <buyers>", 40, "40 (80 %)"), Bar("Lapsing", 10, "10 (20 %)"), Bar("None", 0, "0")]
    root = ElementTree.fromstring(bar_chart("Sizes", "Words.", bars, 330))
    assert root.attrib["aria-label"] == "Sizes. Words."
    longest, short, least = (float(e.attrib["width"]) for e in root.iter("rect"))
    assert longest == pytest.approx(4 * short, abs=0.2)
    assert least > 0, "something is there"
    ends = [float(e.attrib["x"]) + 6.6 * len(str(e.text)) for e in root.iter("text")]
    assert max(ends) <= 330
    assert [e.text for e in root.iter("text")][:2] == ["Frequent <buyers>", "40 (80 %)"]


@pytest.mark.parametrize("count", [2, 3, 9, 60])
@pytest.mark.parametrize("width", [330, 720])
def test_a_network_fits_and_its_lines_end_at_its_nodes(count: int, width: int) -> None:
    nodes = [Node(f"cookie {number:07}", number % 2) for number in range(count)]
    ties = [Tie(0, 1, "seen 3 times"), Tie(0, count - 1, "seen once", cut=True)]
    root = ElementTree.fromstring(network_chart("T", "D", nodes, ties, width))
    height = float(root.attrib["height"])
    names = list(root.iter("text"))
    assert len(names) == count
    for name in names:
        x, y = float(name.attrib["x"]), float(name.attrib["y"])
        span = 6.6 * len(str(name.text))
        assert (x - span if "end" in name.attrib["class"] else x) >= 0
        assert (x if "end" in name.attrib["class"] else x + span) <= width
        assert 0 < y < height
    first, second = root.iter("line")
    assert (first.attrib["class"], second.attrib["class"]) == ("tie", "tie cut")
    assert (first.attrib["x1"], first.attrib["y1"]) == (second.attrib["x1"], second.attrib["y1"])
