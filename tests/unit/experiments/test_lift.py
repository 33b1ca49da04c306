"""Effects against scipy's own tests on the same people, and against what is known of them."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan

import numpy as np
import pytest
from scipy import stats

from segmentation.experiments.lift import (
    Arm,
    adjust_p_values,
    compare_means,
    compare_means_given_before,
    compare_rates,
    smallest_visible,
)


def _arm(spent: np.ndarray) -> Arm:
    return Arm(len(spent), int((spent > 0).sum()), float(spent.sum()), float((spent**2).sum()))


def _arm_with_before(spent: np.ndarray, before: np.ndarray) -> Arm:
    sums = (float(before.sum()), float((before**2).sum()), float((before * spent).sum()))
    return replace(_arm(spent), before=sums[0], before_squares=sums[1], products=sums[2])


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


def test_what_people_had_spent_is_taken_out_as_by_regression() -> None:
    random = np.random.default_rng(3)
    before = random.gamma(2.0, 20, 500)
    is_treated = random.random(500) < 0.7
    spent = 0.8 * before + 5 * is_treated + random.normal(0, 10, 500)
    found = compare_means_given_before(
        *(_arm_with_before(spent[chosen], before[chosen]) for chosen in (is_treated, ~is_treated))
    )
    columns = np.column_stack([np.ones(500), is_treated, before])
    assert found.difference == pytest.approx(np.linalg.lstsq(columns, spent, rcond=None)[0][1])
    plain = compare_means(_arm(spent[is_treated]), _arm(spent[~is_treated]))
    assert found.high - found.low < 0.6 * (plain.high - plain.low)
    assert found.low < 5 < found.high


def test_intervals_given_what_was_spent_before_cover_what_is_known() -> None:
    random = np.random.default_rng(11)
    covered = []
    for _ in range(2000):
        arms = []
        for people, effect in ((600, 2.0), (200, 0.0)):
            before = random.gamma(1.5, 20, people)
            arms.append(_arm_with_before(0.5 * before + effect + random.gamma(2.0, 6, people), before))
        found = compare_means_given_before(*arms)
        covered.append(found.low <= 2 <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.97


def test_without_a_past_nothing_is_taken_out() -> None:
    random = np.random.default_rng(5)
    treated, control = _arm(_spend(random, 300, 0.3, 20)), _arm(_spend(random, 100, 0.2, 15))
    assert compare_means_given_before(treated, control) == compare_means(treated, control)


def test_the_smallest_visible_difference_is_seen_four_times_in_five() -> None:
    random = np.random.default_rng(13)
    visible = smallest_visible(Arm(1000, 105, 0, 0), Arm(400, 42, 0, 0))
    seen = []
    for _ in range(2000):
        bought = random.binomial(1000, 0.105 + visible * 0.3), random.binomial(400, 0.105 - visible * 0.7)
        seen.append(compare_rates(Arm(1000, bought[0], 0, 0), Arm(400, bought[1], 0, 0)).p_value < 0.05)
    assert 0.75 <= np.mean(seen) <= 0.85
    assert isnan(smallest_visible(Arm(9, 0, 0, 0), Arm(9, 0, 0, 0))), "nobody bought"
    assert isnan(smallest_visible(Arm(9, 3, 0, 0), Arm(0, 0, 0, 0))), "nobody is held out"


def test_arms_that_are_too_small_say_so() -> None:
    nobody, one = Arm(0, 0, 0, 0), Arm(1, 1, 5, 25)
    for compare in (compare_rates, compare_means, compare_means_given_before):
        effect = compare(one, nobody)
        assert isnan(effect.low)
        assert isnan(effect.p_value)
    assert isnan(compare_means(Arm(9, 0, 0, 0), Arm(9, 0, 0, 0)).low), "nobody spent anything"


def test_several_tests_are_corrected_by_holm() -> None:
    found = adjust_p_values({"a": 0.01, "b": 0.04, "c": 0.03, "none": nan})
    assert [found[name] for name in "abc"] == pytest.approx([0.03, 0.06, 0.06])
    assert isnan(found["none"])
