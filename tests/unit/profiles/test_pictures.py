"""Bars and networks: where things lie, and that everything fits."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from segmentation.profiles.bars import Bar, bar_chart
from segmentation.profiles.network import Node, Tie, network_chart
from segmentation.profiles.sankey import Band, Group, sankey_chart
from segmentation.profiles.standalone import render_svg


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


@pytest.mark.parametrize("width", [330, 720])
def test_bands_are_as_thick_as_what_flows_and_end_at_their_bars(width: int) -> None:
    left, right = [Group("Loyal", "c0"), Group("Lapsing", "c1")], [Group("Loyal", "c0"), Group("gone", "fallback")]
    bands = [Band(0, 0, 60, "a", quiet=True), Band(0, 1, 30, "b"), Band(1, 0, 10, "c <d>")]
    root = ElementTree.fromstring(sankey_chart("T", "D", left, right, bands, width))
    bars = [{name: float(bar.attrib[name]) for name in ("x", "y", "width", "height")} for bar in root.iter("rect")]
    assert [bar["height"] for bar in bars] == [270, 30, 210, 90], "300 for a hundred"
    assert max(bar["y"] + bar["height"] for bar in bars) <= float(root.attrib["height"])
    paths = {path[0].text: path.attrib for path in root.iter("path")}
    assert paths["a"]["class"] == "band c0 quiet"
    assert paths["c <d>"]["class"] == "band c1"
    starts = {label: path["d"].split()[0] for label, path in paths.items()}
    assert starts["a"] == f"M12,{bars[0]['y']}"
    assert starts["b"] == f"M12,{bars[0]['y'] + 180}", "under the first band of the same bar"
    assert f"{width - 12},{bars[2]['y'] + 180} V{bars[2]['y'] + 210}" in paths["c <d>"]["d"]
    names = [(text.text, text.attrib["class"], text.attrib["x"]) for text in root.iter("text")]
    assert names[::2] == [("Loyal", "name", "0"), ("Loyal", "name end", str(width))]


def test_a_drawing_by_itself_is_whole_and_has_its_colours() -> None:
    root = ElementTree.fromstring(render_svg(Markup('<svg role="img" width="9"><rect class="bar"/></svg>')))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    style, bar = root
    assert "--m0:" in str(style.text)
    assert bar.attrib == {"class": "bar"}
