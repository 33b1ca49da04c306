"""What counts as the same event, and which copy stays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession
from tests.factories import event_rows

from segmentation.ingest.duplicates import find_suspects, split_duplicates


def test_one_row_an_id_stays_the_one_received_first_whatever_the_order(spark: SparkSession) -> None:
    early, late = datetime(2026, 3, 1, 13), datetime(2026, 3, 2, 13)
    batch: list[dict[str, Any]] = [
        {"event_id": "once", "session_key": "1"},
        {"event_id": "twice", "received_ts": late, "session_key": "2"},
        {"event_id": "twice", "received_ts": early, "session_key": "3"},
        {"event_id": "twice", "session_key": "4"},
        {"event_id": "alike", "session_key": "6", "identifiers": {"user_id": "v"}},
        {"event_id": "alike", "session_key": "5", "identifiers": {"user_id": "u"}},
        {"event_id": "batches", "session_key": "9", "batch_seq": 2, "received_ts": early},
        {"event_id": "batches", "session_key": "10", "batch_seq": 1, "received_ts": late},
        {"event_id": "there", "session_key": "7"},
        {"event_id": "there", "session_key": "8"},
    ]
    earlier = event_rows(spark, [{"event_id": "there"}, {"event_id": "unrelated"}])
    for rows in (batch, batch[::-1]):
        good = event_rows(spark, rows).repartition(3)
        suspects = find_suspects(good, earlier)
        assert suspects.hashes.count() == 4
        new, duplicates = split_duplicates(good, earlier, suspects)
        assert sorted(row["session_key"] for row in new.collect()) == ["1", "10", "3", "5"]
        assert duplicates.count() == 6
        assert new.columns == good.columns


def test_of_sources_that_ask_for_it_the_last_copy_stays(spark: SparkSession) -> None:
    early, late = datetime(2026, 3, 1, 13), datetime(2026, 3, 2, 13)
    rows: list[dict[str, Any]] = [
        {"event_id": "twice", "received_ts": late, "session_key": "1"},
        {"event_id": "twice", "received_ts": early, "session_key": "2"},
        {"event_id": "twice", "session_key": "3"},
        {"event_id": "batches", "session_key": "4", "batch_seq": 2, "received_ts": early},
        {"event_id": "batches", "session_key": "5", "batch_seq": 1, "received_ts": late},
        {"event_id": "other", "session_key": "6", "received_ts": late, "source": "app"},
        {"event_id": "other", "session_key": "7", "received_ts": early, "source": "app"},
        {"event_id": "both", "session_key": "8", "batch_seq": 1, "source": "app"},
        {"event_id": "both", "session_key": "9", "batch_seq": 2},
        {"event_id": "there", "session_key": "10"},
    ]
    good, earlier = event_rows(spark, rows), event_rows(spark, [{"event_id": "there"}])
    new, _ = split_duplicates(good, earlier, find_suspects(good, earlier), ["web"])
    assert sorted(row["session_key"] for row in new.collect()) == ["1", "4", "7", "9"]
