"""What features need of one table, collected so that all of it is computed in one pass.

A feature asks for figures (`count`, `total`, `days`, …) and gets columns to reckon with. Behind them stand two levels:
what a person did on one day, and what the person did on all days up to the date, or on the last N of them. Each
distinct day figure is computed once, whatever windows are asked of it: another feature adds a column, never a scan.

What is known of a day can be put together from parts (`summarize`, `combine`): of several identifiers that turn out to
be one person's, and of events that came in one after the other. So a day's figures may be kept and read again.

Everything that is added up is a whole number or a decimal, so the result has the same bits whatever the order and
the partitioning: decay weights are rounded to 1e-9 first. Where ingestion kept one event in so many (`sample`), counts
and sums are by its weight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import and_
from typing import Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from segmentation.config.rules import FeatureTable, Rule, RuleTable
from segmentation.features.rules import field_column, number_column, rule_column
from segmentation.features.sequences import count_unanswered, sequence_entry
from segmentation.features.spread import AMOUNTS, COUNTS, spread_of
from segmentation.sessions.attach import end_of

_KEYS = {"events": ("event_ts", "event_id"), "sessions": ("session_start", "session_id")}
_DAY = {"events": "event_date", "sessions": "session_start"}
_WEIGHT = 10**9
_TIMES = "_times"
"""Column of the rows: how many a row stands for."""
_PLACE = "_place"
"""Column of the rows: 1 for a person's newest, where that is asked for."""
WEIGHTS = "weights"
"""First word of what stands for a field where events weigh what their names say."""
_LG_REGISTERS = 12
"""Of a sketch, as a power of two: a standard error of 1.04 by the root of 4,096, which is 1.6 % (Flajolet et al.,
HyperLogLog, 2007)."""
_HOUR_US = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Figure:
    """One figure that was asked for: what is made of the days, each of which has something made of a field's rows."""

    table: FeatureTable
    over_days: str
    of_a_day: str
    field: str
    where: Rule | None
    window: int | None
    last: int | None = None
    """Of each person's last so many rows alone; None: of all."""


@dataclass(frozen=True)
class DayFigure:
    """How one figure of a day is made: of rows, of the parts that several made of their rows, and of what there is of
    the whole day; or at once of all rows of the day, where that is cheaper."""

    of_rows: Column
    of_parts: Callable[[Column], Column]
    of_the_day: Callable[[Column], Column]
    at_once: Column | None = None


