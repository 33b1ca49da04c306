"""How the rows of files come to Spark."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from segmentation.config.identity import IdentitySettings
from segmentation.config.sources import Source
from segmentation.contracts.errors import InputError
from segmentation.ingest import reading
from segmentation.ingest.deliveries import Delivery
from segmentation.ingest.drift import find_retyped
from segmentation.ingest.files import list_files
from segmentation.ingest.kinds import PATTERNS, find_kinds
from segmentation.ingest.mapping import Mapping, check_mapping
from segmentation.ingest.repairs import ROW, Repaired, read_repaired


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


def test_columns_of_text_are_what_most_of_their_values_are(spark: SparkSession, tmp_path: Path) -> None:
    said: list[dict[str, object]] = [
        {"n": 1 + k % 2 * 0.5, "at": f"2026-03-0{1 + k % 9} 10:00:00", "id": f"e{k}", "new": True, "blank": " "}
        for k in range(20)
    ]
    said[7] |= {"n": "cheap", "at": None}
    (tmp_path / "web.json").write_text("\n".join(map(json.dumps, said)) + "\n{broken\n", encoding="utf-8")
    columns = {"event_name": "'seen'", "event_ts": "at", "identifiers": {"user_id": "id"}}
    source = Source.model_validate({"name": "web", "format": "json", "path": str(tmp_path), "columns": columns})
    kinds = find_kinds(reading.read_rows(spark, source, list_files(spark, source)))
    assert kinds == {"n": "number", "at": "time", "id": "text", "new": "boolean"}
    assert find_retyped(kinds, {"n": "text", "at": "number", "id": "number", "new": "boolean"}) == [
        "'at' is number and was time",
        "'n' is text and was number",
    ]


def test_what_is_kept_of_columns_can_be_read_again_whatever_their_names(spark: SparkSession, tmp_path: Path) -> None:
    said = {"id": "a", "of`it": "b", "device": {"user-agent": "c", "os": [{"a:b, c": 1}]}}
    (tmp_path / "web.json").write_text(json.dumps(said), encoding="utf-8")
    columns = {"event_name": "'seen'", "event_ts": "id", "identifiers": {"user_id": "id"}}
    source = Source.model_validate({"name": "web", "format": "json", "path": str(tmp_path), "columns": columns})
    rows = reading.read_rows(spark, source, list_files(spark, source))
    schema = Delivery((), rows, Mapping(source, {})).schema
    assert StructType.fromDDL(schema) == rows.df.drop(reading.BROKEN).schema


def test_repaired_rows_that_do_not_fit_are_refused_and_it_is_said_which(spark: SparkSession, tmp_path: Path) -> None:
    quarantine = spark.createDataFrame([("b", "{}", None)], "batch_id string, raw string, repaired_by string")
    columns = {"event_name": "'seen'", "event_ts": "ts", "identifiers": {"user_id": "id"}}
    source = Source.model_validate({"name": "web", "format": "json", "path": str(tmp_path), "columns": columns})
    row = hashlib.sha256(b"{}").hexdigest()[:32]

    def handed_in(said: dict[str, str]) -> Repaired:
        (tmp_path / "rows.json").write_text(json.dumps(said), encoding="utf-8")
        files = list_files(spark, source)
        return read_repaired(spark, source, files, "`id` string, `ts` string", quarantine, "b", "by", is_begun=False)

    assert handed_in({ROW: row, "id": "a", "ts": "2026-03-01"}).waiting == 1
    with pytest.raises(InputError, match="the column 'Ts', which is 'ts' in the batch"):
        handed_in({ROW: row, "id": "a", "Ts": "2026-03-01"})
    with pytest.raises(InputError, match=r"of repaired rows cannot be read as JSON \[COLUMN_ALREADY_EXISTS"):
        handed_in({ROW: row, "ts": "2026-03-01", "Ts": "2026-03-01"})
    with pytest.raises(InputError, match="as `_refused_row`: write"):
        handed_in({ROW: "ann@example.com", "id": "a"})
    with pytest.raises(InputError, match=f"^1 of 1 .*'{'0' * 32}' first"):
        handed_in({ROW: "0" * 32, "id": "a"})


def test_digits_without_end_are_looked_at_once() -> None:
    numbers = ("7", "-7.", "+7.25", ".5", "1e9", "1.5E-3")
    assert all(re.search(PATTERNS["number"], text) for text in numbers)
    began = time.process_time()
    assert not any(re.search(PATTERNS["number"], text) for text in ("7" * 50_000 + "x", ".", "1.2.3", "1e"))
    assert time.process_time() - began < 1


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
