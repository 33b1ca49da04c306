"""The stage `sessions` on its tables."""

from __future__ import annotations

import io
from datetime import date, datetime
from pathlib import Path

from pyspark.sql import SparkSession
from tests.factories import event_rows, identity_rows, minimal_settings

from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import sessions

EVENTS = [
    {"event_ts": datetime(2026, 3, 1, 12), "event_name": "view"},
    {"event_ts": datetime(2026, 3, 1, 12, 10), "event_name": "buy", "amount": 9.5},
    {"event_ts": datetime(2026, 3, 1, 12, 20), "is_bot": True},
    {"event_ts": datetime(2026, 3, 2, 9), "identifiers": {"cookie": "c"}},
    {"event_ts": datetime(2026, 3, 3, 9), "identifiers": {"cookie": "c"}},
]


def _run(spark: SparkSession, folder: Path, as_of: date) -> StageReport:
    settings = minimal_settings(warehouse=str(folder))
    (report,) = run_stages(spark, settings, [sessions.STAGE], Request(as_of), Progress(stream=io.StringIO()))
    return report


def test_sessions_are_cut_up_to_the_date_and_keep_their_ids(spark: SparkSession, warehouse_path: Path) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    warehouse.replace("events", event_rows(spark, EVENTS).drop("person_id"))
    warehouse.replace("identity_map", identity_rows(spark, {("user_id", "u"): "ann", ("cookie", "c"): "ann"}))

    report = _run(spark, warehouse_path, date(2026, 3, 2))
    assert (report.rows_in, report.rows_out) == (5, 2)
    first = warehouse.read("sessions").orderBy("session_start").collect()
    assert [(s["person_id"], s["events"], s["exit_event"]) for s in first] == [
        ("ann", 2, "buy"),
        ("ann", 1, "page_view"),
    ]

    assert _run(spark, warehouse_path, date(2026, 3, 3)).rows_out == 3
    then = warehouse.read("sessions").orderBy("session_start").collect()
    assert then[:2] == first
