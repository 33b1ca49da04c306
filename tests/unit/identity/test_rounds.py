"""What a round leaves has the same rows, and no size that grows from round to round."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.identity.rounds import end_round


def taken_for(df: DataFrame) -> int:
    """The bytes that Spark plans with."""
    return int(str(df._jdf.queryExecution().optimizedPlan().stats().sizeInBytes()))  # type: ignore[attr-defined]


def test_rounds_that_join_what_the_last_one_left_stay_the_size_they_are(spark: SparkSession) -> None:
    state = spark.range(3).withColumnRenamed("id", "node")
    for _ in range(4):
        both = state.join(state.withColumnRenamed("node", "other"), F.col("node") == 2 - F.col("other"))
        state = end_round(both.select("node"))
    assert sorted(row[0] for row in state.collect()) == [0, 1, 2]
    assert taken_for(state) < 2**64
