"""The session: what it is started with, and that it minds no one else's Spark or Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from segmentation.config.spark import SparkSettings
from segmentation.contracts.errors import ConfigError
from segmentation.runtime.configured import configured
from segmentation.runtime.spark import _checkpoint_folder, get_spark


def test_the_session_that_is_there_is_used(spark: SparkSession) -> None:
    assert get_spark(SparkSettings(master="local[7]")) is spark
    assert spark.sparkContext.master == "local[2]"


def test_times_are_utc_and_pinned_versions_stay_readable(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    for kept in ("deletedFileRetentionDuration", "logRetentionDuration"):
        assert spark.conf.get(f"spark.databricks.delta.properties.defaults.{kept}") == "interval 365 days"


def test_a_commit_costs_the_same_in_every_time_zone(spark: SparkSession, tmp_path: Path) -> None:
    zones = spark._jvm.java.util.TimeZone  # type: ignore[union-attr]
    scheduler, home = spark._jsc.sc().dagScheduler(), zones.getDefault()

    def count_jobs(zone: str) -> int:
        before = scheduler.numTotalJobs()
        zones.setDefault(zones.getTimeZone(zone))
        for _ in range(2):
            spark.range(1).write.format("delta").mode("append").save(str(tmp_path / zone.replace("/", "-")))
        return int(scheduler.numTotalJobs() - before)

    try:
        assert count_jobs("Europe/Berlin") == count_jobs("UTC") > 0
    finally:
        zones.setDefault(home)


def test_a_session_of_ones_own_is_quiet_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Whatever else is installed, it takes the Spark and the Python that it runs in."""
    script = tmp_path / "script.py"
    script.write_text(
        "from segmentation.config.spark import SparkSettings\n"
        "from segmentation.runtime.spark import get_spark\n"
        "spark = get_spark(SparkSettings(master='local[1]', driver_memory='512m'))\n"
        "assert spark.createDataFrame([(1, 'a')], 'x int, y string').collect() == [(1, 'a')]\n"
        "print(spark.sparkContext.getCheckpointDir().removeprefix('file:'))\n",
        encoding="utf-8",
    )
    elsewhere = {"SPARK_HOME": "/nowhere", "PYSPARK_PYTHON": "/nowhere/python", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, **elsewhere}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    checkpoints = Path(done.stdout.strip())
    assert checkpoints.is_relative_to(tmp_path)
    assert not checkpoints.exists()


def test_a_cluster_needs_a_shared_folder_for_checkpoints() -> None:
    with pytest.raises(ConfigError, match=r"Set spark\.checkpoint\.dir"):
        _checkpoint_folder("spark://master:7077")


def test_what_was_compiled_is_not_compiled_again(spark: SparkSession) -> None:
    compiled = spark._jvm.org.apache.spark.metrics.source.CodegenMetrics.METRIC_COMPILATION_TIME()  # type: ignore[union-attr]

    def compile_all() -> int:
        before = compiled.getCount()
        for number in range(120):
            frame = spark.range(3).selectExpr(f"id * {number} AS x")
            frame._jdf.queryExecution().toRdd()
        return int(compiled.getCount() - before)

    with configured(spark, {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "CODEGEN_ONLY"}):
        first, again = compile_all(), compile_all()
    assert first >= 120, "more than Spark would keep of itself"
    assert again == 0
