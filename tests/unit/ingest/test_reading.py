"""How the rows of files come to Spark."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from segmentation.config.identity import IdentitySettings
from segmentation.config.sources import Source
from segmentation.ingest import reading
from segmentation.ingest.files import list_files
from segmentation.ingest.mapping import check_mapping


@pytest.mark.parametrize(("task", "large", "tasks"), [(1000, 1 << 20, 2), (1 << 20, 1 << 20, 1), (1000, 2000, 1)])
def test_what_is_read_in_one_task_is_conformed_in_several(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: int, large: int, tasks: int
) -> None:
    lines = [f"e{n},{n * n}" for n in range(2000)]
    (tmp_path / "shop.csv.gz").write_bytes(gzip.compress("\n".join(["id,what", *lines]).encode()))
    columns = {"event_name": "'seen'", "event_ts": "what", "identifiers": {"user_id": "id"}}
    source = Source.model_validate({"name": "shop", "format": "csv", "path": str(tmp_path), "columns": columns})
    monkeypatch.setattr(reading, "BYTES_A_TASK", task)
    monkeypatch.setattr(reading, "LARGE", large)
    rows = reading.read_rows(spark, source, list_files(spark, source)).df
    assert rows.rdd.getNumPartitions() == tasks
    assert sorted(f"{row['id']},{row['what']}" for row in rows.collect()) == sorted(lines)


def test_columns_that_a_batch_may_lack_say_nothing_then(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text('{"id": "a", "Event": "view"}\n{"id": "b", "Event": "view"}\n', encoding="utf-8")
    columns = {"event_name": "Event", "event_ts": "ts", "identifiers": {"user_id": "id"}, "amount": "price * quantity"}
    base = {"name": "web", "format": "json", "path": str(tmp_path), "columns": columns}
    source = Source.model_validate({**base, "optional": ["price", "quantity", "EVENT", "price"]})
    rows = reading.read_rows(spark, source, list_files(spark, source))
    assert rows.own == ("Event", "id"), "what a row is shown with in the quarantine is its own"
    assert rows.columns == ("Event", "id", "price", "quantity")
    assert {(row["id"], row["Event"], row["price"], row["quantity"]) for row in rows.df.collect()} == {
        ("a", "view", None, None),
        ("b", "view", None, None),
    }
    identity = IdentitySettings.model_validate({"identifiers": {"user_id": {}}})
    _, problems = check_mapping(spark, source, "sources.0.columns", identity, rows)
    (problem,) = problems
    assert str(problem) == "sources.0.columns.event_ts: the source has no column 'ts' (found 'ts')"
