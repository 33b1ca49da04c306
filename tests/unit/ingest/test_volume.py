"""Days that are not like the same weekday before."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import VolumeSettings
from segmentation.ingest.volume import find_anomalies

LAST = date(2026, 3, 31)
ALONE = "CAST(NULL AS BIGINT)"


def test_spikes_and_holes_stand_out_from_the_same_weekday(spark: SparkSession) -> None:
    rows: list[tuple[str, date]] = []
    for back in range(64):
        day = LAST - timedelta(days=back)
        # Weekends have four times the views; that is no spike.
        views = 80 if day.weekday() >= 5 else 20
        views += back % 3
        if back == 4:
            views = 100
        if back in (0, 2, 9):
            views = 0 if back else 3
        rows += [("view", day)] * views + [("seldom", day)] * (back % 2)
    rows += [("unheard of", LAST)] * 50
    events = spark.createDataFrame(rows, "event_name string, event_date date").withColumn(
        "weight", F.lit(None).cast("long")
    )
    found = find_anomalies(events, LAST - timedelta(days=6), LAST, VolumeSettings())
    # A hole on the last day is none: it may not be over. Another hole ten days ago is not judged.
    assert found == [
        "unheard of on 2026-03-31: 50, usually 0 (spike)",
        "view on 2026-03-27: 100, usually 21 (spike)",
        "view on 2026-03-29: 0, usually 81 (hole)",
    ]


def test_too_few_weeks_tell_nothing(spark: SparkSession) -> None:
    rows = [("view", LAST - timedelta(weeks=back)) for back in range(4)] + [("view", LAST)] * 500
    events = spark.createDataFrame(rows, "event_name string, event_date date").withColumn(
        "weight", F.lit(None).cast("long")
    )
    assert find_anomalies(events, LAST, LAST, VolumeSettings()) == []


def test_a_sampled_event_counts_for_those_that_it_stands_for(spark: SparkSession) -> None:
    usual = [("view", LAST - timedelta(weeks=back), 10) for back in range(1, 9) for _ in range(5)]
    for now, expected in ((50, []), (500, ["view on 2026-03-31: 500, usually 50 (spike)"])):
        rows = [*usual, *[("view", LAST, None)] * now]
        events = spark.createDataFrame(rows, "event_name string, event_date date, weight long")
        assert find_anomalies(events, LAST, LAST, VolumeSettings()) == expected
