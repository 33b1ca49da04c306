"""Flags of traffic through the stage: the same in one batch, in several, and after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from tests.deliveries import ingest_once, rows, settings, source

from segmentation.runtime.warehouse import Warehouse

TRAFFIC = {
    "bots": {"rates": {"per_minute": 5}},
    "tests": {"identifiers": {"user_id": {"patterns": ["qa-.*"]}}, "networks": ["10.0.0.0/8"]},
    "not_kept": ["ip"],
}
COLUMNS = {
    "amount": None,
    "identifiers": {"user_id": "uid", "cookie": "cookie"},
    "properties": {"user_agent": "agent", "ip": "ip"},
}


def _view(number: int, second: int, **changes: str) -> str:
    base = {"id": f"e{number}", "event": "view", "ts": f"2026-03-01T10:00:{second:02}Z", "cookie": "person"}
    return json.dumps({**base, "uid": None, "agent": "Mozilla/5.0", "ip": "192.0.2.1", **changes})


FIRST = [
    *(_view(number, number, cookie="robot") for number in range(5)),
    _view(10, 1),
    _view(11, 2, uid="qa-7"),
    _view(12, 3, ip="10.9.8.7"),
    _view(13, 4, agent="curl/8.11.0"),
]
SECOND = [_view(20, 50, cookie="robot"), _view(21, 51)]
FLAGS = [
    *((f"e{number}", True, False) for number in (0, 1)),
    ("e10", False, False),
    ("e11", False, True),
    ("e12", False, True),
    ("e13", True, False),
    *((f"e{number}", True, False) for number in (2, 20)),
    ("e21", False, False),
    *((f"e{number}", True, False) for number in (3, 4)),
]


def _settings(folder: Path, *batches: list[str]) -> Any:
    (folder / "in").mkdir(parents=True)
    for number, lines in enumerate(batches):
        (folder / f"in/{number}.json").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return settings(folder / "warehouse", source(folder / "in", format="json", columns=COLUMNS), traffic=TRAFFIC)


def test_what_a_later_batch_shows_of_earlier_events_is_what_one_batch_shows(
    spark: SparkSession, tmp_path: Path
) -> None:
    together = _settings(tmp_path / "together", FIRST + SECOND)
    assert ingest_once(spark, together).figures == {"quarantined": 0, "duplicates": 0, "bots": 7, "tests": 2}
    assert rows(spark, together, "events", "event_id", "is_bot", "is_test") == FLAGS
    assert {row[0]["user_agent"] for row in rows(spark, together, "events", "properties")} == {
        "Mozilla/5.0",
        "curl/8.11.0",
    }
    assert not [row for row in rows(spark, together, "events", "properties") if "ip" in row[0]]

    apart = _settings(tmp_path / "apart", FIRST)
    assert ingest_once(spark, apart).figures["bots"] == 1
    (tmp_path / "apart/in/later.json").write_text("\n".join(SECOND) + "\n", encoding="utf-8")
    assert ingest_once(spark, apart).figures["bots"] == 6
    assert rows(spark, apart, "events", "event_id", "is_bot", "is_test") == FLAGS
    history = Warehouse(spark, apart.warehouse)._delta("events").history(1).first()
    assert history is not None
    assert (history["operation"], history["userMetadata"]) == ("MERGE", "run")
