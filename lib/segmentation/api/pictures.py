"""The report's charts for a notebook, and a few of its own in the same style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from markupsafe import Markup
from pyspark.sql import DataFrame

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.flows import flows_chart
from segmentation.profiles.plots.bars import Bar, bar_chart
from segmentation.profiles.plots.canvas import for_all_screens
from segmentation.profiles.plots.intervals import Interval, interval_chart
from segmentation.profiles.plots.network import Node, Tie, network_chart
from segmentation.profiles.report.charts import candidates_chart, months_chart
from segmentation.profiles.report.data import Profile
from segmentation.profiles.wording import number, per_cent
from segmentation.stages.audiences import Explanation
from segmentation.stages.measure import Measurement

__all__ = [
    "candidates_chart",
    "features_chart",
    "flows_chart",
    "funnel_chart",
    "lift_chart",
    "links_chart",
    "months_chart",
    "sizes_chart",
]

MOST_LINKS = 200
"""Links in a picture; a person with more is no picture."""

_SHOWN = 14
"""Characters of an identifier, which may be a long token."""


def sizes_chart(profiles: Sequence[Profile]) -> Markup:
    """People in each segment."""
    bars = [Bar(p.name, p.size, f"{p.size:,} ({per_cent(p.share)})") for p in profiles]
    description = "; ".join(f"{bar.name}: {bar.text}" for bar in bars) + "."
    return for_all_screens(lambda width: bar_chart("People by segment", description, bars, width))


def features_chart(profiles: Sequence[Profile], features: Mapping[str, FeatureInfo], most: int = 15) -> Markup:
    """The features that tell segments apart most: how far the mean of the one segment that stands out most is from
    everyone's, in standard deviations of everyone."""
    reach: dict[str, tuple[float, str]] = {}
    for profile in profiles:
        for name, figures in profile.statistics.items():
            if name in features:
                reach[name] = max(reach.get(name, (0.0, "")), (abs(figures.effect_size), profile.name))
    best = sorted(reach.items(), key=lambda item: (-item[1][0], item[0]))[:most]
    bars = [Bar(features[name].label, far, f"{number(round(far, 2))} · {who}") for name, (far, who) in best]
    description = f"Furthest: {bars[0].name} ({bars[0].text})." if bars else "No feature is known."
    return for_all_screens(lambda width: bar_chart("What tells segments apart", description, bars, width))


def funnel_chart(audience: Explanation) -> Markup:
    """How many people each condition of an audience leaves of those before it."""
    bars = [Bar("everyone", audience.people, f"{audience.people:,}")]
    bars += [Bar(step.condition, step.left, f"{step.left:,}") for step in audience.steps]
    title = "Who is left"
    return for_all_screens(lambda width: bar_chart(title, f"{audience.members:,} of {audience.people:,}.", bars, width))


def lift_chart(measured: Measurement, names: Mapping[str, str] | None = None) -> Markup | None:
    """By how many points more of the treated than of the control group bought, of everyone and of each segment, with
    95 % intervals; None where the arms of none are large enough. `names`: segment id -> name."""
    rows = [row for row in (measured.everyone, *measured.segments) if not isnan(row.bought.low)]
    if not rows:
        return None
    intervals = []
    for row in rows:
        value, low, high = (100 * part for part in (row.bought.difference, row.bought.low, row.bought.high))
        name = (names or {}).get(row.segment_id, row.segment_id)
        intervals.append(Interval(name, low, value, high, f"{value:+.1f} ({low:+.1f} to {high:+.1f})"))
    description = "; ".join(f"{one.name}: {one.text}" for one in intervals) + "."
    unit = "percentage points more who bought"
    return for_all_screens(lambda width: interval_chart("What the campaign added", description, intervals, unit, width))


def links_chart(links: DataFrame) -> Markup:
    """An identity graph: identifiers, and the pairs of them that were seen together; those that were cut are dashed.

    `links` are rows of `identity_edges`, such as a story's; the first `MOST_LINKS` are drawn.
    """
    rows = links.limit(MOST_LINKS).collect()
    ends = [[(row[f"{side}_type"], row[f"{side}_value"]) for side in ("left", "right")] for row in rows]
    nodes = sorted({end for pair in ends for end in pair})
    kinds = sorted({kind for kind, _ in nodes})
    place = {node: number for number, node in enumerate(nodes)}
    ties = [
        Tie(place[left], place[right], f"seen {row['observations']:,} times", row["status"] != "active")
        for row, (left, right) in zip(rows, ends, strict=True)
    ]
    cut = sum(tie.cut for tie in ties)
    description = f"{len(nodes)} identifiers, {len(ties) - cut} links between them, and {cut} that were cut."
    drawn = [Node(f"{kind} {_short(value)}", kinds.index(kind)) for kind, value in nodes]
    return for_all_screens(lambda width: network_chart("Who is who", description, drawn, ties, width))


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
