"""How the rows of files come to Spark."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from segmentation.config.sources import Source
from segmentation.ingest import reading
from segmentation.ingest.files import list_files


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
