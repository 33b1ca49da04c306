"""Bars as SVG, in the style of the other charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segmentation.profiles.svg import CHARACTER, drawing

_ROW = 40
_THICK = 12


@dataclass(frozen=True)
class Bar:
    """One thing that is compared; `text` says its value."""

    name: str
    value: float
    text: str


def bar_chart(title: str, description: str, bars: Sequence[Bar], width: int) -> Markup:
    """Bars from the left, one under the other, each with its name above and its value behind it.

    Values are not negative. Names stand above the bars, so that long ones fit on a phone too.
    """
    room = width - CHARACTER * max((len(bar.text) for bar in bars), default=0) - 10
    longest = max((bar.value for bar in bars), default=0) or 1
    inside = []
    for row, bar in enumerate(bars):
        y, length = row * _ROW, max(1.0, round(bar.value / longest * room, 1))
        inside += [
            Markup('<text x="0" y="{}">{}</text>').format(y + 14, bar.name),
            Markup('<rect class="bar" x="0" y="{}" width="{}" height="{}" rx="2"/>').format(y + 20, length, _THICK),
            Markup('<text class="tick" x="{}" y="{}">{}</text>').format(length + 6, y + 20 + _THICK - 1, bar.text),
        ]
    return drawing(title, description, width, _ROW * len(bars), inside)
