"""Small files in a folder or object store, through Spark's own file systems."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession


def is_empty(spark: SparkSession, folder: str) -> bool:
    """Whether there is nothing in `folder`, or no such folder."""
    path, system = _open(spark, folder)
    return not system.exists(path) or (system.getFileStatus(path).isDirectory() and len(system.listStatus(path)) == 0)


def write_text(spark: SparkSession, path: str, text: str) -> None:
    """Writes a small file, which must not be there yet."""
    place, system = _open(spark, path)
    stream = system.create(place, False)
    try:
        stream.write(bytearray(text.encode()))
    finally:
        stream.close()


def read_text(spark: SparkSession, path: str) -> str | None:
    """A small file's text, or None where there is none."""
    place, system = _open(spark, path)
    if not system.exists(place):
        return None
    stream = system.open(place)
    try:
        jvm: Any = spark.sparkContext._jvm
        return str(jvm.java.lang.String(stream.readAllBytes(), "UTF-8"))
    finally:
        stream.close()


def _open(spark: SparkSession, path: str) -> tuple[Any, Any]:
    context = spark.sparkContext
    place = context._jvm.org.apache.hadoop.fs.Path(path)  # type: ignore[union-attr]
    return place, place.getFileSystem(context._jsc.hadoopConfiguration())
