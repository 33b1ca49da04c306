"""Estimates with their intervals as SVG, in the style of the other charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segmentation.profiles.svg import CHARACTER, drawing, mark, ticks

_ROW = 44


@dataclass(frozen=True)
class Interval:
    """One estimate and the ends between which the truth is likely to be; `text` says all three."""

    name: str
    low: float
    value: float
    high: float
    text: str


def interval_chart(title: str, description: str, intervals: Sequence[Interval], unit: str, width: int) -> Markup:
    """One line from end to end under each name, with a mark at the estimate and a rule at nothing (0).

    Names and figures stand above the lines, so that long ones fit on a phone too.
    """
    places = ticks(min([0.0, *(one.low for one in intervals)]), max([0.0, *(one.high for one in intervals)]))
    edge = CHARACTER * max(len(f"{tick:g}") for tick in places) / 2 + 2

    def across(value: float) -> float:
        return round(edge + (value - places[0]) / (places[-1] - places[0]) * (width - 2 * edge), 1)

    bottom = _ROW * len(intervals) + 8
    inside = []
    for tick in places:
        style = "rule" if tick == 0 else "grid"
        x = across(tick)
        inside += [
            Markup('<line class="{}" x1="{}" x2="{}" y1="0" y2="{}"/>').format(style, x, x, bottom),
            Markup('<text class="tick middle" x="{}" y="{}">{:g}</text>').format(x, bottom + 16, tick),
        ]
    for row, one in enumerate(intervals):
        y = row * _ROW
        inside += [
            Markup('<text x="0" y="{}">{}</text>').format(y + 14, one.name),
            Markup('<text class="tick end" x="{}" y="{}">{}</text>').format(width, y + 14, one.text),
            Markup('<line class="line l0" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                across(one.low), across(one.high), y + 28, y + 28
            ),
            mark(across(one.value), y + 28, 0),
        ]
    inside.append(Markup('<text class="axis middle" x="{}" y="{}">{}</text>').format(width / 2, bottom + 36, unit))
    return drawing(title, description, width, bottom + 42, inside)
