"""Files that are no tables (deliveries, models, reports): which of them hold a value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_BETWEEN_WORDS = r"[^\p{L}\p{N}@._+-]+"


def find_files(paths: Sequence[str], values: DataFrame) -> list[str]:
    """Those of the files, or of all in the folders, `paths` in which a value stands; one pass over them.

    `values`: one value a row (`value`), few against the files. Words are compared, and of a value of several its
    longest, so a file may be named that only has that word in it: one too many rather than one too few.
    """
    if not paths:
        return []
    spark = values.sparkSession
    parquet = [path for path in paths if path.endswith(".parquet")]
    texts = [path for path in paths if path not in parquet]
    # Each Parquet file may have other columns, so each is read by itself.
    frames = [spark.read.parquet(path).withColumn("value", F.to_json(F.struct("*"))) for path in parquet]
    frames += [spark.read.option("recursiveFileLookup", True).text(texts)] if texts else []
    named = [frame.select(F.col("_metadata.file_path").alias("file"), "value") for frame in frames]
    lines = reduce(DataFrame.unionByName, named)
    words = lines.select("file", F.explode(_words("value")).alias("word"))
    sized = F.transform(_words("value"), lambda word: F.struct(F.length(word).alias("size"), word.alias("word")))
    sought = values.select(F.array_max(sized)["word"].alias("word")).where("word != ''")
    found = words.join(F.broadcast(sought), "word", "left_semi").select("file").distinct()
    return sorted(unquote(row["file"]) for row in found.collect())


def _words(column: str) -> Column:
    return F.split(column, _BETWEEN_WORDS)
