"""Sources that are streams: what comes is taken in once, whatever is killed, as without a stream."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from tests.deliveries import ingest_once, line, rows, settings, source, write_csv

from segmentation.config.settings import Settings
from segmentation.contracts.errors import InputError
from segmentation.runtime.warehouse import Warehouse

_SAID = ("source", "event_id", "event_name", "event_ts", "identifiers", "amount", "properties")


def _deliver(folder: Path, first: int, last: int) -> None:
    """A file a number; each repeats a line of the one before, and one of its lines is broken."""
    for number in range(first, last + 1):
        write_csv(folder / f"{number}.csv", [line(number), line(number - 1), line(number, id=f"x{number}", ts="soon")])


def _events(spark: SparkSession, configured: Settings, table: str = "events") -> list[Any]:
    columns = _SAID if table == "events" else ("source", "reasons", "raw")
    return rows(spark, configured, table, *columns)


def test_a_stream_of_files_goes_on_where_it_was_killed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "in"
    written = {"sources": [source(files, stream={"most_files": 1})], "identity": {"identifiers": {"user_id": {}}}}
    config = tmp_path / "shop.yml"
    config.write_text(yaml.safe_dump({"warehouse": str(tmp_path / "warehouse"), **written}), encoding="utf-8")
    followed = Settings.model_validate({"warehouse": str(tmp_path / "warehouse"), **written})

    _deliver(files, 1, 1)
    program = [sys.executable, "-m", "segmentation.runtime.cli", "run", "--config", str(config)]
    command = [*program, "--stages", "ingest", "--every", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, text=True)
    try:
        # The ledger has one commit to begin with and two a batch: when it is begun, and when it is done.
        _wait(process, tmp_path / "warehouse", commits=3)
        _deliver(files, 2, 3)
        _wait(process, tmp_path / "warehouse", commits=4)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    assert [status for _, status in _ledger(spark, followed)] == ["done", "planned"]

    # And once more, when the events of a batch are written and the ledger does not say so yet.
    replace = Warehouse.replace_slice

    def die(self: Warehouse, name: str, *rest: Any, **equals: Any) -> Any:
        if name == "ingest_batches":
            raise KeyboardInterrupt
        return replace(self, name, *rest, **equals)

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "replace_slice", die)
        with pytest.raises(KeyboardInterrupt):
            ingest_once(spark, followed)
    assert "planned" in {status for _, status in _ledger(spark, followed)}
    ingest_once(spark, followed)
    assert _ledger(spark, followed) == [(number, "done") for number in range(1, 4)], "a file a batch, each once"
    assert ingest_once(spark, followed).message == "no new files"

    plain = Settings.model_validate({"warehouse": str(tmp_path / "plain"), **written, "sources": [source(files)]})
    ingest_once(spark, plain)
    for table in ("events", "events_quarantine"):
        assert _events(spark, followed, table) == _events(spark, plain, table)


def _ledger(spark: SparkSession, configured: Settings) -> list[tuple[int, str]]:
    batches = Warehouse(spark, configured.warehouse).read_or_empty("ingest_batches")
    return [tuple(row) for row in batches.select("batch_seq", "status").orderBy("batch_seq").collect()]


def _wait(process: subprocess.Popen[str], warehouse: Path, commits: int) -> None:
    """Until the ledger has so many commits, while a process is at work."""
    ends = time.monotonic() + 240
    while sum(1 for _ in (warehouse / "ingest_batches/_delta_log").glob("*.json")) < commits:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < ends, "it takes too long"
        time.sleep(0.05)


def test_of_a_table_only_what_is_added_is_read(spark: SparkSession, tmp_path: Path) -> None:
    table = str(tmp_path / "table")
    names = ("id", "event", "ts", "uid", "price", "quantity")

    def add(*numbers: int) -> None:
        parts = [line(number).split(",") for number in numbers]
        added = spark.createDataFrame([(*p[:4], *p[5:]) for p in parts], ", ".join(f"{name} string" for name in names))
        added.write.format("delta").mode("append").save(table)

    add(1, 2)
    followed = settings(tmp_path / "warehouse", source(Path(table), format="delta", stream={}))
    assert ingest_once(spark, followed).rows_in == 2
    add(2, 3)
    add(4)
    outcome = ingest_once(spark, followed)
    assert (outcome.rows_in, outcome.rows_out, outcome.figures["duplicates"]) == (3, 2, 1)
    assert [row[1] for row in _events(spark, followed)] == ["e1", "e2", "e3", "e4"]
    assert ingest_once(spark, followed).message == "no new files"
    (first, _) = rows(spark, followed, "ingest_batches", "batch_id")
    with pytest.raises(InputError, match="followed as a stream, whose rows are not read twice"):
        ingest_once(spark, followed, replay=first[0])

    spark.sql(f"DELETE FROM delta.`{table}` WHERE id = 'e4'")
    with pytest.raises(InputError, match="rows of its table were changed or deleted"):
        ingest_once(spark, followed)
    passing = settings(
        tmp_path / "warehouse",
        source(Path(table), format="delta", stream={}, options={"skipChangeCommits": True}),
    )
    add(5)
    assert ingest_once(spark, passing).rows_in == 1


def test_a_stream_to_which_nothing_came_yet_waits(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    followed = settings(tmp_path / "warehouse", source(tmp_path / "in", stream={}))
    assert ingest_once(spark, followed).message == "no new files"
    nowhere = settings(tmp_path / "warehouse", source(tmp_path / "nowhere", stream={}))
    with pytest.raises(InputError, match=r"cannot be followed as a stream.*a folder, a glob or a Delta table"):
        ingest_once(spark, nowhere)
