"""What a campaign adds to what people spend, by drawing again from the people there are.

A few people who spend very much make what a t test supposes of a mean doubtful; a bootstrap supposes nothing of how
spending is spread. People are put into groups at random beforehand, and groups are drawn instead of people: that comes
to the same, and any number of people comes down to a few sums a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from segmentation.experiments.lift import NOBODY, Arm, Effect

DRAWS = 2000
_SEED = 20260317


def resample_means(treated: Sequence[Arm], control: Sequence[Arm], confidence: float = 0.95) -> Effect:
    """Difference of what people spent on average, by the percentile bootstrap (Efron, Annals of Statistics 7, 1979).

    Each arm comes as the sums of its groups, none of which is empty. The same groups give the same figures.
    """
    difference = sum(treated, NOBODY).mean - sum(control, NOBODY).mean
    if min(len(treated), len(control)) < 2 or not any(group.squares for group in (*treated, *control)):
        return Effect(difference, nan, nan, nan)
    random = np.random.default_rng(_SEED)
    drawn = _draw(treated, random) - _draw(control, random)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    beyond = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return Effect(difference, float(low), float(high), min(1.0, 2 * (int(beyond) + 1) / (DRAWS + 1)))


def _draw(groups: Sequence[Arm], random: np.random.Generator) -> NDArray[np.float64]:
    """The mean of each draw of as many groups as there are."""
    taken = random.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=DRAWS)
    sums = taken @ np.array([[group.amount, group.people] for group in groups])
    means: NDArray[np.float64] = sums[:, 0] / sums[:, 1]
    return means
