"""What a campaign adds: treated people against the control group, with confidence intervals.

All is reckoned from a few sums per arm, so any number of people comes down to one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from math import nan, sqrt
from typing import TypeVar

from scipy.stats import norm, t

Test = TypeVar("Test")
"""By what a test is known."""


@dataclass(frozen=True)
class Arm:
    """Sums over the people of one arm: how many, how many bought, and the sum and squares of what each spent.

    `before`, `before_squares` and `products` are the sums of what each had spent before, of its square, and of its
    product with what they spent afterwards.
    """

    people: int
    converted: int
    amount: float
    squares: float
    before: float = 0.0
    before_squares: float = 0.0
    products: float = 0.0

    def __add__(self, other: Arm) -> Arm:
        return Arm(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))

    @property
    def rate(self) -> float:
        """Share of the people who bought."""
        return self.converted / self.people if self.people else nan

    @property
    def mean(self) -> float:
        """What a person spent on average."""
        return self.amount / self.people if self.people else nan

    @property
    def mean_before(self) -> float:
        """What a person had spent before on average."""
        return self.before / self.people if self.people else nan

    @property
    def spread(self) -> float:
        """Sum of the squared deviations of what each spent from its mean."""
        return max(self.squares - self.amount * self.mean, 0.0)

    @property
    def spread_before(self) -> float:
        """The same of what each had spent before."""
        return max(self.before_squares - self.before * self.mean_before, 0.0)

    @property
    def shared_spread(self) -> float:
        """Sum of the products of both deviations."""
        return self.products - self.amount * self.mean_before

    def error(self, slope: float = 0.0) -> float:
        """Square of the standard error of the mean of what people spent, less `slope` times what they had before."""
        if self.people < 2:
            return nan
        rest = self.spread - 2 * slope * self.shared_spread + slope**2 * self.spread_before
        return max(rest, 0.0) / (self.people - 1) / self.people


NOBODY = Arm(0, 0, 0.0, 0.0)
"""An arm without people, to add others to."""


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
    return _welch(treated, control, 0.0, confidence)


def compare_means_given_before(treated: Arm, control: Arm, confidence: float = 0.95) -> Effect:
    """The same, less what follows from what people had spent before: CUPED (Deng, Xu, Kohavi, Walker, WSDM 2013).

    Chance gives an arm more of those who spend much anyway; what they had spent tells how many. The difference that is
    expected stays the same and its interval becomes narrower, the more the one goes with the other.
    """
    arms = [arm for arm in (treated, control) if arm.people]
    known = sum(arm.spread_before for arm in arms)
    slope = sum(arm.shared_spread for arm in arms) / known if known > 0 else 0.0
    return _welch(treated, control, slope, confidence)


def smallest_visible(treated: Arm, control: Arm, power: float = 0.8, confidence: float = 0.95) -> float:
    """The difference of shares that arms of this size show to be more than chance, this often (`power`).

    By the two-proportion z test, at the share of all who bought (Cohen, Statistical Power Analysis, 1988, chapter 6).
    No number (nan) where nobody bought, or everybody did.
    """
    people = treated.people + control.people
    share = (treated.converted + control.converted) / people if people else nan
    if not treated.people or not control.people or not 0 < share < 1:
        return nan
    reach = float(norm.ppf((1 + confidence) / 2) + norm.ppf(power))
    return reach * sqrt(share * (1 - share) * (1 / treated.people + 1 / control.people))


def _welch(treated: Arm, control: Arm, slope: float, confidence: float) -> Effect:
    difference = treated.mean - control.mean
    if slope:
        difference -= slope * (treated.mean_before - control.mean_before)
    errors = treated.error(slope), control.error(slope)
    variance = sum(errors)
    if not variance > 0:
        return Effect(difference, nan, nan, nan)
    freedom = variance**2 / (errors[0] ** 2 / (treated.people - 1) + errors[1] ** 2 / (control.people - 1))
    half = float(t.ppf((1 + confidence) / 2, freedom)) * sqrt(variance)
    p_value = 2 * float(t.sf(abs(difference) / sqrt(variance), freedom))
    return Effect(difference, difference - half, difference + half, p_value)


def adjust_p_values(found: Mapping[Test, float]) -> dict[Test, float]:
    """Probabilities of several tests, corrected for their number by Holm's method; no number stays none."""
    known = sorted(((p, name) for name, p in found.items() if p == p), key=lambda one: one[0])
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
