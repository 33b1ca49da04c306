"""Writing tables: what may be made twice."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession
from tests.factories import table_rows

from segmentation.runtime.warehouse import Warehouse


def test_what_may_be_written_twice_is_there_once_on_a_new_table_too(spark: SparkSession, warehouse_path: Path) -> None:
    row = {"audience": "a", "person_id": "p", "arm": "treated", "stratum": "s", "assigned_as_of": date(2026, 3, 1)}
    arms = table_rows(spark, "holdouts", [row])
    members = table_rows(spark, "audience_members", [{**row, "entered_as_of": date(2026, 3, 1)}])
    warehouse = Warehouse(spark, str(warehouse_path))
    with warehouse.lock():
        for _ in range(2):
            warehouse.append_once("holdouts", arms, "writer", 0)
            warehouse.replace("audience_members", members)
    assert [warehouse.read(name).count() for name in ("holdouts", "audience_members")] == [1, 1]
