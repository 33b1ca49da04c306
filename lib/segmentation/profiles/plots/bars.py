"""Bars: one under the other to compare, or side by side as a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segmentation.profiles.plots.canvas import SIZE, Canvas, colour, drawing, width_of
from segmentation.profiles.plots.lines import round_ticks

_ROW, _THICK = 40, 12
_TOP, _BOTTOM, _PLOT = 52.0, 30.0, 240.0


@dataclass(frozen=True)
class Bar:
    """One thing that is compared; `text` says its value."""

    name: str
    value: float
    text: str


@dataclass(frozen=True)
class Class:
    """One bar of a histogram; `label` says it in words, for a tooltip."""

    height: float
    label: str


@dataclass(frozen=True)
class Place:
    """A place on the axis of a histogram, in bars from the left, what is said of it, and a colour of the page."""

    at: float
    text: str
    hue: str = "soft"


def bar_chart(title: str, description: str, bars: Sequence[Bar], width: int) -> Markup:
    """Bars from the left, one under the other, each with its name above and its value behind it.

    Values are not negative. Names stand above the bars, so that long ones fit on a phone too.
    """
    room = width - max((width_of(bar.text) for bar in bars), default=0) - 10
    longest = max((bar.value for bar in bars), default=0) or 1

    def paint(canvas: Canvas) -> None:
        sheet = canvas.sheet()
        tops = [row * _ROW for row in range(len(bars))]
        lengths = [max(1.0, bar.value / longest * room) for bar in bars]
        drawn = sheet.barh([top + 26 for top in tops], lengths, height=_THICK, color=colour("m0"))
        sheet.bar_label(drawn, [bar.text for bar in bars], padding=6, color=colour("soft"))
        for top, bar in zip(tops, bars, strict=True):
            sheet.text(0, top + 14, bar.name)

    return drawing(title, description, width, _ROW * max(len(bars), 1), paint)


def histogram_chart(
    title: str, description: str, bars: Sequence[Class], names: Sequence[Place], marked: Sequence[Place], width: int
) -> Markup:
    """Bars side by side: `names` stand below the axis as far as they fit, `marked` places have a line over all bars."""
    ticks = round_ticks(0.0, max((bar.height for bar in bars), default=1.0) or 1.0)
    left, right = 12 + max(width_of(f"{tick:,.0f}") for tick in ticks), 14
    each = (width - left - right) / max(len(bars), 1)

    def paint(canvas: Canvas) -> None:
        plot = canvas.plot(left, _TOP, right, _BOTTOM)
        drawn = plot.bar(
            range(len(bars)),
            [bar.height for bar in bars],
            width=max(each - 1, 0.5) / each,
            align="edge",
            color=colour("c0"),
        )
        canvas.say(drawn, *(bar.label for bar in bars))
        plot.set(xlim=(0, max(len(bars), 1)), ylim=(0, ticks[-1]))
        plot.set_yticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        plot.grid(axis="y")
        shown = _fitting(names, left, each, width)
        plot.set_xticks([place.at for place in shown], [place.text for place in shown])
        over = plot.get_xaxis_transform()
        # From the left, each a line lower, so that no line runs through a text further left.
        for number, place in enumerate(sorted(marked, key=lambda place: place.at)):
            above = _TOP - 14 - 18 * number
            top = 1 + (above - 4) / _PLOT
            plot.plot([place.at, place.at], [0, top], transform=over, color=colour(place.hue), linewidth=2)
            side = "left" if left + place.at * each + 8 + width_of(place.text) <= width else "right"
            plot.text(place.at, 1 + above / _PLOT, place.text, transform=over, ha=side)

    return drawing(title, description, width, _TOP + _PLOT + _BOTTOM, paint)


def _fitting(names: Sequence[Place], left: float, each: float, width: int) -> list[Place]:
    """Those that neither touch the one before nor stick out."""
    shown, taken = [], 0.0
    for name in names:
        x, half = left + name.at * each, width_of(name.text) / 2
        if x - half >= taken and x + half <= width:
            shown.append(name)
            taken = x + half + 6
    return shown


def small_histogram(description: str, bars: Sequence[Class], ends: tuple[str, str], width: int, height: int) -> Markup:
    """Bars side by side without axes: only what stands at either end is said."""
    room = SIZE + 6

    def paint(canvas: Canvas) -> None:
        plot = canvas.plot(bottom=room)
        plot.set_axis_off()
        drawn = plot.bar(range(len(bars)), [bar.height for bar in bars], width=0.92, align="edge", color=colour("c0"))
        canvas.say(drawn, *(bar.label for bar in bars))
        plot.set(xlim=(0, len(bars)), ylim=(0, max(bar.height for bar in bars)))
        sheet = canvas.sheet()
        for x, side, text in zip((0, width), ("left", "right"), ends, strict=True):
            sheet.text(x, height - 3, text, ha=side, color=colour("soft"))

    return drawing("How people spread", description, width, height, paint)
