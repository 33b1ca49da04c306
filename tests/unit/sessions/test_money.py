"""Amounts in one currency, at the prices of one date."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.factories import event_rows, minimal_settings

from segmentation.config.money import MoneySettings
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.sessions.attach import keep_behaviour
from segmentation.sessions.money import check_rates, count_in_one_currency

LAST = date(2026, 3, 10)

RATES = """date,currency,rate
2026-03-01,USD,0.9
2026-03-05,USD,0.8
2026-03-02,GBP,1.25
"""
PRICES = """date,index
2026-01-01,100
2026-03-04,125
"""


@pytest.fixture
def money(tmp_path: Path) -> MoneySettings:
    (tmp_path / "rates.csv").write_text(RATES)
    return MoneySettings(currency="EUR", rates=str(tmp_path / "rates.csv"))


def _event(name: str, day: int, amount: float | None, currency: str | None) -> dict[str, object]:
    return {"event_id": name, "event_ts": datetime(2026, 3, day, 23, 59), "amount": amount, "currency": currency}


EVENTS = [
    _event("first rate", 1, 10, "USD"),
    _event("still the first", 4, 10, "USD"),
    _event("the second", 5, 10, "USD"),
    _event("held on", 10, -10, "USD"),
    _event("another", 3, 1.1111, "GBP"),
    _event("ours", 1, 7, "EUR"),
    _event("not said", 1, 7, None),
    _event("no amount", 1, None, "XYZ"),
]


def test_each_amount_is_worth_what_the_rate_of_its_day_says(spark: SparkSession, money: MoneySettings) -> None:
    events = event_rows(spark, EVENTS)
    check_rates(events, money, LAST)
    counted = count_in_one_currency(events, money, LAST)
    assert counted.dtypes == events.dtypes
    assert {row["event_id"]: row["amount"] for row in counted.collect()} == {
        "first rate": 9,
        "still the first": 9,
        "the second": 8,
        "held on": -8,
        "another": Decimal("1.3889"),
        "ours": 7,
        "not said": 7,
        "no amount": None,
    }
    assert [row["currency"] for row in counted.where("event_id = 'the second'").collect()] == ["USD"]


def test_amounts_of_other_years_are_counted_at_the_prices_of_one(
    spark: SparkSession, money: MoneySettings, tmp_path: Path
) -> None:
    (tmp_path / "prices.csv").write_text(PRICES)
    real = money.model_copy(update={"prices": str(tmp_path / "prices.csv"), "prices_of": date(2026, 3, 20)})
    events = event_rows(spark, EVENTS)
    check_rates(events, real, LAST)
    worth = {row["event_id"]: row["amount"] for row in count_in_one_currency(events, real, LAST).collect()}
    assert worth == {
        "first rate": Decimal("11.25"),
        "still the first": 9,
        "the second": 8,
        "held on": -8,
        "another": Decimal("1.7361"),
        "ours": Decimal("8.75"),
        "not said": Decimal("8.75"),
        "no amount": None,
    }
    with pytest.raises(InputError, match="no price index for 2025-12-31"):
        check_rates(event_rows(spark, [{"event_ts": datetime(2025, 12, 31), "amount": 1}]), real, LAST)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (_event("too early", 1, 1, "GBP"), "There is no rate of 'GBP' for 2026-03-01"),
        (_event("unknown", 9, 1, "CHF"), "There is no rate of 'CHF' for 2026-03-09"),
    ],
)
def test_an_amount_that_nobody_can_count_is_refused_and_never_lost(
    spark: SparkSession, money: MoneySettings, event: dict[str, object], said: str
) -> None:
    events = event_rows(spark, [*EVENTS, event])
    with pytest.raises(InputError, match=re.escape(said)):
        check_rates(events, money, LAST)
    with pytest.raises(Exception, match=f"no rate of {event['currency']} for"):
        count_in_one_currency(events, money, LAST).collect()


def test_an_amount_that_is_worth_too_much_is_refused(spark: SparkSession, money: MoneySettings, tmp_path: Path) -> None:
    most = "99999999999999.9999"
    (tmp_path / "rates.csv").write_text("date,currency,rate\n2026-03-01,USD,1\n2026-03-05,USD,1.1\n")
    check_rates(event_rows(spark, [{"event_ts": datetime(2026, 3, 4), "amount": most, "currency": "USD"}]), money, LAST)
    later = event_rows(spark, [{"event_ts": datetime(2026, 3, 5), "amount": f"-{most}", "currency": "USD"}])
    with pytest.raises(InputError, match="An amount of 'USD' on 2026-03-05 is worth EUR 100,000,000,000,000 or more"):
        check_rates(later, money, LAST)
    (tmp_path / "prices.csv").write_text("date,index\n2026-01-01,0.000000001\n2026-03-20,100\n")
    real = money.model_copy(update={"prices": str(tmp_path / "prices.csv"), "prices_of": date(2026, 3, 20)})
    with pytest.raises(InputError, match="One 'EUR' of 2026-01-01 is worth EUR 10,000,000,000 or more"):
        check_rates(later, real, LAST)


def test_behaviour_is_counted_in_the_currency_of_the_configuration(spark: SparkSession, money: MoneySettings) -> None:
    kept = keep_behaviour(event_rows(spark, EVENTS[:2]), LAST, minimal_settings(money=money.model_dump()))
    assert [row["amount"] for row in kept.collect()] == [9, 9]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,rate\n", "must have the columns date, currency, rate (currency is not there)"),
        ("date,currency,rate\n2026-13-01,USD,1\n", "money.rates line 2: the date is not one such as 2026-01-31"),
        ("date,currency,rate\n2026-01-01,dollar,1\n", "the currency is not a code such as EUR"),
        ("date,currency,rate\n2026-01-01,USD,-1\n", "the rate is not a number above 0"),
        ("date,currency,rate\n2026-01-01,USD,NaN\n", "the rate is not a number above 0"),
        ("date,currency,rate\n2026-01-01,USD\n", "the rate is not a number above 0"),
        ("date,currency,rate\n2026-01-01,USD,1\n2026-01-01,USD,2\n", "line 3: 2026-01-01 was there before"),
        ("date,currency,rate\n2026-01-01,EUR,2\n", "EUR is what amounts are counted in"),
        (None, "cannot be read (FileNotFoundError)"),
    ],
)
def test_a_file_of_rates_that_is_wrong_says_where(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "rates.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as error:
        MoneySettings(currency="EUR", rates=str(path)).read_rates()
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["date,index\n", "date,index\n2026-02-01,100\n"])
def test_a_date_that_the_index_does_not_reach_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.csv").write_text(text)
    money = MoneySettings(currency="EUR", prices=str(tmp_path / "prices.csv"), prices_of=date(2026, 1, 31))
    with pytest.raises(ConfigError, match="has no index for 2026-01-31"):
        money.read_prices()


def test_prices_need_their_date() -> None:
    with pytest.raises(ValueError, match="prices and prices_of go together"):
        MoneySettings(currency="EUR", prices="prices.csv")


def test_what_the_files_hold_decides_whether_anything_has_changed(money: MoneySettings) -> None:
    before = money.content()
    assert money.content() == before
    assert money.rates
    Path(money.rates).write_text(RATES.replace("0.8", "0.7"))
    assert money.content() != before
