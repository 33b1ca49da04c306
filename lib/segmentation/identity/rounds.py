"""What a round of a loop leaves to the next."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame


def end_round(df: DataFrame) -> DataFrame:
    """The same rows, computed, under a plan that begins at them and does not say how large they are.

    Spark takes a join to be as large as the product of its sides, and a local checkpoint keeps what it was taken for.
    Where each round joins what the last one left, the number has more digits every time, by a factor: after some
    rounds the driver does nothing but multiply, for ever. Without it, a size is taken to be 8 EB.
    """
    frame: Any = df.localCheckpoint()._jdf
    session: Any = df.sparkSession
    rows = session._jsparkSession.internalCreateDataFrame(frame.queryExecution().toRdd(), frame.schema(), False)
    return DataFrame(rows, session)
