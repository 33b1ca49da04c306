"""The files under a Delta table: how large they are, and deleting those that no version needs."""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from segmentation.runtime.configured import configured

_RETENTION_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"
_VACUUM_COMMITS = "spark.databricks.delta.vacuum.logging.enabled"
_LISTING_TASKS = "spark.sql.sources.parallelPartitionDiscovery.parallelism"


def drop_files(spark: SparkSession, table: DeltaTable) -> None:
    """Deletes files that no version needs which the table's property still keeps."""
    # Delta lists a folder in as many tasks as Spark would take for any number of partitions: ten thousand.
    with configured(spark, {_LISTING_TASKS: str(spark.sparkContext.defaultParallelism)}):
        table.vacuum()


def drop_older_files(spark: SparkSession, table: DeltaTable) -> None:
    """Deletes every file of a table that its newest version does not need, whatever its age."""
    tasks = str(spark.sparkContext.defaultParallelism)
    with configured(spark, {_RETENTION_CHECK: "false", _LISTING_TASKS: tasks, _VACUUM_COMMITS: "false"}):
        table.vacuum(0)


def folder_bytes(spark: SparkSession, location: str) -> int:
    """Size of all files of rows in a table's folder, also of those that its newest version does not need."""
    jvm = spark._jvm
    assert jvm is not None, "a session has its machine"
    path, log = (jvm.org.apache.hadoop.fs.Path(place) for place in (location, f"{location}/_delta_log"))
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    return int(files.getContentSummary(path).getLength() - files.getContentSummary(log).getLength())
