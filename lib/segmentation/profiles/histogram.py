"""A histogram as SVG: bars side by side, and places on the axis that are pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segmentation.profiles.svg import CHARACTER, drawing, ticks

_TOP, _BOTTOM, _PLOT = 52.0, 46.0, 240.0


@dataclass(frozen=True)
class Bar:
    """One class; `label` says it in words, for a tooltip."""

    height: float
    label: str


@dataclass(frozen=True)
class Place:
    """A place on the axis, in bars from the left, and what is said of it. `hue` is a class of the style sheet."""

    at: float
    text: str
    hue: str = ""


def histogram_chart(
    title: str, description: str, bars: Sequence[Bar], names: Sequence[Place], marked: Sequence[Place], width: int
) -> Markup:
    """The drawing: `names` stand below the axis, `marked` places have a line over all bars."""
    y_ticks = ticks(0.0, max((bar.height for bar in bars), default=1.0) or 1.0)
    left = 12 + CHARACTER * max(len(f"{tick:,.0f}") for tick in y_ticks)
    room = width - left - 14
    each = room / max(len(bars), 1)
    bottom = _TOP + _PLOT

    def y(value: float) -> float:
        return round(bottom - value / y_ticks[-1] * _PLOT, 1)

    inside = []
    for tick in y_ticks:
        inside.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(left, width - 14, y(tick), y(tick))
        )
        inside.append(Markup('<text class="tick end" x="{}" y="{}">{:,.0f}</text>').format(left - 6, y(tick) + 4, tick))
    for number, bar in enumerate(bars):
        inside.append(
            Markup('<rect class="group c0" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                round(left + number * each + 0.5, 1), y(bar.height), round(max(each - 1, 0.5), 1),
                round(bottom - y(bar.height), 1), bar.label,
            )
        )  # fmt: skip
    taken = 0.0
    for name in names:
        x, half = left + name.at * each, CHARACTER * len(name.text) / 2
        if x - half < taken or x + half > width:
            continue
        taken = x + half + 6
        inside.append(
            Markup('<text class="tick middle" x="{}" y="{}">{}</text>').format(round(x, 1), bottom + 18, name.text)
        )
    # From the left, each a line lower, so that no line runs through a text further left.
    for number, place in enumerate(sorted(marked, key=lambda place: place.at)):
        x, text_y = round(left + place.at * each, 1), 14 + 18 * number
        inside.append(
            Markup('<rect class="group {}" x="{}" y="{}" width="2" height="{}"/>').format(
                place.hue, x - 1, text_y + 4, round(bottom - text_y - 4, 1)
            )
        )
        right = x + 8 + CHARACTER * len(place.text) <= width
        inside.append(
            Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
                "name" if right else "name end", x if right else x + 2, text_y, place.text
            )
        )
    return drawing(title, description, width, bottom + _BOTTOM - 16, inside)
