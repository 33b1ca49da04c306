"""Intervals by drawing again against scipy's bootstrap on the same people, and against what is known."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from scipy import stats

from segmentation.experiments.lift import Arm
from segmentation.experiments.resampling import resample_means


def _spend(random: np.random.Generator, people: int, rate: float) -> np.ndarray:
    """Some buy, and a few of them spend very much."""
    return (random.random(people) < rate) * random.lognormal(2.0, 1.0, people)


def _groups(spent: np.ndarray, random: np.random.Generator, groups: int = 200) -> list[Arm]:
    of = random.integers(0, groups, len(spent))
    parts = [spent[of == group] for group in range(groups)]
    return [Arm(len(p), int((p > 0).sum()), float(p.sum()), float((p**2).sum())) for p in parts if len(p)]


def test_groups_come_to_the_same_as_people() -> None:
    random = np.random.default_rng(2)
    treated, control = _spend(random, 6000, 0.4), _spend(random, 3000, 0.3)
    found = resample_means(_groups(treated, random), _groups(control, random))
    assert found.difference == pytest.approx(treated.mean() - control.mean())
    drawn = stats.bootstrap(
        (treated, control),
        lambda one, other, axis: one.mean(axis=axis) - other.mean(axis=axis),
        n_resamples=2000,
        method="percentile",
        batch=200,
        random_state=random,
    ).confidence_interval
    width = drawn.high - drawn.low
    assert (found.low, found.high) == pytest.approx((drawn.low, drawn.high), abs=0.06 * width)
    assert found.p_value < 0.05


def test_intervals_cover_what_is_known() -> None:
    random = np.random.default_rng(17)
    mean = float(np.exp(2.5))
    covered = []
    for _ in range(200):
        arms = [_groups(_spend(random, people, rate), random) for people, rate in ((3000, 0.3), (1500, 0.25))]
        effect = resample_means(*arms)
        covered.append(effect.low <= 0.05 * mean <= effect.high)
    assert 0.93 <= np.mean(covered) <= 0.97


def test_the_same_people_give_the_same_figures() -> None:
    random = np.random.default_rng(4)
    arms = [_groups(_spend(random, 500, 0.3), random) for _ in range(2)]
    assert resample_means(*arms) == resample_means(*arms)
    assert resample_means(arms[0], arms[0]).p_value > 0.9


def test_arms_that_are_too_small_say_so() -> None:
    one, quiet = Arm(1, 1, 5, 25), [Arm(3, 0, 0, 0)] * 9
    assert isnan(resample_means([one], [one, one]).low)
    assert isnan(resample_means([], [one, one]).difference)
    assert isnan(resample_means(quiet, quiet).low), "nobody spent anything"
