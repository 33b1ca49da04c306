"""Batches of events: identifiers are as old as the batch that brought them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Batch:
    """One batch: its number, the newest event time (UTC) of it and all before it, its only source, its `events`, and
    the most rows that `list_identifiers` and `pair_identifiers` can make of it."""

    seq: int
    clock: datetime
    source: str = ""
    events: int = 0
    rows: int = 0


def list_batches(*sightings: DataFrame) -> list[Batch]:
    """The batches, in order of arrival, of frames of `combine_identifiers` and rows of `identity_sightings`, no two of
    which share a batch."""
    size = F.size("identifiers")
    totals = [
        frame.groupBy("batch_seq", "source").agg(
            F.unix_micros(F.max("last_ts")).alias("newest"),
            F.sum("events").alias("events"),
            F.sum(F.shiftright(size * (size + 1), 1)).alias("rows"),
        )
        for frame in sightings
    ]
    rows = reduce(DataFrame.unionByName, totals).collect()
    batches: list[Batch] = []
    for row in sorted(rows, key=lambda row: row["batch_seq"]):
        newest = _EPOCH + timedelta(microseconds=row["newest"])
        clock = max(newest, batches[-1].clock) if batches else newest
        batches.append(Batch(row["batch_seq"], clock, row["source"], row["events"], row["rows"]))
    return batches
