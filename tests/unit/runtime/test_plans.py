"""A long plan cut short: the same rows, read from memory, and given back at the end."""

from __future__ import annotations

import pytest
from chispa.dataframe_comparer import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.runtime.plans import settled


def test_it_has_the_same_rows_under_a_plan_that_begins_at_them(spark: SparkSession) -> None:
    made, kept = spark.sparkContext.accumulator(0), _kept(spark)

    def count(number: int) -> int:
        made.add(1)
        return number

    numbers = spark.range(20).withColumn("counted", F.udf(count, "bigint")("id"))
    long = numbers.groupBy((F.col("id") % 3).alias("third")).agg(F.max("counted").alias("last"))
    expected = spark.createDataFrame(long.collect(), long.schema)
    before = made.value
    with settled(long) as rows:
        assert_df_equality(rows, expected, ignore_row_order=True)
        assert rows.join(rows.select("third"), "third").count() == 3
        assert made.value == before + 20, "made once, whoever asks, though it had been planned before"
        plan = rows._jdf.queryExecution().analyzed().toString()
        assert "LogicalRDD" in plan
        assert "counted" not in plan
        assert len(_kept(spark) - kept) == 1
    assert _kept(spark) <= kept


def test_what_was_kept_is_given_back_when_something_fails(spark: SparkSession) -> None:
    kept = _kept(spark)
    with pytest.raises(ZeroDivisionError), settled(spark.range(3)) as rows:
        rows.select(F.lit(rows.count() / 0))
    assert _kept(spark) <= kept


def _kept(spark: SparkSession) -> set[int]:
    return set(spark.sparkContext._jsc.getPersistentRDDs())
