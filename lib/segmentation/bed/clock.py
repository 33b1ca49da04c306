"""Days of the world as milliseconds since 1970 (UTC), which is how rows count time."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.bed.knobs import World

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def midnight(world: World, day: Column | int) -> Column:
    """When a day of the world starts, in milliseconds since 1970."""
    first = (world.start - date(1970, 1, 1)).days * DAY_MS
    return F.lit(first) + (F.lit(day) if isinstance(day, int) else day).cast("bigint") * DAY_MS


def noon(world: World, day: Column | int) -> Column:
    return midnight(world, day) + DAY_MS // 2


def timestamp(milliseconds: str) -> Column:
    """A column of milliseconds as TIMESTAMP."""
    return F.timestamp_millis(F.col(milliseconds))