class Measures:
    """Figures asked of one table, up to the end of `as_of`. `where` is None for all rows, `window` for all days."""

    def __init__(self, table: RuleTable, as_of: date) -> None:
        self.table: RuleTable = table
        self._as_of = as_of
        self._daily: dict[str, DayFigure] = {}
        self._before: dict[str, Column] = {}
        self._totals: dict[str, tuple[str, Column]] = {}
        self._asked: dict[str, tuple[str, str, Rule | None]] = {}
        self._last: int | None = None
        self._lasts: set[int] = set()
        self.figures: list[Figure] = []
        """What was asked for, each figure once, in order."""

    @property
    def asked(self) -> bool:
        """Whether any feature needs this table."""
        return bool(self._totals)

    def of_last(self, rows: int) -> Measures:
        """Asks for the same of each person's last `rows` rows alone, to be computed with all the others. What is so
        asked for needs all rows of a person together: `compute`, not `summarize`."""
        asked = copy(self)
        asked._last = rows
        self._lasts.add(rows)
        return asked

    def count(self, where: Rule | None = None, window: int | None = None) -> Column:
        """How many rows."""
        return self._sum(self._day_count(where), window)

    def total(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """Sum of a field; null where no row has it."""
        return self._sum(self._day_sum(field, number_column(field, self.table), where), window)

    def values(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """How many rows have a value of a numeric field."""
        has = F.when(number_column(field, self.table).isNotNull(), F.col(_TIMES))
        return self._sum(self._day("values", _added(self._when(where, has)), F.sum, field, where), window)

    def least(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """Smallest value of a field."""
        found = self._when(where, number_column(field, self.table))
        day = self._day("min", F.min(found), F.min, field, where)
        return self._total("min", day, window, F.min)

    def most(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """Largest value of a field."""
        found = self._when(where, number_column(field, self.table))
        day = self._day("max", F.max(found), F.max, field, where)
        return self._total("max", day, window, F.max)

    def first(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """The earliest value of a field; rows at the same moment are ordered by id."""
        return self._edge("first", field, number_column(field, self.table), where, window)

    def last(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """The latest value of a field; rows at the same moment are ordered by id."""
        return self._edge("last", field, number_column(field, self.table), where, window)

    def touched(self, which: Literal["first", "last"], field: str, where: Rule | None, window: int | None) -> Column:
        """The earliest or the latest value of a field, as it is."""
        return self._edge(which, field, field_column(field, self.table), where, window, kind=f"{which} text")

    def median(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """The middle value of a field, or the mean of the two in the middle. DOUBLE."""
        found = self._when(where, number_column(field, self.table))
        day = self._day("list", F.collect_list(found), _all_of, field, where)
        ordered = F.sort_array(self._total("flat", day, window, _all_of))
        size = F.size(ordered)
        low, high = F.floor((size - 1) / 2) + 1, F.floor(size / 2) + 1
        middle = [F.try_element_at(ordered, place.cast("int")).cast("double") for place in (low, high)]
        return F.when(size > 0, (middle[0] + middle[1]) / 2)

    def distinct(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """How many different values of a field."""
        values = F.collect_set(self._when(where, field_column(field, self.table)))
        day = self._day("set", values, _different_of, field, where)
        return F.size(self._total("different", day, window, _different_of))

    def identifiers(self) -> Column:
        """How many different identifiers the rows carry. Kept as numbers that say nothing of whose they are."""
        told = F.transform(F.map_entries("identifiers"), lambda entry: F.xxhash64(entry["key"], entry["value"]))
        of_rows = F.array_distinct(F.flatten(F.collect_set(told)))
        day = self._day("identifiers", of_rows, _different_of, "identifiers", None)
        return F.size(self._total("different", day, None, _different_of))

    def distinct_sketched(self, field: str, where: Rule | None = None, window: int | None = None) -> Column:
        """About how many different values of a field: by a sketch a day, whatever their number."""
        value = field_column(field, self.table).cast("string")
        of_rows = F.hll_sketch_agg(self._when(where, value), F.lit(_LG_REGISTERS))
        day = self._day("sketch", of_rows, F.hll_union_agg, field, where)
        sketch = self._total("sketch", day, window, F.hll_union_agg)
        # A sketch that was never put together with another also remembers in what order its values came, and its
        # estimate depends on that; put together with itself it has the registers alone.
        return F.hll_sketch_estimate(F.hll_union(sketch, sketch))

    def spread(self, field: str, weight: str | None, where: Rule | None, window: int | None) -> Column:
        """STRUCT of `entropy` in bits and of `top`, the commonest value's share; rows count by a positive `weight`."""
        if weight is None:
            kind, size, added_as = "counts", F.col(_TIMES).cast("bigint"), COUNTS
        else:
            kind, size, added_as = f"pairs {weight}", number_column(weight, self.table).cast("decimal(28,6)"), AMOUNTS
        value = field_column(field, self.table).cast("string")
        pair = F.when(value.isNotNull() & (size > 0), F.struct(value.alias("value"), size.alias("size")))
        day = self._day(kind, F.collect_list(self._when(where, pair)), _all_of, field, where)
        return self._total("spread", day, window, lambda c: spread_of(_all_of(c), added_as))

    def days(self, where: Rule | None = None, window: int | None = None) -> Column:
        """On how many days there was such a row."""
        return self._total("days", self._day_count(where), window, lambda c: F.count_if(c > 0))

    def first_day(self, where: Rule | None = None) -> Column:
        """The first day with such a row. DATE."""
        return self._total("first day", self._day_count(where), None, lambda c: F.min(F.when(c > 0, F.col("day"))))

    def last_day(self, where: Rule | None = None) -> Column:
        """The last day with such a row. DATE."""
        return self._total("last day", self._day_count(where), None, lambda c: F.max(F.when(c > 0, F.col("day"))))

    def periods(self, where: Rule, length: int) -> Column:
        """In how many periods of `length` days, counted back from the date, there was such a row."""
        if length == 1:
            return self.days(where)
        count = self._day_count(where)
        period, before = self._period(length), self._period(length, self._day_before(count))
        starts = before.isNull() | (before != period)
        return self._total(f"periods {length}", count, None, lambda c: F.count_if((c > 0) & starts))

    def first_period_total(self, field: str, where: Rule, length: int) -> Column:
        """Sum of a field in the first such period with such a row."""
        if length == 1:
            return self.first_day_total(field, where)
        total, count = self._day_sum(field, number_column(field, self.table), where), self._day_count(where)
        everything = Window.partitionBy("person_id")
        first = f"first_{count}"
        self._before[first] = F.min(F.when(F.col(count) > 0, F.col("day"))).over(everything)
        is_first = self._period(length) == self._period(length, first)
        return self._total(f"first-period {length}", total, None, lambda c: F.sum(F.when(is_first, c)))

    def first_day_total(self, field: str, where: Rule) -> Column:
        """Sum of a field on the first day with such a row."""
        total, count = self._day_sum(field, number_column(field, self.table), where), F.col(self._day_count(where))
        return self._total("first day's", total, None, lambda c: F.min_by(c, F.when(count > 0, F.col("day"))))

    def squared_gaps(self, where: Rule) -> Column:
        """Sum of the squares of the days from each day with such a row to the next one."""
        count = self._day_count(where)
        gap = F.datediff("day", self._day_before(count)).cast("long")
        return self._total("gaps", count, None, lambda c: F.sum(F.when(c > 0, gap * gap)))

    def decayed(self, field: str | None, where: Rule | None, half_life: float) -> Column:
        """Rows, or the sum of a field, where what is `half_life` days old counts half."""
        day = self._day_count(where) if field is None else self._day_sum(field, number_column(field, self.table), where)
        return self._decayed(day, half_life)

    def decayed_weights(self, weights: dict[str, float], half_life: float) -> Column:
        """The same of events that each weigh what their name says."""
        weight = F.lit(0).cast(DecimalType(18, 6))
        for name, value in sorted(weights.items()):
            weight = F.when(F.col("event_name") == name, F.lit(value).cast(DecimalType(18, 6))).otherwise(weight)
        return self._decayed(self._day_sum(f"{WEIGHTS} {sorted(weights.items())}", weight, None), half_life)

    def trend(self, field: str | None, where: Rule | None, weeks: int) -> Column:
        """Slope of the weekly counts, or sums, over the last `weeks`, by their mean: 0.1 is ten per cent more a week.

        Least squares over weeks 0 … n−1, which in whole numbers is 6 Σ(2x−n+1)y / ((n²−1) Σy).
        """
        day = self._day_count(where) if field is None else self._day_sum(field, number_column(field, self.table), where)
        place = F.lit(weeks - 1) - 2 * F.floor(self._age() / 7)
        tilt = self._total(f"tilt {weeks}", day, weeks * 7, lambda c: F.sum(c * place))
        level = self._sum(day, weeks * 7)
        return F.when(level > 0, ratio(6 * tilt.cast("double"), (weeks * weeks - 1) * level.cast("double")))

    def unanswered(self, first: Rule, then: Rule, hours: float, window: int | None = None) -> Column:
        """How many events meet `first` that none which meets `then` followed within so many hours.

        Those hours are over at the end of the date; see `sequences` for events at one moment.
        """
        entry = sequence_entry(rule_column(first, self.table), rule_column(then, self.table))
        day = self._day("sequence", F.collect_list(entry), _all_of, then.sha256(), first)
        within, until = round(hours * _HOUR_US), (end_of(self._as_of) - _EPOCH) // timedelta(microseconds=1)
        return self._total(f"unanswered {within}", day, window, lambda c: count_unanswered(_all_of(c), within, until))

    def baskets(self, bought: Rule) -> Column:
        """Purchase occasions: distinct `session_key`s, or moments where there is none, among rows with `bought`.

        One that lasts over midnight counts on both days.
        """
        occasion = F.coalesce("session_key", F.unix_micros("event_ts").cast("string"))
        bought_on = self._when(bought, occasion)
        at_once = F.count_distinct(bought_on)
        day = self._day("baskets", F.collect_set(bought_on), _different_of, "", bought, F.size, at_once)
        return self._sum(day, None)

    def compute(self, rows: DataFrame) -> DataFrame:
        """All figures asked for: one row a person, from rows with `person_id`, of which none is after the date."""
        # Of events a day has many, which are added up before they are moved; of sessions one or two.
        moved = rows.repartition("person_id") if self.table == "sessions" else rows
        named = self._daily.items()
        parts = ((f.at_once if f.at_once is not None else f.of_rows).alias(name) for name, f in named)
        whole = (F.col(name) if f.at_once is not None else f.of_the_day(F.col(name)).alias(name) for name, f in named)
        return self._over_days(self._by_day(moved, ("person_id",), parts).select("person_id", "day", *whole))

    def summarize(self, rows: DataFrame, by: Sequence[str]) -> DataFrame:
        """What the rows make of each day: grain out `by` and `day`, with a column a figure. Its name says what it is of
        (`_day`), and so means the same in every run."""
        return self._by_day(rows, by, (figure.of_rows.alias(name) for name, figure in self._daily.items()))

    def combine(self, parts: DataFrame) -> DataFrame:
        """All figures asked for: one row a person, from rows as of `summarize` with `person_id`, none after the date. A
        person's day may be in several of them."""
        # Moved and sorted once: what follows finds a person's days together, and in order.
        moved = parts.select("person_id", "day", *self._daily).repartition("person_id")
        days = moved.sortWithinPartitions("person_id", "day").groupBy("person_id", "day")
        merged = (f.of_the_day(f.of_parts(F.col(name))).alias(name) for name, f in self._daily.items())
        return self._over_days(days.agg(*merged))

    def _by_day(self, rows: DataFrame, by: Sequence[str], figures: Iterable[Column]) -> DataFrame:
        day = F.to_date(_DAY[self.table]).alias("day")
        is_weighed = self.table == "events" and "weight" in rows.columns
        rows = rows.withColumn(_TIMES, F.coalesce("weight", F.lit(1)) if is_weighed else F.lit(1))
        if self._lasts:
            newest_first = Window.partitionBy(*by).orderBy(*map(F.desc, _KEYS[self.table]))
            rows = rows.withColumn(_PLACE, F.row_number().over(newest_first))
        return rows.groupBy(*by, day).agg(*figures)

    def _over_days(self, days: DataFrame) -> DataFrame:
        if self._before:
            days = days.select("*", *(column.alias(name) for name, column in self._before.items()))
        return days.groupBy("person_id").agg(*(column.alias(name) for name, column in self._totals.values()))

    def _edge(
        self,
        which: Literal["first", "last"],
        field: str,
        value: Column,
        where: Rule | None,
        window: int | None,
        kind: str | None = None,
    ) -> Column:
        found = self._when(where, value)
        entry = F.when(found.isNotNull(), F.struct(*_KEYS[self.table], found.alias("value")))
        outermost, pick = (F.min, F.min_by) if which == "first" else (F.max, F.max_by)
        day = self._day(kind or which, outermost(entry), outermost, field, where, lambda edge: edge["value"])
        return self._total(which, day, window, lambda c: pick(c, F.when(c.isNotNull(), F.col("day"))))

    def _decayed(self, day: str, half_life: float) -> Column:
        weight = F.round(F.pow(F.lit(0.5), self._age() / F.lit(half_life)) * _WEIGHT).cast("long")
        total = self._total(f"decayed {half_life}", day, None, lambda c: F.sum(c * weight))
        return total.cast("double") / _WEIGHT

    def _age(self) -> Column:
        return F.datediff(F.lit(self._as_of), "day")

    def _period(self, length: int, day: str = "day") -> Column:
        """Which period of `length` days a day is in: 0 is the last, which ends with the date."""
        return F.floor(F.datediff(F.lit(self._as_of), day) / length)

    def _day_before(self, count: str) -> str:
        """The column with the day before of which a count is not 0."""
        order = Window.partitionBy("person_id").orderBy("day").rowsBetween(Window.unboundedPreceding, -1)
        before = f"before_{count}"
        self._before[before] = F.last(F.when(F.col(count) > 0, F.col("day")), ignorenulls=True).over(order)
        return before

    def _day_count(self, where: Rule | None) -> str:
        return self._day("count", _added(self._when(where, F.col(_TIMES))), F.sum, "", where)

    def _day_sum(self, key: str, value: Column, where: Rule | None) -> str:
        # What has an amount stands for itself alone, and so does a session.
        alone = key == "amount" or self.table != "events"
        times = value if alone else value * F.col(_TIMES).cast(DecimalType(7, 0))
        return self._day("sum", F.sum(self._when(where, times)), F.sum, key, where)

    def _day(
        self,
        kind: str,
        of_rows: Column,
        of_parts: Callable[[Column], Column],
        field: str,
        where: Rule | None,
        of_the_day: Callable[[Column], Column] = lambda part: part,
        at_once: Column | None = None,
    ) -> str:
        key = f"{kind}\0{field}\0{where.sha256() if where else ''}" + (f"\0{self._last}" if self._last else "")
        name = f"{self.table}_{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self._daily.setdefault(name, DayFigure(of_rows, of_parts, of_the_day, at_once))
        self._asked[name] = kind, field, where
        return name

    def _sum(self, day: str, window: int | None) -> Column:
        return self._total("sum", day, window, F.sum)

    def _total(self, kind: str, day: str, window: int | None, merge: Callable[[Column], Column]) -> Column:
        key = f"{kind}\0{day}\0{window}"
        if key not in self._totals:
            name = f"{self.table}_t{len(self._totals)}"
            self._totals[key] = (name, merge(self._within(F.col(day), window)))
            self.figures.append(Figure(self.table, kind, *self._asked[day], window, self._last))
        return F.col(self._totals[key][0])

    def _when(self, where: Rule | None, value: Column) -> Column:
        conditions = [rule_column(where, self.table)] if where else []
        conditions += [F.col(_PLACE) <= self._last] if self._last else []
        return F.when(reduce(and_, conditions), value) if conditions else value

    def _within(self, column: Column, window: int | None) -> Column:
        if window is None:
            return column
        return F.when(F.col("day") > F.lit(self._as_of - timedelta(days=window)), column)


def _added(times: Column) -> Column:
    return F.coalesce(F.sum(times), F.lit(0))


def _all_of(parts: Column) -> Column:
    return F.flatten(F.collect_list(parts))


def _different_of(parts: Column) -> Column:
    return F.array_distinct(_all_of(parts))


def ratio(above: Column, below: Column) -> Column:
    """DOUBLE; null where there is nothing to divide by."""
    return F.try_divide(above.cast("double"), below.cast("double"))
