"""The whole pipeline on the made shop: its tables, running it again, and killing it anywhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from tests.shop import KINDS, PEOPLE_A_KIND, write_shop

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.runtime.cli import run_command
from segmentation.stages.pipeline import STAGES

KEY = "0123456789abcdef" * 4
CLOCK = {
    "quarantined_ts",
    "ingested_ts",
    "created_ts",
    "published_ts",
    "delivered_ts",
    "run_id",
    "inputs",
    "fingerprint",
}
"""Columns that say when, and by which commits, something was done: they differ from run to run."""
PLACE = {"files", "file_stamps", "batch_id", "first_batch_id", "path", "config_sha256", "delivery", "code_version"}
"""Columns that say where something lies, or a hash of that: they differ from folder to folder."""


@pytest.fixture(scope="module")
def key() -> None:
    os.environ["SEGMENTATION_KEY"] = KEY


@pytest.fixture(scope="module")
def shop(spark: SparkSession, key: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop whose pipeline has run once."""
    folder = tmp_path_factory.mktemp("shop")
    assert run_command(["run", "--config", str(write_shop(folder))]) == 0
    return folder


def test_every_table_of_the_contract_can_be_read_without_spark(shop: Path) -> None:
    for name, table in CATALOGUE.items():
        found = DeltaTable(shop / "warehouse" / name).to_pyarrow_table()
        missing = set(table.column_names) - set(found.column_names)
        assert not missing, f"{name} lacks {missing}"


def test_everyone_is_in_a_published_segment_that_fits_their_kind(shop: Path) -> None:
    current = DeltaTable(shop / "warehouse" / "segments_current").to_pandas()
    owners = DeltaTable(shop / "warehouse" / "identity_map").to_pandas()
    assert set(current["person_id"]) == set(owners["person_id"])
    assert current["person_id"].is_unique
    # Browsers on which nobody ever signed in are persons too, whose kind nobody knows.
    users = owners[owners["identifier_type"] == "user_id"].set_index("person_id")["identifier_value"]
    known = current[current["person_id"].isin(users.index)]
    assert len(known) == PEOPLE_A_KIND * len(KINDS)
    kind = known["person_id"].map(users).str[1:].astype(int) % len(KINDS)
    in_one_segment = known.groupby(kind)["segment_id"].agg(lambda ids: ids.value_counts(normalize=True).iloc[0])
    assert (in_one_segment > 0.8).all(), in_one_segment


def test_a_second_run_changes_nothing(shop: Path) -> None:
    before = {name: DeltaTable(shop / "warehouse" / name).version() for name in CATALOGUE if name != "runs"}
    assert run_command(["run", "--config", str(shop / "shop.yml")]) == 0
    after = {name: DeltaTable(shop / "warehouse" / name).version() for name in CATALOGUE if name != "runs"}
    assert after == before


def test_killed_in_every_stage_and_started_again_it_ends_as_if_it_had_not_been(
    spark: SparkSession, shop: Path, tmp_path: Path
) -> None:
    config = write_shop(tmp_path)
    command = [
        sys.executable,
        "-m",
        "segmentation.runtime.cli",
        "run",
        "--config",
        str(config),
        "--as-of",
        "2026-03-31",
    ]
    for stage in STAGES.values():
        first_output = tmp_path / "warehouse" / next(iter(stage.writes), "runs") / "_delta_log"
        _run_and_kill(command, _commits(first_output) + 1, first_output, tmp_path / "log")
    with (tmp_path / "log").open("a") as log:
        assert subprocess.run(command, stderr=log, check=False).returncode == 0, (tmp_path / "log").read_text()
    for name in CATALOGUE:
        if name != "runs":
            _assert_same_rows(_rows(spark, shop, name), _rows(spark, tmp_path, name), name)


def _run_and_kill(command: list[str], commits: int, log_folder: Path, log: Path) -> None:
    """Starts the run and kills it, by a signal that it cannot catch, as soon as the folder has that many commits."""
    with log.open("a") as output:
        process = subprocess.Popen(command, stderr=output, start_new_session=True)
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
