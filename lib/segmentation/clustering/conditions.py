"""Whether people meet bounds on their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.config.conditions import Condition


def meets(conditions: Sequence[Condition]) -> Column:
    """Whether a person meets all of the conditions; whoever lacks a feature does not meet what is said of it."""
    return reduce(and_, _bounds(conditions), F.lit(True))


def _bounds(conditions: Sequence[Condition]) -> Iterator[Column]:
    for condition in conditions:
        value = F.nanvl(F.col(condition.feature), F.lit(None).cast("double"))
        if condition.at_least is not None:
            yield F.coalesce(value >= condition.at_least, F.lit(False))
        if condition.at_most is not None:
            yield F.coalesce(value <= condition.at_most, F.lit(False))
