"""`python -m segmentation.runtime.warm`: makes the archive of classes that later starts of Java map.

It does once, in small, what a run does, so that those classes are in it. That takes 58 seconds of processor time and
200 MB; each later start is spared a fifth of its own (a session, a query, 15 writes to Delta and a join: 30 to 33
seconds instead of 39 to 41).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from delta.tables import DeltaTable
from pyspark import SparkContext
from pyspark.ml.clustering import BisectingKMeans
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from segmentation.config.spark import SparkSettings
from segmentation.runtime.jvm import ARCHIVE_IS_SILENT, archive_path
from segmentation.runtime.spark import get_spark


def make_archive() -> Path:
    """Makes the archive anew, whole or not at all, and returns where it is."""
    target = archive_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # Java does not write one while it uses another
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    options = f'-XX:ArchiveClassesAtExit="{aside}" {ARCHIVE_IS_SILENT} -XX:TieredStopAtLevel=1'
    spark = get_spark(SparkSettings(driver_memory="1g", conf={"spark.driver.extraJavaOptions": options}))
    with tempfile.TemporaryDirectory() as folder:
        _do_a_little_of_everything(spark, folder)
    gateway = SparkContext._gateway
    assert gateway is not None
    spark.stop()
    gateway.proc.stdin.close()  # on which Java ends, and writes the archive
    gateway.proc.wait()
    aside.replace(target)
    return target


def _do_a_little_of_everything(spark: SparkSession, folder: str) -> None:
    rows = spark.range(20).select(
        F.concat(F.lit("p"), F.col("id") % 4).alias("key"),
        F.timestamp_seconds(F.col("id") * 3600).alias("at"),
        (F.col("id") / 3).cast("decimal(18,4)").alias("amount"),
        F.create_map(F.lit("page"), F.col("id").cast("string")).alias("properties"),
    )
    rows.write.parquet(f"{folder}/parquet")
    rows.write.json(f"{folder}/json")
    rows = spark.read.parquet(f"{folder}/parquet").join(spark.read.json(f"{folder}/json").select("key"), "key")
    table = f"{folder}/table"
    rows.write.format("delta").partitionBy("key").save(table)
    rows.where("key = 'p1'").write.format("delta").mode("overwrite").option("replaceWhere", "key = 'p1'").save(table)
    target = DeltaTable.forPath(spark, table).alias("t")
    target.merge(rows.dropDuplicates(["key"]).alias("s"), "t.key = s.key AND t.at = s.at").whenMatchedUpdate(
        set={"amount": "s.amount"}
    ).whenNotMatchedInsertAll().execute()
    order = Window.partitionBy("key").orderBy("at")
    people = (
        spark.read.format("delta")
        .option("versionAsOf", 0)
        .load(table)
        .withColumn("gap", F.col("at").cast("long") - F.lag("at").over(order).cast("long"))
        .groupBy("key")
        .agg(F.sum("amount").cast("double").alias("x"), F.avg("gap").alias("y"))
    )
    vectors = VectorAssembler(inputCols=["x", "y"], outputCol="features").transform(people)
    BisectingKMeans(k=2, seed=1).fit(vectors).transform(vectors).collect()


if __name__ == "__main__":
    make_archive()
