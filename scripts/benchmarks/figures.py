"""What the rounds come to: medians, ratios, and how cost grows with size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import log
from statistics import fmean, median
from typing import Any

from scripts.benchmarks.rounds import Result


@dataclass(frozen=True)
class Figures:
    """One engine at one size. Times are medians over the rounds, memory is the most."""

    stage: str
    engine: str
    rows: int
    rounds: int
    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    bytes_written: int
    silhouette: float | None = None

    @property
    def rows_a_second(self) -> float:
        return self.rows / max(self.wall_s, 1e-9)


@dataclass(frozen=True)
class Comparison:
    """This project's engine against one other, over the sizes that both did."""

    stage: str
    rival: str
    cpu_ratios: dict[int, float]
    """Our processor time by theirs, by size: 2 is twice as much."""
    wall_ratios: dict[int, float]
    exponent: float | None
    rival_exponent: float | None


def summarise(result: Result) -> Figures:
    """The figures of the rounds that count."""
    rounds = result.rounds
    return Figures(
        result.stage,
        result.engine,
        result.rows,
        len(rounds),
        median(cost.wall_s for cost in rounds),
        median(cost.cpu_s for cost in rounds),
        max(cost.peak_rss_bytes for cost in rounds),
        max(cost.bytes_written for cost in rounds),
        result.silhouette,
    )


def compare(figures: Sequence[Figures]) -> list[Comparison]:
    """Each stage's first engine against each of its others."""
    stages: dict[str, dict[str, dict[int, Figures]]] = {}
    for one in figures:
        stages.setdefault(one.stage, {}).setdefault(one.engine, {})[one.rows] = one
    comparisons = []
    for stage, engines in stages.items():
        (_, ours), *rivals = engines.items()
        for name, theirs in rivals:
            both = sorted(ours.keys() & theirs.keys())
            comparisons.append(
                Comparison(
                    stage,
                    name,
                    {rows: ours[rows].cpu_s / max(theirs[rows].cpu_s, 1e-2) for rows in both},
                    {rows: ours[rows].wall_s / max(theirs[rows].wall_s, 1e-2) for rows in both},
                    fit_exponent({rows: one.cpu_s for rows, one in ours.items()}),
                    fit_exponent({rows: one.cpu_s for rows, one in theirs.items()}),
                )
            )
    return comparisons


def fit_exponent(costs: dict[int, float]) -> float | None:
    """The b of cost = a · rows^b by least squares over logarithms: 1 is linear. None for fewer than two sizes."""
    points = sorted((log(rows), log(cost)) for rows, cost in costs.items() if cost > 0)
    if len(points) < 2 or all(left[0] == right[0] for left, right in pairwise(points)):
        return None
    middle, level = (fmean(values) for values in zip(*points, strict=True))
    return sum((x - middle) * (y - level) for x, y in points) / sum((x - middle) ** 2 for x, _ in points)


def as_json(results: Sequence[Result], machine: dict[str, Any]) -> dict[str, Any]:
    """Everything: each round, the figures, the comparisons."""
    figures = [summarise(result) for result in results]
    return {
        "machine": machine,
        "results": [
            {**asdict(one), "rows_a_second": one.rows_a_second, "thrown_away": result.thrown_away}
            | {"count": result.count, "each_round": [asdict(cost) for cost in result.rounds]}
            for one, result in zip(figures, results, strict=True)
        ],
        "comparisons": [asdict(comparison) for comparison in compare(figures)],
    }
