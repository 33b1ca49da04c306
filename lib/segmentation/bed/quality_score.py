"""What became of the rows: none may be lost, broken ones refused, copies dropped, bots flagged."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns

SOURCES_WITHOUT_IDS = ("marketing",)

_ID = r'"(?:id|receipt|record_id)":"([^"]+)"'
"""A row's own id in its source's text (`events_quarantine.raw`)."""

_A_MINUTE_MS = 60_000


@dataclass(frozen=True)
class QualityScore:
    """Counts of rows, and shares caught and wrongly caught."""

    rows_written: int
    rows_read: int
    rows_lost: int
    """Rows read that are neither accepted, nor quarantined, nor duplicate: there must be none."""
    good_rows_missing: int
    """Rows with nothing wrong that are not in `events`."""
    broken_rows_refused: float
    duplicates_dropped: float
    """Of exact copies."""
    near_duplicates_dropped: float
    good_rows_dropped_as_duplicates: float
    """Of the rows with nothing wrong: those that are neither in `events` nor refused."""
    bots_flagged: float
    people_flagged_as_bots: float
    tests_flagged: float
    people_flagged_as_tests: float
    times_right: float
    """Of the events from sources with clocks of their own: those whose time is within a minute of the true one."""


def score_quality(events: DataFrame, quarantine: DataFrame, batches: DataFrame, truth: DataFrame) -> QualityScore:
    """Compares `events`, `events_quarantine` and `ingest_batches` with every row that the world wrote (`truth/events`).

    Rows are told by their event ids; sources without ids of their own count in the totals only.
    """
    check_columns(events, {"event_id", "event_ts", "source", "is_bot", "is_test"}, "the table 'events'")
    check_columns(batches, {"rows_read", "duplicates", "sampled"}, "the table 'ingest_batches'")
    written = truth.where(~F.col("source").isin(*SOURCES_WITHOUT_IDS))
    # A row and its exact copies have one id and are one event; a near copy has an id of its own.
    told = written.groupBy("event_id").agg(
        F.max("visitor").alias("visitor"),
        F.max(F.col("malformed").isNotNull()).alias("broken"),
        F.max(F.col("copy_kind").eqNullSafe("near")).alias("near"),
        F.count("*").alias("rows"),
        F.max(F.when(F.col("sent").isNotNull(), F.col("happened"))).alias("happened"),
    )
    found = events.groupBy("event_id").agg(
        F.count("*").alias("events"),
        F.max("is_bot").alias("is_bot"),
        F.max("is_test").alias("is_test"),
        F.max("event_ts").alias("event_ts"),
    )
    is_timed = F.abs(F.unix_millis("event_ts") - F.col("happened")) <= _A_MINUTE_MS
    there = F.col("events") > 0
    good = ~F.col("broken") & ~F.col("near")
    refused = quarantine.select(F.regexp_extract("raw", _ID, 1).alias("event_id")).where("event_id <> ''").distinct()
    row = (
        told.join(found, "event_id", "left")
        .join(refused.withColumn("is_refused", F.lit(True)), "event_id", "left")
        .fillna({"events": 0, "is_bot": False, "is_test": False, "is_refused": False})
        .agg(
            F.count_if(good).alias("good"),
            F.count_if(good & ~there).alias("missing"),
            F.count_if(good & ~there & ~F.col("is_refused")).alias("wrongly_dropped"),
            F.sum(F.when(F.col("broken"), F.col("rows"))).alias("broken"),
            F.sum(F.when(F.col("broken") & ~there, F.col("rows"))).alias("refused"),
            F.sum(F.when(~F.col("broken") & there, F.col("rows") - 1)).alias("copies"),
            F.sum(F.when(~F.col("broken") & there, F.col("rows") - F.col("events"))).alias("dropped"),
            F.count_if(F.col("near") & ~F.col("broken")).alias("near"),
            F.count_if(F.col("near") & ~F.col("broken") & ~there).alias("near_dropped"),
            F.count_if(there & F.col("happened").isNotNull()).alias("clocked"),
            F.count_if(is_timed).alias("timed"),
            *(
                F.count_if(there & (F.col("visitor") == visitor) & flag).alias(name)
                for name, visitor, flag in (
                    ("bots", "bot", F.lit(True)),
                    ("bots_flagged", "bot", F.col("is_bot")),
                    ("tests", "test", F.lit(True)),
                    ("tests_flagged", "test", F.col("is_test")),
                    ("people", "person", F.lit(True)),
                    ("people_bots", "person", F.col("is_bot")),
                    ("people_tests", "person", F.col("is_test")),
                )
            ),
        )
        .first()
    )
    assert row is not None, "an aggregate without groups has one row"
    no_events = F.col("duplicates") + F.coalesce("sampled", F.lit(0))
    ledger = batches.agg(F.sum("rows_read").alias("read"), F.sum(no_events).alias("no_events")).first()
    assert ledger is not None, "an aggregate without groups has one row"
    read = int(ledger["read"] or 0)
    kept = events.count() + quarantine.count() + int(ledger["no_events"] or 0)
    return QualityScore(
        rows_written=truth.count(),
        rows_read=read,
        rows_lost=read - kept,
        good_rows_missing=row["missing"],
        broken_rows_refused=_share(row["refused"], row["broken"]),
        duplicates_dropped=_share(row["dropped"], row["copies"]),
        near_duplicates_dropped=_share(row["near_dropped"], row["near"]),
        good_rows_dropped_as_duplicates=_share(row["wrongly_dropped"], row["good"], 0.0),
        bots_flagged=_share(row["bots_flagged"], row["bots"]),
        people_flagged_as_bots=_share(row["people_bots"], row["people"], 0.0),
        tests_flagged=_share(row["tests_flagged"], row["tests"]),
        people_flagged_as_tests=_share(row["people_tests"], row["people"], 0.0),
        times_right=_share(row["timed"], row["clocked"]),
    )


def _share(part: int | None, whole: int | None, of_nothing: float = 1.0) -> float:
    return (part or 0) / whole if whole else of_nothing
