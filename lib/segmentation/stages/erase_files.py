"""The files that hold people who are to be erased: delivered ones, delivered tables, and reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.clustering import saving
from segmentation.contracts.errors import InputError
from segmentation.privacy.files import find_files
from segmentation.privacy.holdings import IDENTIFIER
from segmentation.runtime.files import drop_older_files
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import report
from segmentation.stages.ingest_plan import STREAMS

_ABOUT_NOBODY = (saving.FOLDER, STREAMS)
"""Folders of the warehouse whose files are about nobody."""


def delete_files(warehouse: Warehouse, people: DataFrame, identifiers: DataFrame) -> int:
    """Deletes the delivered files that hold somebody: all of a destination that was told of one (in what form, only
    its platform knows), and others in which a value stands; the reports that show one of them; and takes people out of
    delivered tables. The next export delivers without them, and reports can be written again. Returns how many files
    were deleted.

    Raises `InputError` where a model or a stream's checkpoint holds somebody, which none should.
    """
    written = F.explode(F.array_compact(F.array("path", "removed_path"))).alias("path")
    log = warehouse.read_or_empty("export_log").select("destination", written).distinct()
    told = warehouse.read_or_empty("export_members").join(F.broadcast(people), "person_id", "left_semi")
    told = told.select("destination", F.lit(True).alias("told")).distinct()
    delivered = log.join(told, "destination", "left").groupBy("path").agg(F.max("told").alias("told")).collect()
    there = [row for row in delivered if _is_there(warehouse.spark, row["path"])]
    tables = [row["path"] for row in there if _is_folder(warehouse.spark, row["path"])]
    for path in tables:
        _take_out_of_table(warehouse.spark, path, people)
    there = [row for row in there if row["path"] not in tables]
    doomed = [row["path"] for row in there if row["told"]]
    values = _values_of(warehouse, people, identifiers)
    searched = [row["path"] for row in there if not row["told"]]
    doomed += find_files(searched + _folders(warehouse, [report.FOLDER]), values)
    for path in doomed:
        files, at = _file(warehouse.spark, path)
        files.delete(at, False)
    if others := find_files(_folders(warehouse, _ABOUT_NOBODY), values):
        raise InputError(
            f"The file {Path(others[0]).name} of a model or stream holds somebody who is to be erased: delete "
            "it, then start again."
        )
    return len(doomed)


def _folders(warehouse: Warehouse, names: Sequence[str]) -> list[str]:
    """Where folders of the warehouse are, of those that are there."""
    return [path for name in names if _is_there(warehouse.spark, path := warehouse.path(name))]


def _take_out_of_table(spark: SparkSession, path: str, people: DataFrame) -> None:
    """Deletes people from a Delta table that was delivered, which is the one kind of delivery that is a folder, and
    every file that only an older version of it needs."""
    table = DeltaTable.forPath(spark, path)
    same = "row.person_id = gone.person_id"
    table.alias("row").merge(people.alias("gone"), same).whenMatchedDelete().execute()
    drop_older_files(spark, table)


def _values_of(warehouse: Warehouse, people: DataFrame, identifiers: DataFrame) -> DataFrame:
    """All by which the people can stand in a file: ids, identifiers, clear values and their hashes."""
    vault = warehouse.read_or_empty("vault").withColumnRenamed("token", "identifier_value")
    clear = vault.join(F.broadcast(identifiers), list(IDENTIFIER), "left_semi").select("value")
    hashed = clear.select(F.sha2("value", 256).alias("value"))
    known = identifiers.select(F.col("identifier_value").alias("value"))
    return people.toDF("value").unionByName(known).unionByName(clear).unionByName(hashed)


def _file(spark: SparkSession, path: str) -> tuple[Any, Any]:
    jvm: Any = spark._jvm
    at = jvm.org.apache.hadoop.fs.Path(path)
    return at.getFileSystem(spark._jsc.hadoopConfiguration()), at


def _is_there(spark: SparkSession, path: str) -> bool:
    files, at = _file(spark, path)
    return bool(files.exists(at))


def _is_folder(spark: SparkSession, path: str) -> bool:
    files, at = _file(spark, path)
    return bool(files.getFileStatus(at).isDirectory())
