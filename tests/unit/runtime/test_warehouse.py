"""Writing tables: what may be made twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F
from tests.factories import table_rows

from segmentation.runtime.warehouse import Outside, Warehouse


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


def test_any_slice_but_one_is_replaced_and_the_files_of_that_one_stay(
    spark: SparkSession, warehouse_path: Path
) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))

    def hold(destination: str, delivery: int, last: int | None = None) -> None:
        row = {"destination": destination, "delivery": delivery, "person_id": "p", "told": delivery}
        others = {} if last is None else {"delivery": Outside(last, last)}
        rows = table_rows(spark, "export_members", [row])
        warehouse.replace_slice("export_members", rows, destination=destination, **others)

    def held() -> dict[tuple[str, int], str]:
        rows = warehouse.read("export_members").select("destination", "delivery", F.input_file_name().alias("file"))
        return {(row["destination"], row["delivery"]): row["file"] for row in rows.collect()}

    hold("crm", 1)
    hold("ads", 1)
    hold("crm", 2, last=1)
    before = held()
    assert sorted(before) == [("ads", 1), ("crm", 1), ("crm", 2)]
    for _ in range(2):
        hold("crm", 3, last=2)
        assert sorted(held()) == [("ads", 1), ("crm", 2), ("crm", 3)]
        assert all(held()[kept] == before[kept] for kept in (("ads", 1), ("crm", 2)))


def test_what_was_done_to_a_table_since_a_version_is_told_by_its_kind(
    spark: SparkSession, warehouse_path: Path
) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    rows = [{"person_id": f"p{number}", "identifier_count": 1} for number in range(2)]
    made = warehouse.append("persons", table_rows(spark, "persons", rows)).version
    assert warehouse.changes_since("persons", made) == set()
    added = warehouse.append("persons", table_rows(spark, "persons", [{**rows[0], "person_id": "p9"}])).version
    assert warehouse.changes_since("persons", made) == {"added"}
    one = spark.createDataFrame([("p1",)], "person_id string")
    warehouse.merge("persons", one, ["person_id"], lambda m: m.whenMatchedUpdate(set={"identifier_count": "7"}))
    assert warehouse.changes_since("persons", made) == {"added", "updated"}
    assert warehouse.changes_since("persons", added) == {"updated"}
    warehouse.merge("persons", one, ["person_id"], lambda m: m.whenMatchedDelete())
    assert warehouse.changes_since("persons", added) == {"updated", "other"}
    assert warehouse.changes_since("persons", 99) is None
    assert warehouse.changes_since("events", 0) is None
    warehouse.vacuum("persons", timedelta(days=1))
    assert warehouse.changes_since("persons", made) is None, "it may not be readable any more"


def test_an_update_puts_rows_in_their_place_takes_some_out_and_reads_files_of_those_dates_only(
    spark: SparkSession, warehouse_path: Path
) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))

    def session(name: str, day: int, events: int = 1) -> dict[str, object]:
        at = datetime(2026, 3, day, 12)
        said = {"session_start": at, "session_end": at, "duration_s": 0, "entry_event": "view", "exit_event": "view"}
        flags = {"end_reason": "timeout", "is_bounce": True, "converted": False}
        return {"session_id": name, "person_id": "p", "events": events, **said, **flags}

    for some in ([session("old", 1)], [session("changed", 5), session("gone", 6), session("kept", 6)]):
        warehouse.append("sessions", table_rows(spark, "sessions", some).coalesce(1))
    untouched = {file.name for file in (warehouse_path / "sessions").glob("*.parquet")}
    new = table_rows(spark, "sessions", [session("changed", 5, 2), session("new", 7)]).withColumn("gone", F.lit(False))
    gone = table_rows(spark, "sessions", [session("gone", 6)]).withColumn("gone", F.lit(True))
    warehouse.update("sessions", new.unionByName(gone), "gone", {"session_start": (date(2026, 3, 5), date(2026, 3, 7))})
    found = {row["session_id"]: row["events"] for row in warehouse.read("sessions").collect()}
    assert found == {"old": 1, "changed": 2, "kept": 1, "new": 1}
    (log,) = (warehouse_path / "sessions" / "_delta_log").glob("*3.json")
    removed = [name for name in untouched if f'"remove":{{"path":"{name}"' in log.read_text()]
    assert len(removed) == 1, "the file of other dates stays"
