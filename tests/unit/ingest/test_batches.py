"""The ledger of batches, and judging one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from pyspark.sql import SparkSession
from tests.factories import table_rows

from segmentation.contracts.errors import ConfigError, InputError
from segmentation.ingest.batches import Batch, Conformed, Counts, Entry, Ledger, judge, listed, read_ledger
from segmentation.ingest.files import SourceFile

A, B, C = (SourceFile(f"/in/{name}.csv", "1") for name in "abc")
NOW = datetime(2026, 4, 1)


def test_the_same_files_are_the_same_batch() -> None:
    batch = Batch("shop", (A, B), 1, NOW)
    assert batch.id == Batch("shop", (B, A), 7, datetime(2027, 1, 1)).id
    others = [
        Batch("web", (A, B), 1, NOW),
        Batch("shop", (A,), 1, NOW),
        Batch("shop", (A, replace(B, stamp="2")), 1, NOW),
    ]
    assert len({batch.id, *(other.id for other in others)}) == 4


def test_the_ledger_knows_what_is_done_and_what_was_begun(spark: SparkSession) -> None:
    said = [(1, "done", A, "`a` string"), (2, "planned", B, "`b` string")]
    rows = [
        {"source": "shop", "ingested_ts": NOW, "batch_id": str(seq), "batch_seq": seq, "status": status,
         "files": [file.path], "file_stamps": [file.stamp], "source_schema": schema}
        for seq, status, file, schema in said
    ]  # fmt: skip
    table = table_rows(spark, "ingest_batches", rows)
    ledger = read_ledger(table)
    assert ledger.last_seq == 2
    assert ledger.begun == (Batch("shop", (B,), 2, NOW),)
    assert ledger.schema_before(Batch("shop", (C,), 3, NOW)) == "`b` string"
    assert ledger.schema_before(ledger.begun[0]) == "`a` string"
    assert ledger.schema_before(Batch("shop", (A,), 1, NOW)) is None
    changed = replace(A, stamp="2")
    assert ledger.new_files("shop", [A, B, C, changed]) == (B, C, changed)
    assert ledger.new_files("web", [A]) == (A,)


def test_a_batch_can_be_begun_again(spark: SparkSession) -> None:
    first, second = Batch("shop", (A,), 1, NOW), Batch("shop", (B,), 2, NOW)
    ledger = Ledger((Entry(first, True, None), Entry(second, True, None)))
    later = datetime(2026, 5, 1)
    again = ledger.begin_again(first.id, later)
    assert again.begun == (replace(first, at=later),)
    assert (again.new_files("shop", [A, B]), again.last_seq) == ((A,), 2)
    with pytest.raises(ConfigError, match="There is no batch 'x': `segmentation show ingest_batches` lists"):
        ledger.begin_again("x", later)


def test_a_batch_is_refused_whole_over_its_threshold_or_by_a_fatal_rule(spark: SparkSession) -> None:
    batch = Batch("shop", (A,), 1, NOW)
    conformed = Conformed(spark.range(0), ("bad_amount", "odd"), fatal=("odd",), warnings=())
    counts = Counts(read=1000, good=900, quarantined=100, reasons={"bad_amount": 100})
    judge(batch, counts, conformed, max_bad_share=0.1)
    judge(batch, Counts(read=0, good=0, quarantined=0), conformed, max_bad_share=0)
    with pytest.raises(
        InputError, match=r"'shop': 100 of 1,000 rows are bad \(bad_amount 100\), more than max_bad_share 0.09"
    ):
        judge(batch, counts, conformed, max_bad_share=0.09)
    with pytest.raises(InputError, match="odd 1 of 1,000 rows break a rule of severity fail"):
        judge(batch, replace(counts, reasons={"odd": 1}), conformed, max_bad_share=1)
    assert listed({"a": 1, "b": 2000, "c": 1}) == "b 2,000, a 1, c 1"
