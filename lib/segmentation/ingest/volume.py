"""Days that bring far more or far fewer events of a name than the same weekday did before."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.sources import VolumeSettings
from segmentation.contracts.errors import InputError
from segmentation.contracts.table import check_columns

_FEWEST = 4
"""Weeks that a day needs before it: of fewer nobody can say what is usual."""
_NAMED = 10
"""Anomalies that are named, the largest first."""
_NORMAL = 1.4826
"""Makes a median absolute deviation a standard deviation, where counts are normal."""


def history_days(volume: VolumeSettings) -> timedelta:
    """How far back the comparison looks."""
    return timedelta(weeks=volume.weeks)


def find_anomalies(events: DataFrame, first: date, last: date, volume: VolumeSettings) -> list[str]:
    """One clause an event name and day with an unusual count, at most ten, the most unusual first.

    In: events of one source, those of the batch among them, from `history_days` before `first` to `last`. Days `first`
    to `last` are judged, the last for spikes only: it may not be over. A day counts as history if it has any events.
    """
    check_columns(events, {"event_name", "event_date", "weight"}, "the events")
    counts = (
        events.groupBy("event_name", "event_date")
        .agg(F.sum(F.coalesce("weight", F.lit(1))).alias("found"))
        .localCheckpoint()
    )
    days = counts.select("event_date").distinct()
    judged = F.sequence(F.lit(first), F.lit(last))
    grid = (
        counts.select("event_name").distinct().withColumn("event_date", F.explode(judged))
        .withColumn("week", F.explode(F.sequence(F.lit(1), F.lit(volume.weeks))))
        .withColumn("before", F.date_sub("event_date", F.col("week") * 7))
    )  # fmt: skip
    history = days.withColumnRenamed("event_date", "before")
    then = counts.select("event_name", F.col("event_date").alias("before"), F.col("found").alias("usual"))
    usual = (
        grid.join(history, "before", "left_semi").join(then, ["event_name", "before"], "left")
        .groupBy("event_name", "event_date")
        .agg(F.collect_list(F.coalesce("usual", F.lit(0))).alias("counts"))
        .where(F.size("counts") >= _FEWEST)
        .withColumn("median", _median("counts"))
        .withColumn("away", F.transform("counts", lambda count: F.abs(count - F.col("median"))))
        .withColumn("deviation", F.greatest(_NORMAL * _median("away"), F.sqrt("median"), F.lit(1.0)))
        .join(counts, ["event_name", "event_date"], "left")
        .fillna(0, ["found"])
        .withColumn("off", (F.col("found") - F.col("median")) / F.col("deviation"))
    )  # fmt: skip
    is_over = F.col("event_date") < F.lit(last)
    unusual = usual.where((F.col("off") > volume.deviations) | (is_over & (F.col("off") < -volume.deviations)))
    rows = unusual.orderBy(F.abs("off").desc(), "event_date", "event_name").limit(_NAMED).collect()
    return [
        f"{row['event_name']} on {row['event_date']}: {row['found']:,}, usually {row['median']:,.0f} "
        f"({'spike' if row['off'] > 0 else 'hole'})"
        for row in rows
    ]


def refuse_anomalies(source: str, anomalies: list[str]) -> None:
    """Raises `InputError`: the source's policy takes no batch with unusual days."""
    raise InputError(
        f"Source '{source}': unusual days ({'; '.join(anomalies)}), and volume.policy says refuse; nothing of this "
        "batch was taken in. Look at the delivery, or say `volume: {policy: warn}` for one run."
    )


def _median(counts: str) -> Column:
    ordered = F.sort_array(counts)
    size = F.size(counts)
    low, high = (F.element_at(ordered, F.floor(place).cast("int")) for place in ((size + 1) / 2, size / 2 + 1))
    return (low + high) / 2
