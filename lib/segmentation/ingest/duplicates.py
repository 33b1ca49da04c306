"""Rows that say what is already there: within a batch, and against earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns

_HASH, _RANK, _THERE = "_hash", "_rank", "_there"


@dataclass(frozen=True)
class Suspects:
    """Hashes of the event ids that stand twice, or in `events` already. Nearly always few, and often none."""

    hashes: DataFrame


def find_suspects(good: DataFrame, earlier: DataFrame) -> Suspects:
    """Which event ids of some batches need a closer look; `earlier` are the events that they could repeat.

    Only hashes of eight bytes are shuffled, not the rows: a clash of two hashes costs a closer look and no more.
    """
    check_columns(good, {"event_id"}, "the accepted rows of the batches")
    check_columns(earlier, {"event_id"}, "the table 'events'")
    ids = good.select(F.xxhash64("event_id").alias(_HASH), F.lit(1).alias("new"), F.lit(0).alias("old")).unionByName(
        earlier.select(F.xxhash64("event_id").alias(_HASH), F.lit(0).alias("new"), F.lit(1).alias("old"))
    )
    seen = ids.groupBy(_HASH).agg(F.sum("new").alias("new"), F.max("old").alias("old"))
    return Suspects(seen.where((F.col("new") > 1) | ((F.col("new") == 1) & (F.col("old") == 1))).select(_HASH))


def split_duplicates(
    good: DataFrame, earlier: DataFrame, suspects: Suspects, keep_last: Sequence[str] = ()
) -> tuple[DataFrame, DataFrame]:
    """The rows of some batches that are new, one an event id, and the duplicates.

    An event that is there stays. Of several rows with one id the one of the earliest batch wins, of those the one
    received first; of the sources `keep_last`, which come before others, the latest batch and the one received last.
    Where that does not tell, the one whose content comes first in order, so that the choice does not depend on files or
    partitions.
    """
    hashed = good.withColumn(_HASH, F.xxhash64("event_id"))
    clear = hashed.join(suspects.hashes, _HASH, "left_anti").drop(_HASH)
    order = Window.partitionBy("event_id").orderBy(
        *(_in_turn(value, keep_last).asc_nulls_last() for value in ("batch_seq", "received_ts", "event_ts")),
        "event_name",
        "amount",
        F.to_json("identifiers"),
        F.to_json("properties"),
        "session_key",
        "platform",
        "currency",
    )
    there = earlier.select("event_id").distinct().withColumn(_THERE, F.lit(True))
    looked_at = (
        hashed.join(suspects.hashes, _HASH, "left_semi")
        .drop(_HASH)
        .withColumn(_RANK, F.row_number().over(order))
        .join(there, "event_id", "left")
    )
    is_new = (F.col(_RANK) == 1) & F.col(_THERE).isNull()
    return (
        clear.unionByName(looked_at.where(is_new).select(*clear.columns)),
        looked_at.where(~is_new).select(*clear.columns),
    )


def _in_turn(name: str, keep_last: Sequence[str]) -> Column:
    """A number or time as a number, the smaller the sooner it wins."""
    value = F.unix_micros(name) if name.endswith("_ts") else F.col(name)
    return F.when(F.col("source").isin(*keep_last), -value).otherwise(value) if keep_last else value
