"""What has come out otherwise than before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from tests.factories import table_rows

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.runtime.rebuild import count_differences


def _events(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    base = {"event_name": "view", "event_ts": datetime(2026, 3, 1), "identifiers": {"a": "1", "b": "2"}}
    return table_rows(
        spark,
        "events",
        [
            {**base, "event_date": datetime(2026, 3, 1).date(), "source": "web", "is_bot": False, "is_test": False}
            | {"batch_id": "b", "batch_seq": 1, **row}
            for row in rows
        ],
    )


def test_rows_that_one_has_or_that_say_something_else_are_counted(spark: SparkSession) -> None:
    before = _events(spark, {"event_id": "same"}, {"event_id": "other", "amount": None}, {"event_id": "gone"})
    now = _events(
        spark,
        {"event_id": "same", "identifiers": {"b": "2", "a": "1"}},
        {"event_id": "other", "identifiers": {"a": "1"}},
        {"event_id": "new"},
    )
    assert count_differences(CATALOGUE["events"], before, now) == 3
    assert count_differences(CATALOGUE["events"], before, before) == 0
