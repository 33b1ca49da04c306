"""When visits fall: weekdays, seasons and a spike, as a distribution over the days of the world."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.bed.knobs import Season

_SLOTS = 2048


@dataclass(frozen=True)
class Calendar:
    """Shares of the traffic by day, and back from a share to a day, as look-ups in constant arrays."""

    reached: tuple[float, ...]
    """Share of all traffic before each day, and 1 at the end."""

    @classmethod
    def of(cls, season: Season, start: date, days: int) -> Calendar:
        weights = []
        for number in range(days):
            day = start + timedelta(days=number)
            phase = (day.month - season.best_month + day.day / 31) / 12
            weight = season.weekdays[day.weekday()] * (1 + season.yearly_swing * math.cos(2 * math.pi * phase))
            weights.append(weight * (season.spike if number == season.spike_day else 1))
        total = sum(weights)
        return cls(tuple(round(part / total, 12) for part in accumulate(weights, initial=0.0)))

    @property
    def days(self) -> int:
        return len(self.reached) - 1

    def share_before(self, day: Column) -> Column:
        """The share of all traffic before `day` (INT, 0 to the number of days)."""
        return F.element_at(_array(self.reached), day.cast("int") + 1)

    def day_at(self, share: Column) -> Column:
        """The day (DOUBLE, with its fraction) before which `share` of the traffic falls."""
        place = F.least(F.greatest(share, F.lit(0.0)), F.lit(1 - 1e-9)) * _SLOTS
        slot = F.floor(place).cast("int")
        table = _array(self._quantiles())
        low, high = F.element_at(table, slot + 1), F.element_at(table, slot + 2)
        return low + (place - slot) * (high - low)

    def _quantiles(self) -> tuple[float, ...]:
        """The day at each of the slots' borders, interpolated within days."""
        found, day = [], 0
        for slot in range(_SLOTS + 1):
            wanted = slot / _SLOTS
            while day < self.days - 1 and self.reached[day + 1] <= wanted:
                day += 1
            width = self.reached[day + 1] - self.reached[day]
            found.append(round(min(day + (wanted - self.reached[day]) / width, self.days), 9))
        return tuple(found)


def _array(values: tuple[float, ...]) -> Column:
    """A constant array; Spark reads the text once, when it plans."""
    return F.from_json(F.lit(json.dumps(values)), "array<double>")
