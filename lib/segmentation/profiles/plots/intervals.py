"""Estimates with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segmentation.profiles.plots.canvas import Canvas, colour, drawing, width_of
from segmentation.profiles.plots.lines import round_ticks

_ROW, _AXIS = 44, 42


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
    ticks = round_ticks(min([0.0, *(one.low for one in intervals)]), max([0.0, *(one.high for one in intervals)]))
    edge = max(width_of(f"{tick:g}") for tick in ticks) / 2 + 2
    height = _ROW * len(intervals) + 8 + _AXIS

    def paint(canvas: Canvas) -> None:
        plot = canvas.plot(left=edge, right=edge, bottom=_AXIS)
        plot.set(xlim=(ticks[0], ticks[-1]), ylim=(height - _AXIS, 0), xlabel=unit)
        plot.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        plot.grid(axis="x")
        plot.tick_params(length=0)
        plot.set_yticks([])
        plot.spines["bottom"].set_visible(False)
        plot.axvline(0, color=colour("soft"), linewidth=1.5)
        sheet = canvas.sheet()
        for row, one in enumerate(intervals):
            y, error = row * _ROW, ([one.value - one.low], [one.high - one.value])
            bar = plot.errorbar(
                [one.value], [y + 28], xerr=error, color=colour("m0"), linewidth=2, marker="o", markersize=8,
                
            )  # fmt: skip
            canvas.say(bar.lines[0], one.text)
            sheet.text(0, y + 14, one.name)
            sheet.text(width, y + 14, one.text, ha="right", color=colour("soft"))

    return drawing(title, description, width, height, paint)
