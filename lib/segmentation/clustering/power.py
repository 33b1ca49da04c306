"""The power transform of Yeo and Johnson (A new family of power transformations to improve normality or symmetry,
Biometrika 2000), which takes the skew from values of either sign. Power 1 changes nothing; power 0 is log(1 + x) where
x is not negative."""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, log1p

import numpy as np
from scipy.stats import yeojohnson_normmax

LOWEST, HIGHEST = -3.0, 5.0
"""Powers beyond these only draw out a single value."""


def fit_power(quantiles: Sequence[float]) -> float:
    """The most likely power for values with these quantiles, evenly spaced."""
    values = np.unique(np.asarray(quantiles, dtype=float))
    if len(values) < 3:
        return 1.0
    return float(np.clip(yeojohnson_normmax(np.asarray(quantiles, dtype=float)), LOWEST, HIGHEST))


def raise_to(value: float, power: float) -> float:
    """The transformed value."""
    if power == 1:
        return value
    if value >= 0:
        return log1p(value) if power == 0 else ((value + 1) ** power - 1) / power
    return -log1p(-value) if power == 2 else -((1 - value) ** (2 - power) - 1) / (2 - power)


def undo(raised: float, power: float) -> float:
    """The value that is transformed into this."""
    if power == 1:
        return raised
    if raised >= 0:
        return expm1(raised) if power == 0 else max(raised * power + 1, 0.0) ** (1 / power) - 1
    return -expm1(-raised) if power == 2 else 1 - max(1 - (2 - power) * raised, 0.0) ** (1 / (2 - power))


def power_sql(value: str, power: float, low: float) -> str:
    """The transformation as Spark SQL over an expression that is nowhere below `low`."""
    if power == 1:
        return value
    above = f"log1p({value})" if power == 0 else f"(pow(({value}) + 1D, {power!r}D) - 1D) / {power!r}D"
    if low >= 0:
        return above
    rest = 2 - power
    below = f"-log1p(-({value}))" if rest == 0 else f"-(pow(1D - ({value}), {rest!r}D) - 1D) / {rest!r}D"
    return f"CASE WHEN {value} >= 0 THEN {above} ELSE {below} END"
