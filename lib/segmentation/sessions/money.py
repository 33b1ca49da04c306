"""Amounts of several currencies and years, counted in one currency at the prices of one date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.money import MoneySettings, Steps
from segmentation.contracts.errors import InputError
from segmentation.contracts.table import MONEY, check_columns

_DIGITS = Decimal("0.0000000001")
_MOST = 10**10
"""No factor is so large: it has ten digits before the point and ten behind."""


def check_rates(events: DataFrame, money: MoneySettings, last: date) -> None:
    """Raises `InputError` where an amount is of a currency, or a day, that has no rate or no price index, or is worth
    more than an amount can be.

    Grain in: one event, of `last` at the latest. One aggregate, of one row a currency.
    """
    check_columns(events, ("amount", "currency", "event_date"), "the events")
    starts = {code: min(steps) for code, steps in money.read_rates().items()}
    prices = min(money.read_prices(), default=date.min)
    worth = F.col("amount") * F.col("factor")
    paid = _with_factors(events.where("amount IS NOT NULL"), money, last).groupBy("code")
    found = paid.agg(
        F.min("event_date").alias("day"),
        F.min(F.when(worth.isNotNull() & worth.try_cast(MONEY).isNull(), F.col("event_date"))).alias("beyond"),
    ).collect()
    for code, day, beyond in sorted(found, key=lambda row: row["code"]):
        if code != money.currency and starts.get(code, date.max) > day:
            raise InputError(
                f"There is no rate of '{code}' for {day}, when it was first paid in: add it to money.rates."
            )
        if prices > day:
            raise InputError(f"There is no price index for {day}, the day of the first amount: add it to money.prices.")
        if beyond is not None:
            raise InputError(
                f"An amount of '{code}' on {beyond} is worth {money.currency} 100,000,000,000,000 or more, which no "
                "amount can be: see whether the rate and the index of that day are right in money.rates and "
                "money.prices."
            )


def count_in_one_currency(events: DataFrame, money: MoneySettings, last: date) -> DataFrame:
    """The events with `amount` in `money.currency`, at the prices that it names; `currency` says what they were in.

    Grain in and out: one event, of `last` at the latest. A day that has no rate, and an amount that is worth more than
    one can be, end the job, see `check_rates`.
    """
    check_columns(events, ("amount", "currency", "event_date"), "the events")
    code = F.col("code")
    missing = F.raise_error(F.concat(F.lit("no rate of "), code, F.lit(" for "), F.col("event_date").cast("string")))
    counted = (
        F.when(F.col("amount").isNull() | ((code == money.currency) & F.lit(money.prices is None)), F.col("amount"))
        .when(F.col("factor").isNull(), missing.cast(MONEY))
        .otherwise((F.col("amount") * F.col("factor")).cast(MONEY))
    )
    joined = _with_factors(events, money, last)
    return joined.select(*(counted.alias(name) if name == "amount" else F.col(name) for name in events.columns))


def _with_factors(events: DataFrame, money: MoneySettings, last: date) -> DataFrame:
    """Adds `code`, the currency, and `factor`, what an amount is multiplied by. Grain in and out: one event."""
    factors = F.broadcast(_factors(events.sparkSession, money, last))
    code = F.coalesce("currency", F.lit(money.currency))
    return events.withColumn("code", code).join(factors, ["code", "event_date"], "left")


def _factors(spark: SparkSession, money: MoneySettings, last: date) -> DataFrame:
    """What an amount is multiplied by. Grain: one currency on one day, so that the join is by equality: the steps of
    a currency side by side would each be looked at for each event."""
    prices = money.read_prices()
    base = _at(prices, money.prices_of) if money.prices_of else None
    rates = {**money.read_rates(), money.currency: {min(prices, default=last): Decimal(1)}}
    rows: list[tuple[str, date, Decimal]] = []
    for code, steps in sorted(rates.items()):
        index = dict(_each_day(prices, last)) if base is not None else {}
        for day, rate in _each_day(steps, last):
            if base is not None and day not in index:
                continue
            factor = rate if base is None else rate * base / index[day]
            if factor >= _MOST:
                raise InputError(
                    f"One '{code}' of {day} is worth {money.currency} {_MOST:,} or more: see whether the rate and the "
                    "index of that day are right in money.rates and money.prices."
                )
            rows.append((code, day, factor.quantize(_DIGITS)))
    types = {"code": pa.string(), "event_date": pa.date32(), "factor": pa.decimal128(20, 10)}
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    arrays = {name: pa.array(values, types[name]) for name, values in zip(types, columns, strict=True)}
    return spark.createDataFrame(pa.table(arrays))


def _each_day(steps: Steps, last: date) -> Iterator[tuple[date, Decimal]]:
    """The value of each day from the first step to `last`."""
    value, day = None, min(steps, default=last + timedelta(days=1))
    while day <= last:
        value = steps.get(day, value)
        assert value is not None, "the first day has a value"
        yield day, value
        day += timedelta(days=1)


def _at(steps: Steps, day: date) -> Decimal:
    """The value that holds on a day, which is not before the first step."""
    return steps[max(start for start in steps if start <= day)]
