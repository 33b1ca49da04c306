"""A run that is killed in the middle of each stage, and started again, ends as one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.shop import write_shop

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.runtime.stage import Stage
from segmentation.stages.pipeline import STAGES

KEY = "0123456789abcdef" * 4
UNTIL = datetime(2026, 1, 20)
CLOCK = {
    "quarantined_ts",
    "ingested_ts",
    "created_ts",
    "published_ts",
    "delivered_ts",
    "run_id",
    "inputs",
    "fingerprint",
    "acted_ts",
    "measured_ts",
    "previous_hash",
    "entry_hash",
}
"""Columns that say when, and by which commits, something was done: they differ from run to run."""
PLACE = {
    *("files", "file_stamps", "batch_id", "first_batch_id", "path", "config_sha256", "delivery", "code_version"),
    "subject",
}
"""Columns that say where something lies, or a hash of that: they differ from folder to folder."""


@pytest.mark.thorough
def test_killed_in_every_stage_and_started_again_it_ends_as_if_it_had_not_been(
    spark: SparkSession, tmp_path: Path
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    before: Stage | None = None
    for stage in STAGES.values():
        # The stage before it, which was killed, is done again first; those before that are whole.
        command = _command(killed, *((before.name,) if before else ()), stage.name)
        # A stage without a table of its own is at work once `runs` says so, after the one before it.
        own = [table for table in stage.writes if not before or table not in before.writes]
        table, commits = (own[0], 1) if own else ("runs", 2)
        log_folder = killed / "warehouse" / table / "_delta_log"
        _run_and_kill(command, _commits(log_folder) + commits, log_folder, tmp_path / "log")
        before = stage
    for folder in (killed, whole):
        with (tmp_path / "log").open("a") as log:
            done = subprocess.run(_command(folder), stderr=log, env=_environment(), check=False)
        assert done.returncode == 0, (tmp_path / "log").read_text()
    for name, table in CATALOGUE.items():
        if name != "runs" and not table.on_demand:
            _assert_same_rows(_rows(spark, whole, name), _rows(spark, killed, name), name)


def _command(folder: Path, *stages: str) -> list[str]:
    # Written once: a file that was written again is another delivery.
    config = str(folder / "shop.yml" if folder.exists() else write_shop(folder, UNTIL))
    options = ["--stages", ",".join(stages)] if stages else []
    # Each stage is written down as it begins and ends, not after half a minute of work: the test waits for that, and
    # what had ended is not done again under the later stages, which are run by themselves here.
    program = [sys.executable, "-c", "from segmentation.runtime import cli, record; record.PATIENCE = 0; cli.main()"]
    return [*program, "run", "--config", config, "--as-of", "2026-01-19", *options]


def _environment() -> dict[str, str]:
    return {**os.environ, "SEGMENTATION_KEY": KEY}


def _run_and_kill(command: list[str], commits: int, log_folder: Path, log: Path) -> None:
    """Starts the run and kills it, by a signal that it cannot catch, as soon as the folder has that many commits."""
    with log.open("a") as output:
        process = subprocess.Popen(command, stderr=output, env=_environment(), start_new_session=True)
    try:
        while process.poll() is None and _commits(log_folder) < commits:
            time.sleep(0.01)
        assert process.poll() is None, f"ended before it could be killed:\n{log.read_text()}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _commits(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.json"))


def _rows(spark: SparkSession, folder: Path, name: str) -> DataFrame:
    df = spark.read.format("delta").load(str(folder / "warehouse" / name))
    return df.select([column for column in df.columns if column not in CLOCK | PLACE])


def _assert_same_rows(expected: DataFrame, actual: DataFrame, name: str) -> None:
    left, right = (sorted(map(repr, df.collect())) for df in (expected, actual))
    assert left == right, f"{name}: {len(left)} and {len(right)} rows"
