"""Plans that have grown long, cut short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame

LINEAGE_LISTENER = "io.openlineage.spark.agent.OpenLineageSparkListener"


@contextmanager
def settled(df: DataFrame) -> Iterator[DataFrame]:
    """The same rows, kept while the block lasts, under a plan that begins at them.

    What is only cached brings all that it took to make it into each query that reads it, to be analysed, compared and
    described again: on some thousand rows that is most of the work. `localCheckpoint` cuts the plan too, but it forgets
    where the rows come from, so a lost executor would end the run. Spark has no public call that does the one without
    the other. Where a listener writes lineage down, the plan stays whole: of rows without one it could tell the folders
    that they were read from, and neither files nor tables.
    """
    kept = df.persist(StorageLevel.MEMORY_AND_DISK)
    frame: Any = kept.select("*")._jdf  # planned from here on, and so from what is kept
    session: Any = df.sparkSession
    try:
        if LINEAGE_LISTENER in session.conf.get("spark.extraListeners", ""):
            yield kept
            return
        rows = session._jsparkSession.internalCreateDataFrame(frame.queryExecution().toRdd(), frame.schema(), False)
        yield DataFrame(rows, session)
    finally:
        kept.unpersist()


@contextmanager
def counted(df: DataFrame) -> Iterator[DataFrame]:
    """The same rows, kept while the block lasts, and made at once: Spark knows then how few they are, and sends them to
    the rows that they are joined to, where it would have moved both. After `settled` it does not know."""
    kept = df.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        kept.count()
        yield kept
    finally:
        kept.unpersist()
