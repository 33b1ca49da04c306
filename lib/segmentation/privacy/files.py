"""Files that are no tables (deliveries, models, reports): which of them hold a value."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

_BETWEEN_WORDS = r"[^\p{L}\p{N}@._+-]+"


def find_files(paths: Sequence[str], values: DataFrame) -> list[str]:
    """Those of the files, or of all in the folders, `paths` in which a value stands; one pass over them.

    `values`: one value a row (`value`), few against the files. Words are compared, and of a value of several its
    longest, so a file may be named that only has that word in it: one too many rather than one too few.
    """
    spark = values.sparkSession
    files = [file for path in paths for file in _list_files(spark, path)]
    if not files:
        return []
    parquet = [file for file in files if file.endswith(".parquet")]
    texts = [file for file in files if not file.endswith(".parquet")]
    frames = [frame.withColumn("value", F.to_json(F.struct("*"))) for frame in _read_alike(spark, parquet)]
    frames += [spark.read.text(texts)] if texts else []
    named = [frame.select(F.col("_metadata.file_path").alias("file"), "value") for frame in frames]
    lines = reduce(DataFrame.unionByName, named)
    words = lines.select("file", F.explode(_words("value")).alias("word"))
    sized = F.transform(_words("value"), lambda word: F.struct(F.length(word).alias("size"), word.alias("word")))
    sought = values.select(F.array_max(sized)["word"].alias("word")).where("word != ''")
    found = words.join(F.broadcast(sought), "word", "left_semi").select("file").distinct()
    return sorted(unquote(row["file"]) for row in found.collect())


def _list_files(spark: SparkSession, path: str) -> Iterator[str]:
    """The file, or all in the folder, but for checksums: Spark itself would pass over folders such as `_audiences`."""
    jvm: Any = spark._jvm
    at = jvm.org.apache.hadoop.fs.Path(path)
    found = at.getFileSystem(spark._jsc.hadoopConfiguration()).listFiles(at, True)
    while found.hasNext():
        file = found.next().getPath()
        if not file.getName().startswith((".", "_")):
            yield str(file.toString())


def _read_alike(spark: SparkSession, files: Sequence[str]) -> Iterator[DataFrame]:
    """Parquet files, those of the same columns together: all others would lose what the first one has not."""
    alike: dict[str, list[str]] = defaultdict(list)
    for file in files:
        alike[spark.read.parquet(file).schema.json()].append(file)
    for schema, same in alike.items():
        yield spark.read.schema(StructType.fromJson(json.loads(schema))).parquet(*same)


def _words(column: str) -> Column:
    return F.split(column, _BETWEEN_WORDS)
