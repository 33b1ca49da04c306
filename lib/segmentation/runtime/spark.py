"""The Spark session: the one that is already there, or one of our own in local mode."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from py4j.java_gateway import JavaPackage
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from segmentation.config.settings import Settings
from segmentation.config.spark import OpenLineageSettings, SparkSettings
from segmentation.contracts.errors import ConfigError
from segmentation.runtime.jars import COORDINATES, KAFKA, OPENLINEAGE, jar_paths
from segmentation.runtime.jvm import java_options, launch
from segmentation.runtime.plans import LINEAGE_LISTENER

_STATIC = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # PySpark would look through the stack, and for IPython on the disk, at each operator of each column: two thirds of
    # the time that it takes to write an expression.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # Spark compiles a query's code and keeps the last hundred pieces. One stage has more than that: all were compiled
    # anew when it ran again, by Spark and then by Java, which took a third of the processor time of taking events in.
    "spark.sql.codegen.cache.maxEntries": "2000",
}

_LOCAL = {
    # The UI listens on every address; nobody looks at it in local mode.
    "spark.ui.enabled": "false",
    # Nor at the description of each plan that Spark writes for it.
    "spark.sql.ui.explainMode": "simple",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Two hundred shuffle tasks and fifty snapshot tasks are for clusters: here each costs more than its work.
    "spark.sql.shuffle.partitions": "8",
    "spark.databricks.delta.snapshotPartitions": "2",
    # On a local disk: the store for HDFS, which Delta takes otherwise, starts eight processes to rename a file; this
    # one promises as much to the writers of one process, and others are kept out by the lock.
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.catalogImplementation": "in-memory",
}

_LISTENERS = "spark.extraListeners"

_RUNTIME = {
    "spark.sql.session.timeZone": "UTC",
    # Delta refuses to read back by path what was removed later than this; pinned versions must stay readable.
    "spark.databricks.delta.properties.defaults.deletedFileRetentionDuration": "interval 365 days",
    "spark.databricks.delta.properties.defaults.logRetentionDuration": "interval 365 days",
    # On machines that are not in UTC, Delta reads the whole log at each commit to compare what it wrote there: for
    # dates before 1883, which no event has. A commit took 3.8 of Spark's jobs in Berlin, and 1.6 in UTC.
    "spark.databricks.delta.allFilesInCrc.verificationMode.forceOnNonUTC.enabled": "false",
}


def session_for(settings: Settings) -> SparkSession:
    """As `get_spark`, with what the sources of a configuration need."""
    reads_kafka = any(source.format == "kafka" for source in settings.sources)
    return get_spark(settings.spark, further=KAFKA if reads_kafka else ())


def get_spark(settings: SparkSettings, app_name: str = "segmentation", further: Sequence[str] = ()) -> SparkSession:
    """The active session, or a new one: under spark-submit with what it was given, else in local mode, with the jars of
    `further` coordinates.

    Raises `ConfigError` when a session of our own is needed and its jars are not there, when there is no folder for
    checkpoints that a cluster's nodes share, and when the session was started without Delta Lake, or without the
    listener for the lineage that is asked for.
    """
    spark = SparkSession.getActiveSession()
    if spark is None:
        builder = SparkSession.builder.appName(app_name)
        for key, value in _STATIC.items():
            builder = builder.config(key, value)
        if not _submitted():
            local = _local_conf(settings, further)
            builder = builder.config(map=dict(local))
            if SparkContext._gateway is None:
                SparkContext._ensure_initialized(gateway=launch(SparkConf().setAll(list(local.items()))))
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
    if isinstance(spark._jvm.io.delta.tables.DeltaTable, JavaPackage):  # type: ignore[union-attr]
        raise ConfigError(
            "Spark was started without Delta Lake: start it with --properties-file conf/spark-defaults.conf --packages "
            f"{COORDINATES[0]}, and with GraphFrames as the README says."
        )
    if settings.openlineage and LINEAGE_LISTENER not in (spark.conf.get(_LISTENERS, None) or ""):
        raise ConfigError(
            "spark.openlineage: Spark was started without its listener; start it with "
            f"--packages {OPENLINEAGE[0]} --conf {_LISTENERS}={LINEAGE_LISTENER}, or leave the key out."
        )
    for key, value in _RUNTIME.items():
        spark.conf.set(key, value)
    if spark.sparkContext.getCheckpointDir() is None:
        spark.sparkContext.setCheckpointDir(_checkpoint_folder(str(spark.sparkContext.master)))
    return spark


def _checkpoint_folder(master: str) -> str:
    """A folder that goes with this process. Raises `ConfigError` on a cluster: there all nodes have to reach it."""
    if not master.startswith("local"):
        raise ConfigError("Set spark.checkpoint.dir to a folder that all nodes of the cluster can read and write.")
    folder = tempfile.mkdtemp(prefix="segmentation-checkpoints-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _submitted() -> bool:
    """Whether spark-submit started this process: then master, jars and memory are its business."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _local_conf(settings: SparkSettings, further_jars: Sequence[str]) -> dict[str, str]:
    jars, lineage = [*jar_paths(settings.packages), *(jar_paths(further_jars) if further_jars else ())], {}
    if settings.openlineage:
        jars += jar_paths(OPENLINEAGE)
        lineage = _lineage_conf(settings.openlineage)
    class_path = os.pathsep.join(map(str, jars))
    with as_file(files("segmentation.runtime") / "log4j2.properties") as log4j:
        logging = f"-Dlog4j2.configurationFile={log4j.absolute().as_uri()}"
    further = {key: str(value) for key, value in settings.conf.items()}
    java = f"{logging} {java_options(further.pop('spark.driver.extraJavaOptions', ''))}"
    return {
        **_LOCAL,
        "spark.master": settings.master,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.extraClassPath": class_path,
        "spark.driver.extraJavaOptions": java,
        **lineage,
        **further,
    }


def _lineage_conf(settings: OpenLineageSettings) -> dict[str, str]:
    if settings.file:
        Path(settings.file).parent.mkdir(parents=True, exist_ok=True)
    to = {"type": "file", "location": settings.file} if settings.file else {"type": "http", "url": settings.url}
    return {
        _LISTENERS: LINEAGE_LISTENER,
        **{f"spark.openlineage.transport.{key}": str(value) for key, value in to.items()},
        "spark.openlineage.namespace": settings.namespace,
        # A plan quotes what rows are compared with.
        "spark.openlineage.facets.spark.logicalPlan.disabled": "true",
    }
