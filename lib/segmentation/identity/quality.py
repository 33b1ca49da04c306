"""How identity looks after a run, in figures that can be compared with those of earlier runs."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns

SIZES = (1, 2, 5, 10, 50, 500)
"""Upper ends of the bands by which persons are counted."""

_EARLIER_NEEDED = 5
_EARLIER_USED = 20
_WIDTH = 3.0
_LEAST_WIDTH = 0.1
_FLOOR = 0.001


@dataclass(frozen=True)
class Figure:
    """One figure of one run. Only `ratio` is judged: counts grow with the business."""

    figure: str
    of: str
    """What the figure is split by: a size, an identifier type, a reason; empty where by nothing."""
    count: int
    ratio: float
    low: float | None = None
    high: float | None = None
    """The usual band of the ratio; null until there are five earlier runs."""

    @property
    def warning(self) -> str | None:
        """What is unusual, in words; None: nothing."""
        if self.low is None or self.high is None or self.low <= self.ratio <= self.high:
            return None
        name = " ".join([self.figure.replace("_", " "), *([f"({self.of})"] if self.of else [])])
        return f"{name} is {self.ratio:.4g}, usually {self.low:.4g} to {self.high:.4g}"


def measure_identity(persons: DataFrame, identity_map: DataFrame, edges: DataFrame) -> list[Figure]:
    """The figures of the tables as they are, without bands.

    In: `persons`, `identity_map`, `identity_edges`. Out, with what the ratio is:

    - `components`, by number of identifiers: persons of that size, and their share of all persons;
    - `largest_component`: its identifiers, and their share of all;
    - `identifiers`, by type: how many there are, and how many a person has on average;
    - `edges_cut`, by reason without what is particular: pairs, and their share of all pairs;
    - `edges_refused`: pairs that do not hold, for whatever reason, and their share.
    """
    check_columns(persons, ("identifier_count",), "the persons")
    size = _size(F.col("identifier_count"))
    plain = F.regexp_replace("reason", r"a person \d+ ", "a person too many ")
    plain = F.regexp_replace(plain, " override .*", " override")
    kind = F.when(F.col("status") != "active", plain).otherwise("")
    counts = (
        persons.groupBy(F.lit("components").alias("figure"), size.alias("of"))
        .agg(F.count("*").alias("n"), F.max("identifier_count").alias("most"))
        .unionByName(
            identity_map.groupBy(F.lit("identifiers").alias("figure"), F.col("identifier_type").alias("of")).agg(
                F.count("*").alias("n"), F.lit(None).cast("long").alias("most")
            )
        )
        .unionByName(
            edges.groupBy(F.lit("edges").alias("figure"), kind.alias("of")).agg(
                F.count("*").alias("n"), F.lit(None).cast("long").alias("most")
            )
        )
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    largest = 0
    for row in counts.collect():
        found[row["figure"]][row["of"]] = row["n"]
        largest = max(largest, row["most"] or 0)
    people, identifiers = sum(found["components"].values()), sum(found["identifiers"].values())
    pairs = sum(found["edges"].values())
    cut = {reason: n for reason, n in found["edges"].items() if reason}
    return [
        *_split("components", found["components"], people),
        Figure("largest_component", "", largest, _share(largest, identifiers)),
        *_split("identifiers", found["identifiers"], people),
        *_split("edges_cut", cut, pairs),
        Figure("edges_refused", "", sum(cut.values()), _share(sum(cut.values()), pairs)),
    ]


def judge_figures(figures: Sequence[Figure], earlier: Iterable[tuple[str, str, float]]) -> list[Figure]:
    """Figures with their usual band, from (`figure`, `of`, `ratio`) of earlier runs, the newest first.

    The band is the median of the last twenty runs, give or take three times their median absolute deviation (scaled
    to a standard deviation, as Rousseeuw and Croux, 1993, have it), at least a tenth of the median, and 0.001.
    """
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for figure, of, ratio in earlier:
        ratios[figure, of].append(ratio)
    return [_banded(figure, ratios[figure.figure, figure.of][:_EARLIER_USED]) for figure in figures]


def _banded(figure: Figure, earlier: Sequence[float]) -> Figure:
    if len(earlier) < _EARLIER_NEEDED:
        return figure
    median = statistics.median(earlier)
    deviation = 1.4826 * statistics.median(abs(ratio - median) for ratio in earlier)
    width = max(_WIDTH * deviation, _LEAST_WIDTH * median, _FLOOR)
    return replace(figure, low=max(0.0, median - width), high=median + width)


def _size(count: Column) -> Column:
    """The band of a person's number of identifiers, as text: 1, 2, 3-5, …"""
    band = F.when(count <= SIZES[0], str(SIZES[0]))
    for below, most in pairwise(SIZES):
        band = band.when(count <= most, str(most) if most == below + 1 else f"{below + 1}-{most}")
    return band.otherwise(f"over {SIZES[-1]}")


def _split(figure: str, counts: dict[str, int], total: int) -> list[Figure]:
    return [Figure(figure, of, count, _share(count, total)) for of, count in sorted(counts.items())]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
