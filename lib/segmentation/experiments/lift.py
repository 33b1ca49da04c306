"""What a campaign adds: treated people against the control group, with confidence intervals.

All is reckoned from a few sums per arm, so any number of people comes down to one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan, sqrt

from scipy.stats import norm, t


@dataclass(frozen=True)
class Arm:
    """Sums over the people of one arm: how many, how many bought, and the sum and squares of what each spent."""

    people: int
    converted: int
    amount: float
    squares: float

    def __add__(self, other: Arm) -> Arm:
        return Arm(
            self.people + other.people,
            self.converted + other.converted,
            self.amount + other.amount,
            self.squares + other.squares,
        )

    @property
    def rate(self) -> float:
        """Share of the people who bought."""
        return self.converted / self.people if self.people else nan

    @property
    def mean(self) -> float:
        """What a person spent on average."""
        return self.amount / self.people if self.people else nan

    @property
    def error(self) -> float:
        """Square of the standard error of that mean."""
        if self.people < 2:
            return nan
        spread = max(self.squares - self.amount**2 / self.people, 0.0)
        return spread / (self.people - 1) / self.people


@dataclass(frozen=True)
class Effect:
    """Treated less control, with its confidence interval and the probability of one as large by chance alone.

    All but the difference are no number (nan) where an arm is too small to say.
    """

    difference: float
    low: float
    high: float
    p_value: float


def compare_rates(treated: Arm, control: Arm, confidence: float = 0.95) -> Effect:
    """Difference of the shares who bought.

    Interval: Newcombe's hybrid score, which holds for small groups and shares near 0 (Statistics in Medicine 17,
    1998, method 10). Probability: two-proportion z test with the pooled share.
    """
    difference = treated.rate - control.rate
    if not treated.people or not control.people:
        return Effect(difference, nan, nan, nan)
    z = float(norm.ppf((1 + confidence) / 2))
    (low_t, high_t), (low_c, high_c) = _wilson(treated, z), _wilson(control, z)
    low = difference - sqrt((treated.rate - low_t) ** 2 + (high_c - control.rate) ** 2)
    high = difference + sqrt((high_t - treated.rate) ** 2 + (control.rate - low_c) ** 2)
    pooled = (treated.converted + control.converted) / (treated.people + control.people)
    error = sqrt(pooled * (1 - pooled) * (1 / treated.people + 1 / control.people))
    p_value = 2 * float(norm.sf(abs(difference) / error)) if error else 1.0
    return Effect(difference, low, high, p_value)


def compare_means(treated: Arm, control: Arm, confidence: float = 0.95) -> Effect:
    """Difference of what people spent on average, by Welch's t test (Biometrika 34, 1947)."""
    difference = treated.mean - control.mean
    variance = treated.error + control.error
    if not variance > 0:
        return Effect(difference, nan, nan, nan)
    freedom = variance**2 / (treated.error**2 / (treated.people - 1) + control.error**2 / (control.people - 1))
    half = float(t.ppf((1 + confidence) / 2, freedom)) * sqrt(variance)
    p_value = 2 * float(t.sf(abs(difference) / sqrt(variance), freedom))
    return Effect(difference, difference - half, difference + half, p_value)


def adjust_p_values(found: Mapping[str, float]) -> dict[str, float]:
    """Probabilities of several tests, corrected for their number by Holm's method; no number stays none."""
    known = sorted((p, name) for name, p in found.items() if p == p)
    adjusted, highest = dict(found), 0.0
    for place, (p, name) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - place)))
        adjusted[name] = highest
    return adjusted


def _wilson(arm: Arm, z: float) -> tuple[float, float]:
    """Score interval of a share."""
    n, p = arm.people, arm.rate
    centre, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)
