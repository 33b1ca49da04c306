"""One in so many of the events that come in masses: accounted for, the same however they come, and counted for all."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.deliveries import ingest_once, rows, settings
from tests.factories import event_rows

from segmentation.config.features import FeatureSettings
from segmentation.config.settings import Settings
from segmentation.features.build import measure_features
from segmentation.runtime.warehouse import Warehouse

FIRST = datetime(2026, 3, 1, 8)
PINGS, ONE_IN = 4000, 10


def _lines() -> list[str]:
    """Pings of forty people, one a second, some with an amount; and a few purchases."""
    pings = [
        f'{{"id": "p{n}", "name": "ping", "at": "{FIRST + timedelta(seconds=n)}", "who": "u{n % 40}"'
        f"{', ' + chr(34) + 'paid' + chr(34) + ': 2' if n % 1000 == 0 else ''}}}"
        for n in range(PINGS)
    ]
    buys = [
        f'{{"id": "b{n}", "name": "buy", "at": "{FIRST + timedelta(minutes=n)}", "who": "u{n % 40}", "paid": 5}}'
        for n in range(60)
    ]
    return [*pings, *buys]


def _write(folder: Path, name: str, lines: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _settings(folder: Path, **more: Any) -> Settings:
    columns = {"event_id": "id", "event_name": "name", "event_ts": "at", "amount": "paid"}
    taken = {
        "name": "app",
        "format": "json",
        "path": str(folder / "in"),
        "columns": {**columns, "identifiers": {"user_id": "who"}},
        "sample": {"ping": ONE_IN},
        **more,
    }
    return settings(folder / "warehouse", taken)


def _kept(spark: SparkSession, configured: Settings) -> list[tuple[Any, ...]]:
    return rows(spark, configured, "events", "event_id", "event_name", "weight", "amount")


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    _write(tmp_path / "in", "1.json", _lines())
    return _settings(tmp_path)


def test_every_row_is_accounted_for_and_weights_make_up_for_those_left_out(spark: SparkSession, shop: Settings) -> None:
    outcome = ingest_once(spark, shop)
    kept = _kept(spark, shop)
    pings = [row for row in kept if row[1] == "ping"]
    assert [row for row in kept if row[1] == "buy"] == [(f"b{n}", "buy", None, 5) for n in sorted(range(60), key=str)]
    assert {(row[2], row[3]) for row in pings} == {(None, 2), (ONE_IN, None)}
    assert sum(row[3] is not None for row in pings) == 4, "money stays exact"
    assert sum(row[2] or 1 for row in pings) == pytest.approx(PINGS, rel=0.15)
    left_out = PINGS - len(pings)
    assert outcome.figures == {"quarantined": 0, "duplicates": 0, "sampled": left_out}
    assert (outcome.rows_in, outcome.rows_out) == (PINGS + 60, len(kept))
    counted = ("rows_read", "accepted", "quarantined", "duplicates", "sampled")
    assert rows(spark, shop, "ingest_batches", *counted) == [(PINGS + 60, len(kept), 0, 0, left_out)]


def test_the_same_events_are_kept_in_whatever_order_and_however_often_they_come(
    spark: SparkSession, shop: Settings, tmp_path: Path
) -> None:
    ingest_once(spark, shop)
    split = tmp_path / "split"
    lines = _lines()
    random.Random(3).shuffle(lines)
    configured = _settings(split)
    for number, start in enumerate(range(0, len(lines), 1500)):
        # The last hundred of each delivery come again with the next.
        _write(split / "in", f"{number}.json", lines[max(0, start - 100) : start + 1500])
        ingest_once(spark, configured)
    assert _kept(spark, configured) == _kept(spark, shop)
    warehouse = Warehouse(spark, configured.warehouse)
    ledger = warehouse.read("ingest_batches")
    total = ledger.agg(*(F.sum(name) for name in ("rows_read", "accepted", "duplicates", "sampled"))).first()
    assert total is not None
    assert total[0] == total[1] + total[2] + total[3] == len(lines) + 200


def test_a_replay_keeps_the_same_and_a_wrong_rate_can_be_mended(
    spark: SparkSession, shop: Settings, tmp_path: Path
) -> None:
    ingest_once(spark, shop)
    ((batch,),) = rows(spark, shop, "ingest_batches", "batch_id")
    before = _kept(spark, shop)
    ingest_once(spark, shop, replay=batch)
    assert _kept(spark, shop) == before
    outcome = ingest_once(spark, _settings(tmp_path, sample={}), replay=batch)
    assert outcome.rows_out == PINGS + 60
    assert {row[2] for row in _kept(spark, shop)} == {None}


def test_features_count_by_weight(spark: SparkSession) -> None:
    def told(weights: list[int | None]) -> dict[str, float]:
        made = [
            {"event_id": f"e{n}", "event_name": "ping" if weight else "buy", "weight": weight}
            | {"event_ts": datetime(2026, 3, 2 + n, 9, tzinfo=UTC), "amount": None if weight else 3}
            | {"properties": {"seconds": "4", "page": "a" if n % 2 else "b"}}
            for n, weight in enumerate(weights)
        ]
        events = event_rows(spark, made).withColumn("person_id", F.lit("p"))
        define = [
            {"name": "pings", "aggregate": "count", "where": {"event": "ping"}},
            {"name": "ping_days", "aggregate": "days", "where": {"event": "ping"}},
            {"name": "ping_share", "aggregate": "share", "where": {"event": "ping"}},
            {"name": "seconds", "aggregate": "sum", "of": "properties.seconds"},
            {"name": "mean_seconds", "aggregate": "mean", "of": "properties.seconds"},
            {"name": "page", "aggregate": "top_share", "of": "properties.page"},
            {"name": "paid", "aggregate": "sum", "of": "amount"},
            {"name": "slept", "aggregate": "count", "where": {"event": "sleep"}},
        ]
        asked = FeatureSettings.model_validate({"library": [], "define": define})
        (row,) = measure_features(events, events, asked, datetime(2026, 3, 31).date()).collect()
        return {name: row[name] for name in ("pings", *(d["name"] for d in define))}

    found = told([10, None, 10, 30])
    assert found == {
        "pings": 50,
        "ping_days": 3,
        "ping_share": 50 / 51,
        "seconds": 204,
        "mean_seconds": 4,
        "page": 31 / 51,
        "paid": 3,
        "slept": 0,
    }
    assert told([None, None])["pings"] == 0
