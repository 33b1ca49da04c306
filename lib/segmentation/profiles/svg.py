"""Small charts as SVG that stands in a page: colours come from the page's style sheet, so they follow light and dark.

A drawing does not get smaller text on a phone: it is drawn again for that width (see `figure`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

CHARACTER = 6.6
"""Mean width of a character of the labels, in pixels."""

_LINE = 20
MARKS = ("circle", "square", "triangle", "diamond")


@dataclass(frozen=True)
class Point:
    """One measured point; `label` says it in words, for a tooltip."""

    x: float
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
    """What the axes say. `x_names`: text at whole x positions; without it, x is shown as a number."""

    x_title: str
    y_title: str
    y_text: Callable[[float], str]
    x_names: Sequence[str] | None = None
    from_zero: bool = False


@dataclass(frozen=True)
class _Frame:
    """Where data coordinates lie in the drawing."""

    width: int
    height: int
    left: float
    top: float
    bottom: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    right: float = 14.0

    def x(self, value: float) -> float:
        low, high = self.x_range
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.left + share * (self.width - self.left - self.right), 1)

    def y(self, value: float) -> float:
        low, high = self.y_range
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.height - self.bottom - share * (self.height - self.bottom - self.top), 1)


def figure(draw: Callable[[int], Markup]) -> Markup:
    """The same chart for wide and for narrow screens; the style sheet shows one of the two."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(draw(720), draw(330))


def line_chart(title: str, description: str, series: Sequence[Series], axes: Axes, width: int) -> Markup:
    """Lines with a mark at each point, each series with a shape of its own; marked points stand in a ring."""
    points = [point for line in series for point in line.points]
    y_ticks = ticks(0.0 if axes.from_zero else min(p.y for p in points), max(p.y for p in points))
    legend_rows = len(_legend_rows(series, width))
    frame = _Frame(
        width=width,
        height=(300 if width > 500 else 260) + _LINE * legend_rows,
        left=12 + CHARACTER * max(len(axes.y_text(tick)) for tick in y_ticks),
        top=24.0 + _LINE * legend_rows,
        bottom=44.0,
        x_range=(min(p.x for p in points), max(p.x for p in points)),
        y_range=(y_ticks[0], y_ticks[-1]),
        right=CHARACTER * len(axes.x_names[-1]) / 2 + 8 if axes.x_names else 14.0,
    )
    inside = [
        *_grid(frame, axes, y_ticks),
        *_x_axis(frame, axes, sorted({p.x for p in points})),
        *_legend(series, width),
    ]
    for number, line in enumerate(series):
        path = " ".join(f"{frame.x(p.x)},{frame.y(p.y)}" for p in line.points)
        inside.append(Markup('<polyline class="line l{}" points="{}"/>').format(number % len(MARKS), path))
    for number, line in enumerate(series):
        inside += [_point(frame, point, number) for point in line.points]
    return drawing(title, description, width, frame.height, inside)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that take in both ends."""
    if high <= low:
        low, high = low - abs(low or 1.0) / 2, high + abs(high or 1.0) / 2
    rough = (high - low) / about
    size = 10.0 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _grid(frame: _Frame, axes: Axes, y_ticks: Sequence[float]) -> list[Markup]:
    lines = [Markup('<text class="axis" x="0" y="{}">{}</text>').format(frame.top - 12, axes.y_title)]
    for tick in y_ticks:
        y = frame.y(tick)
        lines.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                frame.left, frame.width - frame.right, y, y
            )
        )
        lines.append(
            Markup('<text class="tick end" x="{}" y="{}">{}</text>').format(frame.left - 6, y + 4, axes.y_text(tick))
        )
    return lines


def _x_axis(frame: _Frame, axes: Axes, places: Sequence[float]) -> list[Markup]:
    """As many names as fit, always the first and never two that touch."""
    names = [axes.x_names[int(place)] if axes.x_names else f"{place:g}" for place in places]
    room = (frame.width - frame.left - frame.right) / max(len(places) - 1, 1)
    every = max(1, ceil((max(map(len, names)) * CHARACTER + 10) / room)) if room else 1
    shown = [
        Markup('<text class="tick middle" x="{}" y="{}">{}</text>').format(
            frame.x(place), frame.height - frame.bottom + 18, name
        )
        for place, name in list(zip(places, names, strict=True))[::every]
    ]
    middle = (frame.left + frame.width - frame.right) / 2
    return [
        *shown,
        Markup('<text class="axis middle" x="{}" y="{}">{}</text>').format(middle, frame.height - 6, axes.x_title),
    ]


def _legend_rows(series: Sequence[Series], width: int) -> list[list[tuple[int, Series, float]]]:
    """The names of the series, in as many rows as they need; none for one series."""
    rows: list[list[tuple[int, Series, float]]] = []
    x = float(width)
    for number, line in enumerate(series if len(series) > 1 else ()):
        takes = 34 + CHARACTER * len(line.name)
        if x + takes > width:
            rows.append([])
            x = 0.0
        rows[-1].append((number, line, x))
        x += takes
    return rows


def _legend(series: Sequence[Series], width: int) -> list[Markup]:
    inside = []
    for row, items in enumerate(_legend_rows(series, width)):
        y = 12 + row * _LINE
        for number, line, x in items:
            inside.append(mark(x + 7, y - 4, number))
            inside.append(Markup('<text class="name" x="{}" y="{}">{}</text>').format(x + 18, y, line.name))
    return inside


def _point(frame: _Frame, point: Point, number: int) -> Markup:
    x, y = frame.x(point.x), frame.y(point.y)
    ring = Markup('<circle class="ring" cx="{}" cy="{}" r="10"/>').format(x, y) if point.marked else ""
    return Markup("<g>{}{}<title>{}</title></g>").format(ring, mark(x, y, number), point.label)


def mark(x: float, y: float, number: int) -> Markup:
    """The mark of series `number`: its shape and colour."""
    shape, style = MARKS[number % len(MARKS)], f"mark m{number % len(MARKS)}"
    if shape == "circle":
        return Markup('<circle class="{}" cx="{}" cy="{}" r="4.5"/>').format(style, x, y)
    if shape == "square":
        return Markup('<rect class="{}" x="{}" y="{}" width="8" height="8"/>').format(style, x - 4, y - 4)
    corners = [(0, -5.5), (5, 4), (-5, 4)] if shape == "triangle" else [(0, -6), (6, 0), (0, 6), (-6, 0)]
    path = " ".join(f"{round(x + dx, 1)},{round(y + dy, 1)}" for dx, dy in corners)
    return Markup('<polygon class="{}" points="{}"/>').format(style, path)


def drawing(title: str, description: str, width: int, height: float, inside: Sequence[Markup]) -> Markup:
    """A whole SVG, which says in words what it shows."""
    # A label and not ids: the chart stands in the page once for each width.
    return Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">{}</svg>').format(
        f"{title}. {description}", width, height, width, height, Markup("").join(map(escape, inside))
    )
