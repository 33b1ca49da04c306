"""Several small Spark jobs at once: each leaves most of the cores idle while the driver plans its next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession

In = TypeVar("In")
Out = TypeVar("Out")

_MOST = 8


def at_once(spark: SparkSession, work: Callable[[In], Out], items: Sequence[In]) -> list[Out]:
    """`work` of each item, in their order, as many at a time as there are cores."""
    threads = max(1, min(_MOST, spark.sparkContext.defaultParallelism, len(items)))
    if threads == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(inheritable_thread_target(spark)(work), items))
