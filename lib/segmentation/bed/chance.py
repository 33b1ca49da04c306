"""Chance that depends on names, not on where or when a row is computed.

Each draw is a hash of the seed, what the draw is for, and the keys of the row. The same row therefore gets the same
draw whatever the number of partitions, which `rand(seed)` does not promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

_UNIT = 2.0**-53
_TWO_PI = 6.283185307179586


@dataclass(frozen=True)
class Chance:
    """Draws of one seeded world."""

    seed: int

    def number(self, purpose: str, *keys: Column) -> Column:
        """64 random bits as LONG."""
        return F.xxhash64(F.lit(self.seed), F.lit(purpose), *keys)

    def uniform(self, purpose: str, *keys: Column) -> Column:
        """A DOUBLE in [0, 1)."""
        return F.shiftrightunsigned(self.number(purpose, *keys), 11).cast("double") * F.lit(_UNIT)

    def happens(self, share: float | Column, purpose: str, *keys: Column) -> Column:
        """BOOLEAN, true for this share of the rows."""
        return self.uniform(purpose, *keys) < share

    def below(self, bound: int | Column, purpose: str, *keys: Column) -> Column:
        """An INT from 0 to `bound` - 1, each as likely."""
        return F.floor(self.uniform(purpose, *keys) * bound).cast("int")

    def normal(self, purpose: str, *keys: Column) -> Column:
        """A standard normal DOUBLE (Box and Muller 1958)."""
        radius = F.sqrt(-2.0 * F.log(1.0 - self.uniform(f"{purpose}/radius", *keys)))
        return radius * F.cos(self.uniform(f"{purpose}/angle", *keys) * _TWO_PI)

    def exponential(self, mean: float | Column, purpose: str, *keys: Column) -> Column:
        """An exponential DOUBLE with this mean."""
        return -F.log(1.0 - self.uniform(purpose, *keys)) * mean

    def around(self, mean: Column, purpose: str, *keys: Column) -> Column:
        """A count of about `mean`, spread like a Poisson's (its normal approximation, never negative), as INT."""
        drawn = F.floor(mean + F.sqrt(mean) * self.normal(purpose, *keys) + 0.5)
        return F.greatest(drawn, F.lit(0)).cast("int")

    def pick(self, values: Sequence[str], purpose: str, *keys: Column) -> Column:
        """One of a few texts, each as likely."""
        return F.element_at(F.array(*map(F.lit, values)), self.below(len(values), purpose, *keys) + 1)

    def weighted(self, weights: Sequence[float], purpose: str, *keys: Column) -> Column:
        """The number (INT, from 0) of one of the weights, as likely as it is heavy."""
        total, reached = sum(weights), 0.0
        drawn = self.uniform(purpose, *keys) * total
        chosen = F.lit(len(weights) - 1)
        limits = []
        for number, weight in enumerate(weights[:-1]):
            reached += weight
            limits.append((number, reached))
        for number, limit in reversed(limits):
            chosen = F.when(drawn < limit, number).otherwise(chosen)
        return chosen.cast("int")

    def token(self, purpose: str, *keys: Column) -> Column:
        """32 hexadecimal digits, such as a cookie's or a device's id."""
        halves = [F.lpad(F.hex(self.number(f"{purpose}/{half}", *keys)), 16, "0") for half in ("a", "b")]
        return F.lower(F.concat(*halves))
