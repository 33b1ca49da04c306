"""How far a feature's distribution has moved between two dates: the population stability index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

from scipy.stats import chi2

from segmentation.features.quantiles import share_up_to

_CHANCE = 0.001
"""How rarely chance alone may bring a shift that is spoken of."""


@dataclass(frozen=True)
class Distribution:
    """One feature at one date: how many people, which share of them (0 to 1) has no value, and the 101 percentiles of
    the others (None where there are none)."""

    people: int
    missing: float
    percentiles: Sequence[float] | None

    def share_up_to(self, edge: float) -> float:
        """Share of all people who have a value, and at most this one."""
        return (1 - self.missing) * share_up_to(edge, self.percentiles) if self.percentiles else 0.0


@dataclass(frozen=True)
class Shift:
    """From one date to another: the index, and what chance brings at most among so few people."""

    index: float
    chance: float


def measure_shift(before: Distribution, now: Distribution) -> Shift:
    """The index over the tenths of `before`, Σ (a − b) ln (a / b), with people without a value as one more class.

    Under no change it is about (1/m + 1/n) times a chi-square of one degree less than there are classes (Yurdakul and
    Naranjo, Statistical properties of the population stability index, 2020).
    """
    edges = sorted(set(before.percentiles[10:100:10])) if before.percentiles else []
    classes = list(zip(_classes(edges, before), _classes(edges, now), strict=True))
    index, least = 0.0, (0.5 / max(before.people, 1), 0.5 / max(now.people, 1))
    for old, new in classes:
        b, a = max(old, least[0]), max(new, least[1])
        index += (a - b) * log(a / b)
    noise = 1 / max(before.people, 1) + 1 / max(now.people, 1)
    return Shift(index, noise * float(chi2.ppf(1 - _CHANCE, max(len(classes) - 1, 1))))


def _classes(edges: Sequence[float], found: Distribution) -> list[float]:
    """Shares of all people: without a value, up to the first edge, …, beyond the last."""
    reached = [0.0, *(found.share_up_to(edge) for edge in edges), 1 - found.missing]
    return [found.missing, *(high - low for low, high in pairwise(reached))]
