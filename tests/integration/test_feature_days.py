"""Features measured day by day from what was kept of the days before are those measured of all events at once."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.factories import event_values, identity_values, minimal_settings, write_table

from segmentation.config.settings import Settings
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import feature_days, features

START = date(2026, 3, 1)
DAYS, BATCHES = 12, 3
FEATURES = {
    "library": ["recency", "frequency", "average_basket_value", "interpurchase_cv", "engagement"],
    "define": [
        {"name": "first_amount", "aggregate": "first", "of": "amount"},
        {"name": "devices", "aggregate": "distinct", "of": "identifiers.cookie"},
        {"name": "week", "aggregate": "count", "window_days": 7},
        {"name": "middle", "aggregate": "median", "of": "amount"},
        {"name": "mostly", "aggregate": "top_share", "of": "event_name"},
    ],
}


def history() -> list[dict[str, Any]]:
    """Events of a dozen people with a cookie or two, which turn out to be somebody's later on; some come late."""
    draw, rows = random.Random(11), []
    for _ in range(600):
        day = draw.randrange(DAYS)
        on_time = 1 + day * BATCHES // DAYS
        batch = draw.randint(on_time, BATCHES) if draw.random() < 0.2 else on_time
        user = draw.randrange(12)
        cookie = {"cookie": f"c{user}-{draw.randrange(2)}"}
        known = {"user_id": f"u{user}"} if draw.random() < 0.1 * batch else {}
        rows.append(
            {
                "event_id": f"{draw.random():.12f}",
                "event_ts": datetime(2026, 3, 1) + timedelta(days=day, minutes=draw.randrange(1440)),
                "event_name": draw.choice(["view", "view", "cart", "buy"]),
                "amount": draw.choice([None, 2.5, 7.25]),
                "identifiers": {**cookie, **known},
                "batch_seq": batch,
            }
        )
    # The last batch shows that one of them was a program on some days, also of before.
    shown = {row["event_ts"].date() for row in rows if row["batch_seq"] == BATCHES and _is_of_the_program(row)}
    return [{**row, "is_bot": _is_of_the_program(row) and row["event_ts"].date() in shown} for row in rows]


def _is_of_the_program(row: dict[str, Any]) -> bool:
    return row["identifiers"]["cookie"].startswith("c3-")


def find_owners(rows: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Whose each identifier is: a cookie's own, until somebody signs in with it."""
    owners: dict[tuple[str, str], str] = {}
    for row in rows:
        cookie, user = row["identifiers"]["cookie"], row["identifiers"].get("user_id")
        owners.setdefault(("cookie", cookie), f"nobody {cookie}")
        if user:
            owners["cookie", cookie] = owners["user_id", user] = user
    return owners


def deliver(root: Path, rows: list[dict[str, Any]], batch: int, flagged: bool) -> None:
    """Adds the events of one batch: before they are flagged, or as they are known in the end."""
    values = [row if flagged else {**row, "is_bot": False} for row in event_values(rows) if row["batch_seq"] == batch]
    write_table(str(root), "events", values, mode="append")
    owners = find_owners([row for row in rows if row["batch_seq"] <= batch])
    write_table(str(root), "identity_map", identity_values(owners))
    write_table(str(root), "sessions", [])


def run(spark: SparkSession, settings: Settings, as_of: date, full: bool = False) -> StageReport:
    request = Request(as_of, {"full": full})
    (report,) = run_stages(spark, settings, [features.STAGE], request, Progress("json"))
    return report


def read(warehouse: Warehouse, as_of: date) -> list[dict[str, Any]]:
    rows = warehouse.read("features").where(f"as_of = '{as_of}'").orderBy("person_id").collect()
    return [row.asDict() for row in rows]


def last_day(batch: int) -> date:
    """Up to which events of a batch go that are not late."""
    return START + timedelta(days=batch * DAYS // BATCHES - 1)


def test_batch_after_batch_comes_to_what_all_of_them_come_to(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, end = history(), last_day(BATCHES)
    lived, once = (tmp_path / name for name in ("lived", "once"))
    settings = {root: minimal_settings(warehouse=str(root), features=FEATURES) for root in (lived, once)}
    warehouse = Warehouse(spark, str(lived))
    for batch in range(1, BATCHES + 1):
        deliver(once, rows, batch, flagged=True)
    assert run(spark, settings[once], end).mode == "full"
    wanted = read(Warehouse(spark, str(once)), end)
    assert Warehouse(spark, str(once)).read("feature_days").isEmpty()

    monkeypatch.setattr(feature_days, "FEWEST_EVENTS", 0)
    deliver(lived, rows, 1, flagged=False)
    assert run(spark, settings[lived], last_day(1)).mode == "full"
    people_then = {row["person_id"] for row in read(warehouse, last_day(1))}
    deliver(lived, rows, 2, flagged=False)
    # Of what a batch brought, only some is of a day that is over; the rest is counted with its own day.
    assert run(spark, settings[lived], last_day(2) - timedelta(days=2)).mode == "incremental"
    assert run(spark, settings[lived], last_day(2)).mode == "incremental"
    # A look back takes nothing away of what came after, and sees what came late for it.
    assert run(spark, settings[lived], last_day(1)).mode == "incremental"

    deliver(lived, rows, 3, flagged=True)
    bots = [(row["event_id"], True) for row in rows if row["is_bot"]]
    flags = spark.createDataFrame(bots, "event_id string, is_bot boolean")
    warehouse.merge(
        "events", flags, ["event_id"], lambda merge: merge.whenMatchedUpdate(set={"is_bot": "change.is_bot"})
    )
    assert run(spark, settings[lived], end).mode == "incremental"
    assert read(warehouse, end) == wanted

    # The history is worth the trouble: people have become others, events of before a program's, and still most of the
    # table was not made anew.
    assert people_then - {row["person_id"] for row in wanted}
    assert any(row["is_bot"] and row["batch_seq"] < BATCHES for row in rows)
    kept = warehouse.read("feature_days")
    assert {row["batch_seq"] for row in kept.select("batch_seq").distinct().collect()} == {1, 2, 3}
    again = run(spark, settings[lived], end, full=True)
    assert (again.mode, again.message.split("; ")[1]) == ("full", "no row differs from what was there")
    assert read(warehouse, end) == wanted

    # Days that are not kept any more are not there when they are again: nobody followed the events meanwhile.
    monkeypatch.setattr(feature_days, "FEWEST_EVENTS", len(rows) + 1)
    assert run(spark, settings[lived], end).mode == "full"
    assert read(warehouse, end) == wanted
    assert Warehouse(spark, str(lived)).read("feature_days").isEmpty()
