"""What a campaign needs, against a table in print and against campaigns that were drawn."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from segmentation.contracts.errors import InputError
from segmentation.experiments.lift import Arm, compare_rates
from segmentation.experiments.planning import plan_campaign


def test_needed_people_are_as_in_print() -> None:
    # Cohen 1988, table 6.4.1: for h = 0.20 at 5 % (two-sided) and a power of 0.80, 392 people an arm.
    rate = 0.3
    raised = float(np.sin(np.arcsin(np.sqrt(rate)) + 0.1) ** 2)
    found = plan_campaign(rate, raised - rate, 0.8, 0.5, 784)
    assert abs(found.needed_control - 392) <= 1
    assert found.needed_treated == found.needed_control
    assert found.power_today == pytest.approx(0.8, abs=0.002)
    assert found.smallest_effect == pytest.approx(raised - rate, abs=0.001)


def test_what_is_planned_is_seen_as_often_as_it_says() -> None:
    found = plan_campaign(0.05, 0.02, 0.8, 0.1, 20_000)
    assert found.needed_treated == pytest.approx(9 * found.needed_control, abs=9)
    random = np.random.default_rng(17)
    seen = []
    for _ in range(2000):
        bought = random.binomial(found.needed_treated, 0.07), random.binomial(found.needed_control, 0.05)
        arms = (Arm(found.needed_treated, bought[0], 0, 0), Arm(found.needed_control, bought[1], 0, 0))
        seen.append(compare_rates(*arms).p_value < 0.05)
    assert 0.75 <= np.mean(seen) <= 0.85


def test_an_audience_that_is_too_small_says_so() -> None:
    few = plan_campaign(0.5, 0.1, 0.8, 0.1, 20)
    assert few.power_today < 0.1
    assert isnan(few.smallest_effect), "not even if everyone bought"
    assert isnan(plan_campaign(0.5, 0.1, 0.8, 0.1, 4).power_today), "nobody would be held out"


@pytest.mark.parametrize(
    ("rate", "effect", "power", "said"),
    [
        (0.0, 0.01, 0.8, "A rise by 1 points from 0 % who buy"),
        (0.95, 0.05, 0.8, "A rise by 5 points from 95 %"),
        (0.1, 0.0, 0.8, "A rise by 0 points"),
        (0.1, 0.01, 0.05, "A power of 0.05"),
        (0.1, 0.01, 1.0, "A power of 1 "),
    ],
)
def test_what_cannot_be_is_refused(rate: float, effect: float, power: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan_campaign(rate, effect, power, 0.1, 1000)
