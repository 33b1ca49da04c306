"""Lines with a mark at each point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

from markupsafe import Markup
from matplotlib.axes import Axes as Plot
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, DateFormatter, date2num
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from segmentation.profiles.plots.canvas import SIZE, Canvas, colour, drawing, width_of

MARKS = ("o", "s", "^", "D")
"""Shapes by which lines, and kinds of nodes, are told apart without colour: circle, square, triangle, diamond."""

_LINE = 20


@dataclass(frozen=True)
class Point:
    """One measured point; `label` says it in words, for a tooltip."""

    x: float | date
    y: float
    label: str
    marked: bool = False


@dataclass(frozen=True)
class Series:
    """Points of one thing that is compared, from left to right."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Axes:
    """What the axes say."""

    x_title: str
    y_title: str
    y_text: Callable[[float], str]
    from_zero: bool = False


def line_chart(title: str, description: str, series: Sequence[Series], axes: Axes, width: int) -> Markup:
    """Lines, each with marks of a shape of its own; marked points stand in a ring."""
    across = max(1, int(width / (32 + max(width_of(line.name) for line in series))))
    rows = ceil(len(series) / across) if len(series) > 1 else 0
    height = (300 if width > 500 else 260) + _LINE * rows

    def paint(canvas: Canvas) -> None:
        plot = canvas.figure.add_subplot()
        names = [_draw_line(canvas, plot, line, number) for number, line in enumerate(series)]
        if rows:
            canvas.figure.legend(names, [line.name for line in series], loc="outside upper left", ncols=across)
        points = [point for line in series for point in line.points]
        _set_axes(plot, points, axes, wide=width > 500)

    return drawing(title, description, width, height, paint, layout="constrained")


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers that take in both ends."""
    if high <= low:
        low, high = low - abs(low or 1.0) / 2, high + abs(high or 1.0) / 2
    return [float(tick) for tick in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]


def _draw_line(canvas: Canvas, plot: Plot, line: Series, number: int) -> Line2D:
    """The line; gives what stands for it in the legend."""
    mark, hue = MARKS[number % len(MARKS)], colour(f"m{number % len(MARKS)}")
    x, y = [_place(point) for point in line.points], [point.y for point in line.points]
    plot.plot(x, y, color=hue, linewidth=2)
    (marks,) = plot.plot(x, y, color=hue, linestyle="none", marker=mark, markersize=8)
    canvas.say(marks, *(point.label for point in line.points))
    ring = [n for n, point in enumerate(line.points) if point.marked]
    if ring:
        plot.plot(x, y, "o", markevery=ring, markersize=18, mfc="none", mec=colour("ink"), mew=2)
    return marks


def _place(point: Point) -> float:
    return float(date2num(point.x)) if isinstance(point.x, date) else point.x


def _set_axes(plot: Plot, points: Sequence[Point], axes: Axes, wide: bool) -> None:
    ticks = round_ticks(0.0 if axes.from_zero else min(p.y for p in points), max(p.y for p in points))
    plot.set_yticks(ticks, [axes.y_text(tick) for tick in ticks])
    plot.set_ylim(ticks[0], ticks[-1])
    plot.grid(axis="y")
    plot.set_title(axes.y_title, loc="left", fontsize=SIZE, color=colour("soft"))
    plot.set_xlabel(axes.x_title)
    places, most = sorted({_place(point) for point in points}), 12 if wide else 6
    dates, locator = isinstance(points[0].x, date), FixedLocator(places) if len(places) <= most else None
    if dates:
        found = locator or AutoDateLocator(minticks=2, maxticks=most)
        plot.xaxis.set_major_locator(found)
        plot.xaxis.set_major_formatter(ConciseDateFormatter(found) if len(places) > 1 else DateFormatter("%b %Y"))
    else:
        plot.xaxis.set_major_locator(locator or MaxNLocator(most, integer=True))
