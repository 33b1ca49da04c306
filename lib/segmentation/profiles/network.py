"""A small graph as SVG: its nodes on a circle, so that every line can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from markupsafe import Markup

from segmentation.profiles.svg import CHARACTER, drawing, mark


@dataclass(frozen=True)
class Node:
    """`kind` decides mark and colour: nodes of one kind have the same number."""

    name: str
    kind: int = 0


@dataclass(frozen=True)
class Tie:
    """A line between two nodes, by their places in the list; `label` says it in words, for a tooltip."""

    left: int
    right: int
    label: str
    cut: bool = False


def network_chart(title: str, description: str, nodes: Sequence[Node], ties: Sequence[Tie], width: int) -> Markup:
    """The graph; ties that were cut are dashed."""
    beside = CHARACTER * max((len(node.name) for node in nodes), default=0) + 18
    radius = max(40.0, width / 2 - beside)
    # Around the circle there is room for so many names under each other.
    radius_y = max(radius * 0.6, len(nodes) * 5.0, 60.0)
    middle_x, middle_y = width / 2, radius_y + 24
    places = [
        (round(middle_x + radius * sin(angle), 1), round(middle_y - radius_y * cos(angle), 1))
        for angle in (2 * pi * number / max(len(nodes), 1) for number in range(len(nodes)))
    ]
    inside = [_tie(tie, places) for tie in ties]
    for node, (x, y) in zip(nodes, places, strict=True):
        right = x >= middle_x - 1
        text = Markup('<text class="{}" x="{}" y="{}">{}</text>')
        inside += [
            mark(x, y, node.kind),
            text.format("name" if right else "name end", round(x + (10 if right else -10), 1), y + 4, node.name),
        ]
    return drawing(title, description, width, round(2 * middle_y), inside)


def _tie(tie: Tie, places: Sequence[tuple[float, float]]) -> Markup:
    (x1, y1), (x2, y2) = places[tie.left], places[tie.right]
    line = Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"><title>{}</title></line>')
    return line.format("tie cut" if tie.cut else "tie", x1, y1, x2, y2, tie.label)
