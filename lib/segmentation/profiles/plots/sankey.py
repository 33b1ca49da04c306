"""A Sankey diagram: from groups on the left to groups on the right, in bands as thick as what flows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from segmentation.profiles.plots.canvas import Canvas, colour, drawing

_BARS = 300.0
"""Height of all bars of one side together, where no band is too thin to be seen."""

_LABEL = 22
"""Room for the name above a bar."""

_BAR = 12
_THINNEST = 1.0


@dataclass(frozen=True)
class Group:
    """One bar, and its colour in the page: groups that are the same on both sides have the same."""

    name: str
    hue: str


@dataclass(frozen=True)
class Band:
    """What flows from one group to another, by their places in the lists; `label` says it in words, for a tooltip.

    `quiet` bands are paler: what stays where it was.
    """

    left: int
    right: int
    amount: float
    label: str
    quiet: bool = False


def sankey_chart(
    title: str, description: str, left: Sequence[Group], right: Sequence[Group], bands: Sequence[Band], width: int
) -> Markup:
    """The diagram. Names stand above the bars, so that long ones fit on a phone too. Amounts are above 0."""
    total = sum(band.amount for band in bands) or 1.0
    thick = [max(_THINNEST, band.amount / total * _BARS) for band in bands]
    sides = [[band.left for band in bands], [band.right for band in bands]]
    bars = [_stack(len(groups), side, thick) for groups, side in zip((left, right), sides, strict=True)]
    starts = _share_out(bars[0], sides[0], sides[1], thick)
    ends = _share_out(bars[1], sides[1], sides[0], thick)

    def paint(canvas: Canvas) -> None:
        sheet = canvas.sheet()
        for number, band in sorted(enumerate(bands), key=lambda item: not item[1].quiet):
            path = _band(starts[number], ends[number], thick[number], width)
            patch = PathPatch(
                path, facecolor=colour(left[band.left].hue), alpha=0.22 if band.quiet else 0.6, linewidth=0
            )
            canvas.say(sheet.add_patch(patch), band.label)
        for groups, tops, x, side in ((left, bars[0], 0, "left"), (right, bars[1], width - _BAR, "right")):
            for group, (top, height) in zip(groups, tops, strict=True):
                sheet.add_patch(Rectangle((x, top), _BAR, height, facecolor=colour(group.hue)))
                sheet.text(0 if side == "left" else width, top - 6, group.name, ha=side)

    lowest = max((top + height + 6 for side in bars for top, height in side), default=_LABEL)
    return drawing(title, description, width, round(lowest, 1), paint)


def _stack(groups: int, side: Sequence[int], thick: Sequence[float]) -> list[tuple[float, float]]:
    """Top and height of each bar, one under the other."""
    places, y = [], 0.0
    for group in range(groups):
        height = sum(t for t, at in zip(thick, side, strict=True) if at == group)
        places.append((y + _LABEL, height))
        y += _LABEL + height + 6
    return places


def _share_out(
    bars: Sequence[tuple[float, float]], own: Sequence[int], other: Sequence[int], thick: Sequence[float]
) -> list[float]:
    """Where each band begins on the bar of its own side: in the order of the bars of the other."""
    free, tops = [top for top, _ in bars], [0.0] * len(thick)
    for number in sorted(range(len(thick)), key=lambda n: (own[n], other[n])):
        tops[number] = free[own[number]]
        free[own[number]] += thick[number]
    return tops


def _band(start: float, end: float, thick: float, width: int) -> Path:
    x1, x2, middle = _BAR, width - _BAR, width / 2
    move, line, curve = Path.MOVETO, Path.LINETO, Path.CURVE4
    corners = [
        (move, (x1, start)),
        *((curve, point) for point in ((middle, start), (middle, end), (x2, end))),
        (line, (x2, end + thick)),
        *((curve, point) for point in ((middle, end + thick), (middle, start + thick), (x1, start + thick))),
        (Path.CLOSEPOLY, (x1, start)),
    ]
    return Path([point for _, point in corners], [code for code, _ in corners])
