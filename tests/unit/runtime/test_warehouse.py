"""Writing tables: what may be made twice."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F
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


def test_a_merge_rewrites_only_files_that_hold_a_row_and_a_purge_leaves_none_from_before(
    spark: SparkSession, warehouse_path: Path
) -> None:
    warehouse = Warehouse(spark, str(warehouse_path), run_id="run")
    people = [Row(person_id=f"p{number}", identifier_count=number) for number in range(4)]
    for some in (people[:2], people[2:]):
        warehouse.append("persons", table_rows(spark, "persons", [row.asDict() for row in some]).coalesce(1))
    folder = warehouse_path / "persons"
    before = {file.name for file in folder.glob("*.parquet")}
    gone = spark.createDataFrame([("p1",), ("nobody",)], "person_id string")
    assert warehouse.merge("persons", gone, ["person_id"], lambda m: m.whenMatchedDelete()) == 1
    assert warehouse.merge("persons", gone, ["person_id"], lambda m: m.whenMatchedDelete()) == 0
    assert warehouse.version("persons") == Warehouse(spark, str(warehouse_path)).version("persons") == 3
    assert {row["person_id"] for row in warehouse.read("persons").collect()} == {"p0", "p2", "p3"}
    commits = "".join(file.read_text() for file in (folder / "_delta_log").glob("*.json"))
    assert '"userMetadata":"run"' in (folder / "_delta_log" / f"{3:020}.json").read_text()
    assert not [name for name in ("p0", "p1", "p2", "p3") if f'"{name}"' in commits], "nor in statistics"

    assert warehouse.purge("persons") == 3
    after = {file.name for file in folder.glob("*.parquet")}
    assert len(before) == len(after) == 2
    assert len(before & after) == 1, "the file without the row is the same"
    now = datetime(2026, 3, 1, tzinfo=UTC)
    receipt = {"erasure_id": "e", "requested_ts": now, "completed_ts": now, "asked": 1, "unknown": 0, "people": 1}
    receipt |= {"identifiers": 1, "rows": {}, "files_deleted": 0, "readable_since": {"persons": 3}, "run_id": "run"}
    warehouse.append("erasures", table_rows(spark, "erasures", [receipt]))
    assert warehouse.read("persons", 2).agg(F.count("person_id")).first() == (3,), "the oldest that is left"
