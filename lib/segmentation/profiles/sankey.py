"""A Sankey diagram as SVG: from groups on the left to groups on the right, in bands as thick as what flows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segmentation.profiles.svg import drawing

_BARS = 300.0
"""Height of all bars of one side together, where no band is too thin to be seen."""

_LABEL = 22
"""Room for the name above a bar."""

_BAR = 12
_THINNEST = 1.0


@dataclass(frozen=True)
class Group:
    """One bar. `hue` is a class of the style sheet: groups that are the same on both sides have the same."""

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
    left_tops, left_end = _bars([sum(t for b, t in zip(bands, thick, strict=True) if b.left == n) for n in _of(left)])
    right_tops, right_end = _bars(
        [sum(t for b, t in zip(bands, thick, strict=True) if b.right == n) for n in _of(right)]
    )
    free = {("left", n): top for n, (top, _) in enumerate(left_tops)}
    free |= {("right", n): top for n, (top, _) in enumerate(right_tops)}
    starts, ends = {}, {}
    for number in sorted(range(len(bands)), key=lambda n: (bands[n].left, bands[n].right)):
        starts[number] = free["left", bands[number].left]
        free["left", bands[number].left] += thick[number]
    for number in sorted(range(len(bands)), key=lambda n: (bands[n].right, bands[n].left)):
        ends[number] = free["right", bands[number].right]
        free["right", bands[number].right] += thick[number]
    inside = [
        _band(band, left[band.left].hue, starts[number], ends[number], thick[number], width)
        for number, band in sorted(enumerate(bands), key=lambda item: not item[1].quiet)
    ]
    inside += [_bar(group, top, height, 0, "name", 0) for group, (top, height) in zip(left, left_tops, strict=True)]
    inside += [
        _bar(group, top, height, width - _BAR, "name end", width)
        for group, (top, height) in zip(right, right_tops, strict=True)
    ]
    return drawing(title, description, width, round(max(left_end, right_end), 1), inside)


def _of(groups: Sequence[Group]) -> range:
    return range(len(groups))


def _bars(heights: Sequence[float]) -> tuple[list[tuple[float, float]], float]:
    """Top and height of each bar, one under the other, and where the last ends."""
    places, y = [], 0.0
    for height in heights:
        places.append((y + _LABEL, height))
        y += _LABEL + height + 6
    return places, y


def _band(band: Band, hue: str, start: float, end: float, thick: float, width: int) -> Markup:
    x1, x2, middle = _BAR, width - _BAR, width / 2
    path = (
        f"M{x1},{start:.1f} C{middle},{start:.1f} {middle},{end:.1f} {x2},{end:.1f} "
        f"V{end + thick:.1f} C{middle},{end + thick:.1f} {middle},{start + thick:.1f} {x1},{start + thick:.1f} Z"
    )
    style = f"band {hue} quiet" if band.quiet else f"band {hue}"
    return Markup('<path class="{}" d="{}"><title>{}</title></path>').format(style, path, band.label)


def _bar(group: Group, top: float, height: float, x: float, anchor: str, text_x: float) -> Markup:
    return Markup(
        '<rect class="group {}" x="{}" y="{}" width="{}" height="{}"/><text class="{}" x="{}" y="{}">{}</text>'
    ).format(group.hue, x, round(top, 1), _BAR, round(height, 1), anchor, text_x, round(top - 6, 1), group.name)
