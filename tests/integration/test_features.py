"""The stage `features` on its tables."""

from __future__ import annotations

import io
from datetime import date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, identity_rows, minimal_settings
from tests.finished import KEY, LAST_WEEK, FinishedShop

from segmentation.contracts.errors import InputError
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import features, sessions

EVENTS = [
    {"event_ts": datetime(2026, 3, 1, 12), "event_name": "buy", "amount": 9.5},
    {"event_ts": datetime(2026, 3, 1, 23, 50), "event_name": "view"},
    {"event_ts": datetime(2026, 3, 2, 0, 5), "event_name": "buy", "amount": 0.5},
    {"event_ts": datetime(2026, 3, 2, 9), "identifiers": {"cookie": "c"}, "is_bot": True},
]

LIBRARY = ["monetary", "session_duration_mean", "events_per_session"]


def _run(spark: SparkSession, folder: Path, as_of: date, library: list[str]) -> list[StageReport]:
    settings = minimal_settings(warehouse=str(folder), features={"library": library})
    return run_stages(spark, settings, [sessions.STAGE, features.STAGE], Request(as_of), Progress(stream=io.StringIO()))


def test_each_date_keeps_its_rows_and_sees_nothing_after_it(spark: SparkSession, warehouse_path: Path) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    warehouse.replace("events", event_rows(spark, EVENTS).drop("person_id"))
    warehouse.replace("identity_map", identity_rows(spark, {("user_id", "u"): "ann", ("cookie", "c"): "bot"}))

    _run(spark, warehouse_path, date(2026, 3, 2), ["monetary", "sessions"])
    (_, report) = _run(spark, warehouse_path, date(2026, 3, 1), ["monetary", "sessions", "bounce_rate"])
    assert (report.rows_in, report.rows_out, report.message) == (4, 1, "3 features")
    rows = warehouse.read("features").orderBy("as_of").collect()
    assert [(r["person_id"], r["as_of"], r["monetary"], r["sessions"], r["bounce_rate"]) for r in rows] == [
        ("ann", date(2026, 3, 1), 9.5, 2.0, 1.0),
        ("ann", date(2026, 3, 2), 10.0, 2.0, None),
    ]
    assert rows[0]["feature_set"] != rows[1]["feature_set"]

    with pytest.raises(InputError, match="on or before 2026-02-28"):
        _run(spark, warehouse_path, date(2026, 2, 28), ["monetary"])


def test_a_feature_that_is_dropped_for_a_finding_enters_no_model(
    spark: SparkSession, finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    checks = {"twins": {"policy": "drop", "above": 0.9}}
    config = finished_shop.copy_to(tmp_path, features={"library": LIBRARY, "checks": checks})
    assert run_command(["run", "--config", str(config), "--stages", "features,train"]) == 0

    warehouse = Warehouse(spark, str(tmp_path / "warehouse"))
    profiles = {r["feature"]: r for r in warehouse.read("feature_profiles").where("as_of = '2026-03-31'").collect()}
    dropped = {name for name, profile in profiles.items() if profile["dropped"]}
    assert dropped == {"events_per_session"}
    assert profiles["monetary"]["compared_with"] == LAST_WEEK
    model = warehouse.read("models").orderBy(F.desc("fit_number")).first()
    assert model is not None
    assert set(model["features"]) == set(LIBRARY) - dropped
    assert all(f"{name}: says nearly the same as" in model["params"]["left_out"] for name in dropped)
