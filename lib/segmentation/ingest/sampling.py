"""Sampling of events that come in masses and say little each: of some names one in so many is kept, and stands for
all of them by its weight."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F


def weight_column(one_in: Mapping[str, int]) -> Column:
    """How many events of its name an event stands for, if it is kept. LONG; null: for itself alone.

    `one_in`: event name -> of how many one is kept. What has an amount is always kept, so that money stays exact.
    """
    weight = F.lit(None).cast("bigint")
    for name, number in sorted(one_in.items()):
        is_one = (F.col("event_name") == name) & F.col("amount").isNull()
        weight = F.when(is_one, F.lit(number)).otherwise(weight)
    return weight


def is_left_out() -> Column:
    """Whether an event with this `weight` is not kept.

    That is the event's own id to say: so it is the same whenever, in what order and however often the event comes.
    """
    return F.coalesce(F.pmod(F.xxhash64(F.lit("sampling"), "event_id"), F.col("weight")) != 0, F.lit(False))
