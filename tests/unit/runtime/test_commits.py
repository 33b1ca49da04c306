"""The newest commit of a table, against what Delta says of it."""

from __future__ import annotations

from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from segmentation.runtime.commits import newest_commit


def test_the_newest_commit_is_the_one_that_delta_says_before_and_behind_a_checkpoint(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = str(tmp_path / "table")
    for number in range(12):
        spark.range(number + 1).coalesce(1).write.format("delta").mode("append").save(table)
        if number in (0, 1, 9, 10, 11):
            (last,) = DeltaTable.forPath(spark, table).history(1).collect()
            for since in (None, 0, number):
                commit = newest_commit(spark, table, since)
                assert commit is not None
                assert (commit.version, commit.operation) == (number, "WRITE")
                assert commit.metrics == last["operationMetrics"]
                assert commit.metrics["numOutputRows"] == str(number + 1)
    assert (tmp_path / "table/_delta_log/_last_checkpoint").exists(), "else nothing was behind one"
    (tmp_path / f"table/_delta_log/{0:020}.json").unlink()
    assert newest_commit(spark, table) == commit, "old commits are cleaned up behind a checkpoint"


def test_a_log_that_does_not_say_is_left_to_delta(spark: SparkSession, tmp_path: Path) -> None:
    assert newest_commit(spark, str(tmp_path / "nothing")) is None
