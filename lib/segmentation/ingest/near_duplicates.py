"""Events that were sent twice under different ids, a moment apart."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns

_SAYS = ("source", "event_name", "session_key", "platform", "currency")


def split_near_duplicates(
    new: DataFrame, earlier: DataFrame, seconds: float, keep: Literal["first", "last"] = "first"
) -> tuple[DataFrame, DataFrame]:
    """The rows of a batch that say something new, and those that repeat another.

    In: rows without duplicates (`split_duplicates`), and the events of other batches that they could repeat. Events of
    one content are one as long as each is at most `seconds` after the one before: an event of another batch stays,
    else the earliest, or the latest where that is to `keep`; of two at one moment the one with the smaller id. Contents
    and times are shuffled, not rows.
    """
    check_columns(new, {"event_id", "event_ts", "identifiers", "properties", "amount", *_SAYS}, "the accepted rows")
    told = [
        frame.select(
            _content().alias("content"),
            F.unix_micros("event_ts").alias("at"),
            F.lit(is_new).alias("is_new"),
            "event_id",
        )
        for frame, is_new in ((new, True), (earlier, False))
    ]
    in_time = Window.partitionBy("content").orderBy("at", "is_new", "event_id")
    begins = F.coalesce(F.col("at") - F.lag("at").over(in_time) > seconds * 10**6, F.lit(True))
    runs = told[0].unionByName(told[1]).withColumn("run", F.sum(begins.cast("long")).over(in_time))
    # False sorts first: an event that is there already.
    first = Window.partitionBy("content", "run").orderBy(
        "is_new", F.col("at") if keep == "first" else -F.col("at"), "event_id"
    )
    repeats = (
        runs.withColumn("place", F.row_number().over(first)).where("is_new AND place > 1").select("event_id").persist()
    )
    return new.join(repeats, "event_id", "left_anti"), new.join(repeats, "event_id", "left_semi")


def _content() -> Column:
    """All that an event says but its id and times."""
    maps = [F.array_sort(F.map_entries(name)).cast("string") for name in ("identifiers", "properties")]
    return F.xxhash64(*map(F.col, _SAYS), F.col("amount").cast("string"), *maps)
