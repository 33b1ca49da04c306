"""What timeout the gaps between events support: the valley between gaps within a visit and gaps between visits.

On a logarithmic axis the two make two hills (Halfaker et al., User Session Identification Based on Strong Regularities
in Inter-activity Time, 2015); a timeout in the valley between them cuts few visits in two and joins few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy.ndimage import gaussian_filter1d

from segmentation.config.sessions import SessionSettings
from segmentation.sessions.cut import lane_of, prepare_rows

STEPS = 4
"""Classes of gaps from one length to its double."""

FEWEST = 100
"""Of fewer gaps nothing is said."""

_SHORTEST, _LONGEST = 60.0, 12 * 3600.0
"""Between these a valley is looked for, in seconds: below are clicks, above is the night."""

_SHALLOWEST = 0.25
_SAME = 0.01
_ROUND = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720)


@dataclass(frozen=True)
class Suggestion:
    """What the gaps say of the timeout."""

    gaps: int
    """Gaps between an event and the next of the same person (or device)."""
    timeout_minutes: float | None
    """None: there are too few gaps, or no valley."""
    depth: float
    """How deep the valley is below the lower of its two hills: 0 none, 1 empty."""
    from_minutes: float | None
    to_minutes: float | None
    """Any timeout between these cuts the same gaps, but for one in a hundred of all."""


def count_gaps(events: DataFrame, params: SessionSettings, trust: Sequence[str]) -> dict[int, int]:
    """How many gaps there are of each class, see `shortest_of`; classes without one are not in it.

    Grain in: one event with its `person_id`. What the source says is one session is not looked at where
    `trust_source` believes it. One sort, and one row a class (about a hundred) on the driver.
    """
    rows = prepare_rows(events, params, trust).where(~F.col("whole"))
    order = Window.partitionBy(*lane_of(rows)).orderBy("event_ts", "event_id")
    gaps = rows.select((F.col("us") - F.lag("us").over(order)).alias("gap")).dropna()
    seconds = F.greatest(F.col("gap") / F.lit(10**6), F.lit(1.0))
    classes = gaps.groupBy(F.floor(F.log2(seconds) * STEPS).alias("class")).agg(F.count("*").alias("n"))
    return {row["class"]: row["n"] for row in classes.collect()}


def shortest_of(number: int) -> float:
    """The shortest gap of a class, in seconds. Class 0 holds all below a second too."""
    return float(2 ** (number / STEPS))


def count_from(counts: Mapping[int, int], minutes: float) -> int:
    """Gaps of at least so long, to within a class: each starts a session."""
    return sum(n for number, n in counts.items() if shortest_of(number) >= minutes * 60)


def suggest_timeout(counts: Mapping[int, int]) -> Suggestion:
    """The bottom of the valley, as a round number of minutes."""
    gaps = sum(counts.values())
    if gaps < FEWEST:
        return Suggestion(gaps, None, 0.0, None, None)
    size = max(max(counts), _class_of(_LONGEST)) + 2
    heights = np.array([counts.get(number, 0) for number in range(size)], dtype=float)
    smooth = gaussian_filter1d(heights, sigma=STEPS / 2, mode="constant")
    inside = range(_class_of(_SHORTEST), _class_of(_LONGEST) + 1)
    hills = [min(smooth[:number].max(), smooth[number + 1 :].max()) for number in inside]
    depths = [1 - smooth[number] / hill if hill > 0 else 0.0 for number, hill in zip(inside, hills, strict=True)]
    best = int(np.argmax(depths))
    depth = float(depths[best])
    if depth < _SHALLOWEST:
        return Suggestion(gaps, None, max(depth, 0.0), None, None)
    first, last = _stretch(depths, best)
    middle = inside[0] + (first + last) // 2
    low, high = _same_cuts(heights, middle, _SAME * gaps)
    ends = shortest_of(low) / 60, shortest_of(high + 1) / 60
    return Suggestion(gaps, _rounded(shortest_of(middle) * 2 ** (0.5 / STEPS) / 60, *ends), depth, *ends)


def _class_of(seconds: float) -> int:
    return int(log2(seconds) * STEPS)


def _stretch(depths: Sequence[float], best: int) -> tuple[int, int]:
    """The classes around the deepest that are as deep: an empty valley has no one bottom."""
    first = last = best
    while first > 0 and depths[first - 1] >= depths[best] - _SAME:
        first -= 1
    while last < len(depths) - 1 and depths[last + 1] >= depths[best] - _SAME:
        last += 1
    return first, last


def _same_cuts(heights: np.ndarray, middle: int, most: float) -> tuple[int, int]:
    """The widest stretch around a class that holds no more than `most` gaps, taken in from its emptier side first."""
    low = high = middle
    held = heights[middle]
    while low > 0 and high < len(heights) - 1:
        below, above = heights[low - 1], heights[high + 1]
        if held + min(below, above) > most:
            break
        held += min(below, above)
        low, high = (low - 1, high) if below <= above else (low, high + 1)
    return low, high


def _rounded(minutes: float, low: float, high: float) -> float:
    known = [one for one in _ROUND if low <= one <= high]
    return float(min(known, key=lambda one: abs(log2(one / minutes)))) if known else float(round(minutes, 1))
