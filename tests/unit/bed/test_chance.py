"""Draws: spread as they should be, and the same wherever a row is computed."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.bed.calendar import Calendar
from segmentation.bed.chance import Chance
from segmentation.bed.knobs import Season, World


def test_draws_have_the_moments_of_their_distributions(spark: SparkSession) -> None:
    chance, key = Chance(5), F.col("id")
    uniform, normal = chance.uniform("u", key), chance.normal("n", key)
    row = (
        spark.range(20_000)
        .agg(
            F.min(uniform).alias("least"),
            F.max(uniform).alias("most"),
            F.avg(uniform).alias("uniform"),
            F.avg(normal).alias("normal"),
            F.stddev(normal).alias("spread"),
            F.corr(uniform, chance.uniform("other", key)).alias("related"),
            F.avg(chance.exponential(7.0, "e", key)).alias("exponential"),
            F.avg(chance.around(F.lit(9.0), "count", key)).alias("count"),
            F.avg((chance.weighted([1, 0, 3], "w", key) == 2).cast("int")).alias("heavy"),
            F.count_if(chance.weighted([1, 0, 3], "w", key) == 1).alias("weightless"),
            F.countDistinct(chance.token("t", key)).alias("tokens"),
            F.min(F.length(chance.token("t", key))).alias("digits"),
        )
        .first()
    )
    assert 0 <= row.least < 0.001
    assert 0.999 < row.most < 1
    assert row.uniform == pytest.approx(0.5, abs=0.01)
    assert (row.normal, row.spread) == (pytest.approx(0, abs=0.03), pytest.approx(1, abs=0.02))
    assert row.related == pytest.approx(0, abs=0.03)
    assert row.exponential == pytest.approx(7, rel=0.03)
    assert row["count"] == pytest.approx(9, abs=0.1)
    assert (row.heavy, row.weightless) == (pytest.approx(0.75, abs=0.015), 0)
    assert (row.tokens, row.digits) == (20_000, 32)


def test_the_calendar_puts_a_spike_where_it_belongs(spark: SparkSession) -> None:
    world = World()
    calendar = Calendar.of(Season(spike_day=10, spike=8, yearly_swing=0), world.start, 50)
    share = (F.col("id") + 0.5) / 5000
    days = spark.range(5000).select(F.floor(calendar.day_at(share)).alias("day")).groupBy("day").count()
    counts = {row["day"]: row["count"] for row in days.collect()}
    assert set(counts) == set(range(50))
    assert 6.5 < counts[10] / counts[17] < 9.5  # the same weekday a week later
    back = spark.range(1).select(calendar.share_before(F.lit(0)), calendar.share_before(F.lit(50))).first()
    assert back is not None
    assert tuple(back) == (0.0, 1.0)
