"""The charts of the report."""

from __future__ import annotations

from markupsafe import Markup

from segmentation.clustering.algorithms import NAMES
from segmentation.profiles.plots.canvas import for_all_screens
from segmentation.profiles.plots.lines import Axes, Point, Series, line_chart
from segmentation.profiles.report.data import Activity, Choice
from segmentation.profiles.wording import compact


def months_chart(activity: Activity) -> Markup:
    """Events a month; the first and the last month may be parts of one."""
    months = activity.months
    points = [Point(m.month, m.events, f"{m.month:%B %Y}: {m.events:,} events") for m in months]
    busiest = max(months, key=lambda m: m.events)
    axes = Axes("month", "events", compact, from_zero=True)
    description = f"From {months[0].events:,} in {months[0].month:%B %Y} to {months[-1].events:,} in "
    description += f"{months[-1].month:%B %Y}; most in {busiest.month:%B %Y} ({busiest.events:,})."
    series = [Series("events", points)]
    return for_all_screens(lambda width: line_chart("Events by month", description, series, axes, width))


def candidates_chart(choice: Choice) -> Markup | None:
    """Silhouette by number of segments, a line for each method, the chosen one in a ring; None with nothing to show."""
    names = {str(algorithm): name for algorithm, name in NAMES.items()}
    series = []
    for algorithm in dict.fromkeys(candidate.algorithm for candidate in choice.candidates):
        name = names.get(algorithm, algorithm.replace("_", " "))
        points = [
            Point(c.k, c.silhouette, f"{name} with {c.k} segments: {c.silhouette:.3f}", c.chosen)
            for c in sorted(choice.candidates, key=lambda c: c.k)
            if c.algorithm == algorithm and c.silhouette is not None
        ]
        if points:
            series.append(Series(name, points))
    if not series:
        return None
    chosen = next((point.label for line in series for point in line.points if point.marked), "none")
    axes = Axes("number of segments", "silhouette", lambda value: f"{value:.2f}")
    description = f"{len(series)} methods, more is better. Chosen: {chosen}."
    title = "Silhouette by number of segments"
    return for_all_screens(lambda width: line_chart(title, description, series, axes, width))
