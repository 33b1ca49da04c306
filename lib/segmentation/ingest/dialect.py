"""How mapping expressions are understood, whatever the session is set to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession


@contextmanager
def forgiving(spark: SparkSession, time_zone: str) -> Iterator[None]:
    """Within the block, what is analysed gives null where a value does not convert (ANSI mode off), and takes times
    that do not name their zone as of `time_zone`.

    Spark fixes both in an expression when it is analysed, so frames made in the block keep them wherever they run.
    """
    changed = {"spark.sql.ansi.enabled": "false", "spark.sql.session.timeZone": time_zone}
    before = {key: str(spark.conf.get(key)) for key in changed}
    try:
        for key, value in changed.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)


def jvm(spark: SparkSession) -> Any:
    """The classes of Spark's own Java virtual machine: its parser, its functions, Hadoop's file systems."""
    found = spark._jvm
    assert found is not None, "a session of Spark's classic API has a JVM"
    return found
