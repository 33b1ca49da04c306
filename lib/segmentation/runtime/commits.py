"""The newest commit of a Delta table in a folder, read from its log.

`DeltaTable.history(1)` says the same by a Spark job, which takes as long as many a write does. The log's layout is
Delta's published protocol: a file of JSON lines for each version, and a hint where its last checkpoint is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from pyspark.sql import SparkSession

CLEANS_UP = ("VACUUM START", "VACUUM END")
"""Operations of Delta after which older versions may not be readable."""
MOVES_ONLY = ("OPTIMIZE", "SET TBLPROPERTIES", "REORG", *CLEANS_UP)
"""Operations of Delta after which a table has the same rows."""

Change = Literal["added", "updated", "other"]
"""What a commit did to the rows of a table: added some, updated some, or anything else."""


@dataclass(frozen=True)
class Commit:
    """One version of a table, and what made it."""

    version: int
    operation: str
    metrics: Mapping[str, str]


def newest_commit(spark: SparkSession, table: str, since: int | None = None) -> Commit | None:
    """The newest commit of the table in this folder; `since` is a version that is known to be there.

    None where the log does not say, as when the file has been cleaned up behind a checkpoint: ask Delta itself then.
    """
    log = _Log(spark, f"{table}/_delta_log")
    version = since if since is not None else log.checkpoint()
    if not log.has(version):
        return None
    # Versions have no gaps, so longer and longer steps, then shorter ones, end at the newest.
    step = 1
    while log.has(version + step):
        version, step = version + step, step * 2
    while step > 1:
        step //= 2
        version += step if log.has(version + step) else 0
    for action in log.actions(version):
        if info := action.get("commitInfo"):
            return Commit(version, info["operation"], info.get("operationMetrics") or {})
    return None


def change_of(operation: str, mode: str | None, metrics: Mapping[str, str]) -> Change:
    """What a commit that did not only move rows did to them."""
    if operation == "WRITE" and mode == "Append":
        return "added"
    of_merge = [metrics.get(f"numTargetRows{done}") for done in ("Inserted", "Deleted")]
    return "updated" if operation == "MERGE" and of_merge == ["0", "0"] else "other"


class _Log:
    def __init__(self, spark: SparkSession, folder: str) -> None:
        self._folder = folder
        jvm: Any = spark._jvm
        # Found once: to go through a package asks Java for a class of each of its names.
        self._new_path = jvm.org.apache.hadoop.fs.Path
        self._jvm = jvm
        self._files = self._path("").getFileSystem(spark._jsc.hadoopConfiguration())

    def checkpoint(self) -> int:
        """The version of the last checkpoint; 0 where there has been none."""
        path = self._path("_last_checkpoint")
        if not self._files.exists(path):
            return 0
        return int(json.loads("".join(self._lines(path)))["version"])

    def has(self, version: int) -> bool:
        return bool(self._files.exists(self._commit(version)))

    def actions(self, version: int) -> Iterator[dict[str, Any]]:
        """One by one, since a commit of many files is long and says first what it is."""
        yield from map(json.loads, self._lines(self._commit(version)))

    def _lines(self, path: Any) -> Iterator[str]:
        java = self._jvm.java.io
        with closing(java.BufferedReader(java.InputStreamReader(self._files.open(path), "UTF-8"))) as reader:
            while (line := reader.readLine()) is not None:
                yield line

    def _commit(self, version: int) -> Any:
        return self._path(f"{version:020}.json")

    def _path(self, name: str) -> Any:
        return self._new_path(f"{self._folder}/{name}")
