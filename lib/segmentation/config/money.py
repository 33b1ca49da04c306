"""`money`: amounts in several currencies and of several years, counted in one."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pydantic import Field, model_validator

from segmentation.config.model import Section
from segmentation.contracts.errors import ConfigError, Problem

Steps = Mapping[date, Decimal]
"""A value from a date on, until the next."""

_CODE = r"^[A-Z]{3}$"


class MoneySettings(Section):
    """What amounts are counted in; the table `events` keeps them as they came."""

    currency: str = Field(
        pattern=_CODE,
        description="ISO 4217 code. An amount without a currency is taken to be in it.",
    )
    rates: str | None = Field(
        None,
        description="CSV file with the columns date, currency and rate: what one unit of the currency is worth in "
        "`currency`, from that date on until the next of the same currency.",
    )
    prices: str | None = Field(
        None,
        description="CSV file with the columns date and index: a price index of `currency`, each value from its date "
        "on. Amounts are then counted at the prices of `prices_of`.",
    )
    prices_of: date | None = Field(None, description="With `prices`: the date at whose prices amounts are counted.")

    @model_validator(mode="after")
    def _prices_have_a_date(self) -> MoneySettings:
        if (self.prices is None) != (self.prices_of is None):
            raise ValueError("prices and prices_of go together")
        return self

    def content(self) -> str:
        """A hash of all that it says, and of what its files hold. Raises `ConfigError` where one cannot be read."""
        digest = hashlib.sha256(repr(self).encode())
        for key, path in (("rates", self.rates), ("prices", self.prices)):
            if path:
                digest.update(_read(path, f"money.{key}").encode())
        return digest.hexdigest()

    def read_rates(self) -> dict[str, Steps]:
        """Currency -> its rates; none of `currency` itself. Raises `ConfigError` with every problem of the file."""
        found = _steps(self.rates, "money.rates", "rate", of="currency") if self.rates else {}
        if self.currency in found:
            said = f"{self.currency} is what amounts are counted in: it has no rate"
            raise ConfigError([Problem("money.rates", said)])
        return found

    def read_prices(self) -> Steps:
        """The price index; empty where there is none. Raises `ConfigError` with every problem of the file."""
        if self.prices is None or self.prices_of is None:
            return {}
        found = _steps(self.prices, "money.prices", "index").get("", {})
        if min(found, default=date.max) > self.prices_of:
            raise ConfigError([Problem("money.prices_of", f"'{self.prices}' has no index for {self.prices_of}")])
        return found


def _steps(path: str, key: str, value: str, of: str | None = None) -> dict[str, Steps]:
    """Each row's value by date, for each text in the column `of`."""
    rows = csv.DictReader(io.StringIO(_read(path, key)))
    columns = ["date", *([of] if of else []), value]
    if missing := [name for name in columns if name not in (rows.fieldnames or ())]:
        said = f"'{path}' must have the columns {', '.join(columns)} ({missing[0]} is not there)"
        raise ConfigError([Problem(key, said)])
    found: dict[str, dict[date, Decimal]] = {}
    problems: list[Problem] = []
    for number, row in enumerate(rows, 2):
        wrong = list(_wrong(row, value, of))
        if not wrong:
            day, steps = date.fromisoformat(row["date"].strip()), found.setdefault(row[of].strip() if of else "", {})
            if day in steps:
                wrong.append(f"{day} was there before")
            steps[day] = Decimal(row[value].strip())
        problems += [Problem(f"{key} line {number}", words) for words in wrong]
    if problems:
        raise ConfigError(problems)
    return dict(found)


def _wrong(row: Mapping[str, str | None], value: str, of: str | None) -> Iterator[str]:
    try:
        date.fromisoformat((row["date"] or "").strip())
    except ValueError:
        yield "the date is not one such as 2026-01-31"
    code = (row[of] or "").strip() if of else "EUR"
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        yield f"the {of} is not a code such as EUR"
    try:
        if not 0 < Decimal((row[value] or "").strip()) < 10**9:
            raise InvalidOperation
    except InvalidOperation:
        yield f"the {value} is not a number above 0 and below a thousand million"


def _read(path: str, key: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(key, f"the file '{path}' cannot be read ({type(error).__name__})")]) from None
