"""A small made shop for whole-pipeline tests: eighty people of four different kinds, on the web and in a shop."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

START = datetime(2026, 1, 1)
DAYS = 90


@dataclass(frozen=True)
class Kind:
    """How one kind of people behaves: days between visits, page views a visit, spend a visit, and its last day."""

    every: int
    views: int
    spend: float
    until: int


KINDS = {
    "regulars": Kind(every=3, views=3, spend=40.0, until=90),
    "big spenders": Kind(every=12, views=8, spend=400.0, until=90),
    "lookers": Kind(every=6, views=12, spend=0.0, until=90),
    "gone": Kind(every=5, views=4, spend=60.0, until=30),
}
PEOPLE_A_KIND = 20


def _draw(*parts: object) -> float:
    """A number in [0, 1) that depends only on what it is for."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big") / 2**48


def _visits() -> Iterator[tuple[int, str, Kind, datetime]]:
    for number in range(PEOPLE_A_KIND * len(KINDS)):
        name = list(KINDS)[number % len(KINDS)]
        kind = KINDS[name]
        day = _draw(number, "first") * kind.every
        while day < kind.until:
            second = int(8 * 3600 + _draw(number, day, "second") * 12 * 3600)
            yield number, name, kind, START + timedelta(days=int(day), seconds=second)
            day += kind.every * (0.6 + 0.8 * _draw(number, day, "gap"))


def write_shop(folder: Path, until: datetime | None = None) -> Path:
    """Writes `web.csv`, `till.csv` and `shop.yml` into `folder`; the configuration's path is returned.

    Among the rows: a sign-in on some visits, e-mails in capitals, one line that stands twice, a time that is none,
    a row without any identifier. `until` leaves out what happens later.
    """
    web, till = [], []
    for number, _, kind, at in _visits():
        if until and at >= until:
            continue
        signs_in = _draw(number, at, "signs in") < 0.6
        email = f"person{number}@example.com"
        for view in range(1 + int(kind.views * (0.5 + _draw(number, at, "views")))):
            known = signs_in and view > 0
            web.append(
                {
                    "id": f"w{number}-{at:%m%d%H%M%S}-{view}",
                    "event": "page_view",
                    "ts": f"{at + timedelta(seconds=70 * view):%Y-%m-%d %H:%M:%S}",
                    "uid": f"u{number}" if known else "",
                    "cookie": f"c{number}-{int(_draw(number, at, 'browser') * 2)}",
                    "email": (email.upper() if number % 5 == 0 else email) if known and view == 1 else "",
                    "page": f"/{int(_draw(number, at, view) * 5)}",
                }
            )
        if kind.spend:
            till.append(
                {
                    "receipt": f"r{number}-{at:%m%d%H%M%S}",
                    "when": f"{at + timedelta(minutes=45):%Y-%m-%d %H:%M:%S}",
                    "uid": f"u{number}",
                    "total": f"{kind.spend * (0.7 + 0.6 * _draw(number, at, 'spend')):.2f}",
                }
            )
    web += [
        web[0],
        {**web[1], "id": "broken-time", "ts": "yesterday"},
        {**web[2], "id": "nobody", "uid": "", "cookie": "", "email": ""},
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("web", web), ("till", till)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    path = folder / "shop.yml"
    path.write_text(yaml.safe_dump(shop_settings(folder), sort_keys=False), encoding="utf-8")
    return path


def shop_settings(folder: Path) -> dict[str, Any]:
    """The configuration of the shop, for a warehouse beside its files."""
    return {
        "warehouse": str(folder / "warehouse"),
        "sources": [
            {
                "name": "web",
                "format": "csv",
                "path": str(folder / "web.csv"),
                "options": {"header": True},
                "columns": {
                    "event_id": "id",
                    "event_name": "event",
                    "event_ts": "to_timestamp(ts)",
                    "platform": "'web'",
                    "identifiers": {"user_id": "uid", "email": "email", "cookie": "cookie"},
                    "properties": {"page": "page"},
                },
            },
            {
                "name": "till",
                "format": "csv",
                "path": str(folder / "till.csv"),
                "options": {"header": True},
                "columns": {
                    "event_id": "receipt",
                    "event_name": "'purchase'",
                    "event_ts": "to_timestamp(when)",
                    "platform": "'store'",
                    "amount": "total",
                    "currency": "'EUR'",
                    "identifiers": {"user_id": "uid"},
                },
            },
        ],
        "identity": {"identifiers": {"user_id": {"max_per_person": 1}, "email": {}, "cookie": {}}},
        # A small search: what it takes to choose is tried in the unit tests of clustering.
        "clustering": {
            "algorithms": ["gaussian_mixture", "kmeans"],
            "k": {"min": 4, "max": 5},
            "stability": {"refits": 1},
        },
        "exports": [{"name": "crm", "type": "csv", "path": str(folder / "exports")}],
        "spark": {
            "master": "local[2]",
            "driver_memory": "1g",
            "conf": {"spark.sql.shuffle.partitions": 2},
        },
    }
