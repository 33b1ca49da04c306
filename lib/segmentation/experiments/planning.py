"""How many people a campaign needs before its effect can be told from chance, reckoned before it is sent.

By the two-proportion z test on Cohen's effect size (Statistical Power Analysis, 1988, chapter 6), by statsmodels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, ceil, nan, pi, sin, sqrt

from segmentation.contracts.errors import InputError

_ALPHA = 0.05


@dataclass(frozen=True)
class Plan:
    """What arms of a declared size can show. Shares are of 1."""

    rate: float
    """Share who buy without the campaign."""
    effect: float
    """By how much the campaign is hoped to raise it."""
    power: float
    """How often the effect is to be seen, where there is one."""
    holdout: float
    """Share of the audience that is held out."""
    people: int
    """People in the audience today."""
    needed_treated: int
    needed_control: int
    """People of each arm among whom the effect is seen that often, at 5 % significance."""
    power_today: float
    """How often the effect is seen among the people there are. No number (nan): an arm has nobody."""
    smallest_effect: float
    """The smallest rise that is seen as often as is asked, among them. No number: not even if everyone bought."""


def plan_campaign(rate: float, effect: float, power: float, holdout: float, people: int) -> Plan:
    """Needed people per arm, and what the audience of today can show.

    `holdout`: between 0 and 1. Raises `InputError` where `rate` and the rate with the `effect` are not shares of some
    and not of all, or where chance alone would have the `power`.
    """
    if not (0 < rate < rate + effect < 1):
        raise InputError(
            f"A rise by {100 * effect:g} points from {100 * rate:g} % who buy cannot be planned for: some people, and "
            "not all, must buy before and after it. Say another `--rate` or `--effect`."
        )
    if not _ALPHA < power < 1:
        raise InputError(f"A power of {power:g} cannot be planned for: it is above {_ALPHA:g} and below 1.")
    # It takes a second to import, and hardly any command needs it.
    from statsmodels.stats.power import NormalIndPower
    from statsmodels.stats.proportion import proportion_effectsize

    test, ratio, control = NormalIndPower(), (1 - holdout) / holdout, round(holdout * people)
    size = float(proportion_effectsize(rate + effect, rate))
    needed = float(test.solve_power(effect_size=size, alpha=_ALPHA, power=power, ratio=ratio))
    today = smallest = nan
    if 0 < control < people:
        arms = {"nobs1": control, "alpha": _ALPHA, "ratio": (people - control) / control}
        today = float(test.power(effect_size=size, **arms))
        reach = float(test.solve_power(power=power, **arms))
        smallest = _raised(rate, reach) - rate
    return Plan(rate, effect, power, holdout, people, ceil(needed * ratio), ceil(needed), today, smallest)


def _raised(rate: float, size: float) -> float:
    """The share that is above `rate` by an effect size; no number where there is none so high."""
    angle = asin(sqrt(rate)) + size / 2
    return sin(angle) ** 2 if angle < pi / 2 else nan
