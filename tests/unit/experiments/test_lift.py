"""Effects against scipy's own tests on the same people, and against what is known of them."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from scipy import stats

from segmentation.experiments.lift import Arm, adjust_p_values, compare_means, compare_rates


def _arm(spent: np.ndarray) -> Arm:
    return Arm(len(spent), int((spent > 0).sum()), float(spent.sum()), float((spent**2).sum()))


def _spend(random: np.random.Generator, people: int, rate: float, mean: float) -> np.ndarray:
    return (random.random(people) < rate) * random.gamma(2.0, mean / 2, people)


def test_means_are_compared_as_by_welch() -> None:
    random = np.random.default_rng(1)
    treated, control = _spend(random, 400, 0.3, 20), _spend(random, 90, 0.2, 15)
    found, expected = compare_means(_arm(treated), _arm(control)), stats.ttest_ind(treated, control, equal_var=False)
    interval = expected.confidence_interval()
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.difference == pytest.approx(treated.mean() - control.mean())


def test_rates_are_compared_as_in_newcombes_paper() -> None:
    # His examples (a) and (d) of Table II, method 10: 56/70 against 48/80, and 5/56 against 0/29.
    found = compare_rates(Arm(70, 56, 0, 0), Arm(80, 48, 0, 0))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    found = compare_rates(Arm(56, 5, 0, 0), Arm(29, 0, 0, 0))
    assert (round(found.low, 4), round(found.high, 4)) == (-0.0381, 0.1926)
    assert compare_rates(Arm(50, 0, 0, 0), Arm(50, 0, 0, 0)).p_value == 1


def test_intervals_cover_what_is_known() -> None:
    random = np.random.default_rng(7)
    rates, means = [], []
    for _ in range(2000):
        treated, control = _arm(_spend(random, 900, 0.12, 30)), _arm(_spend(random, 300, 0.1, 30))
        effect = compare_rates(treated, control)
        rates.append(effect.low <= 0.02 <= effect.high)
        effect = compare_means(treated, control)
        means.append(effect.low <= 0.6 <= effect.high)
    assert 0.93 <= np.mean(rates) <= 0.97
    assert 0.93 <= np.mean(means) <= 0.97


def test_arms_that_are_too_small_say_so() -> None:
    nobody, one = Arm(0, 0, 0, 0), Arm(1, 1, 5, 25)
    for compare in (compare_rates, compare_means):
        effect = compare(one, nobody)
        assert isnan(effect.low)
        assert isnan(effect.p_value)
    assert isnan(compare_means(Arm(9, 0, 0, 0), Arm(9, 0, 0, 0)).low), "nobody spent anything"


def test_several_tests_are_corrected_by_holm() -> None:
    found = adjust_p_values({"a": 0.01, "b": 0.04, "c": 0.03, "none": nan})
    assert [found[name] for name in "abc"] == pytest.approx([0.03, 0.06, 0.06])
    assert isnan(found["none"])
