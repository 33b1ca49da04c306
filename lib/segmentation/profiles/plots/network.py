"""A small graph: its nodes on a circle, so that every line can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from markupsafe import Markup

from segmentation.profiles.plots.canvas import Canvas, colour, drawing, width_of
from segmentation.profiles.plots.lines import MARKS


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
    beside = max((width_of(node.name) for node in nodes), default=0) + 18
    radius = max(40.0, width / 2 - beside)
    # Around the circle there is room for so many names under each other.
    radius_y = max(radius * 0.6, len(nodes) * 5.0, 60.0)
    middle_x, middle_y = width / 2, radius_y + 24
    angles = [2 * pi * number / max(len(nodes), 1) for number in range(len(nodes))]
    places = [(middle_x + radius * sin(angle), middle_y - radius_y * cos(angle)) for angle in angles]

    def paint(canvas: Canvas) -> None:
        sheet = canvas.sheet()
        for tie in ties:
            across, down = zip(places[tie.left], places[tie.right], strict=True)
            hue, dash = (colour("m1"), "--") if tie.cut else (colour("soft"), "-")
            (line,) = sheet.plot(across, down, linewidth=1.5, color=hue, linestyle=dash)
            canvas.say(line, tie.label)
        for node, (x, y) in zip(nodes, places, strict=True):
            kind = node.kind % len(MARKS)
            sheet.plot([x], [y], marker=MARKS[kind], markersize=9, color=colour(f"m{kind}"))
            right = x >= middle_x - 1
            sheet.text(x + (10 if right else -10), y + 4, node.name, ha="left" if right else "right")

    return drawing(title, description, width, round(2 * middle_y), paint)
