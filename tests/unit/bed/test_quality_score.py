"""What became of rows, on a few whose fates are known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from segmentation.bed.quality_score import QualityScore, score_quality

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TRUTH = (
    "event_id string, source string, visitor string, malformed string, copy_kind string, happened bigint, sent bigint"
)
EVENTS = "event_id string, source string, event_ts timestamp, is_bot boolean, is_test boolean"


def _written(event_id: str, source: str = "web", **differs: Any) -> tuple[Any, ...]:
    at = round(NOON.timestamp() * 1000)
    row = {"visitor": "person", "malformed": None, "copy_kind": None, "happened": at, "sent": at, **differs}
    return (event_id, source, *row.values())


def _taken(event_id: str, seconds_off: float = 0, is_bot: bool = False, is_test: bool = False) -> tuple[Any, ...]:
    return (event_id, "web", NOON + timedelta(seconds=seconds_off), is_bot, is_test)


def _score(
    spark: SparkSession, truth: Sequence[Any], events: Sequence[Any], refused: Sequence[str] = (), duplicates: int = 0
) -> QualityScore:
    read = len(events) + len(refused) + duplicates
    return score_quality(
        spark.createDataFrame(events, EVENTS),
        spark.createDataFrame([(f'{{"id":"{name}"}}',) for name in refused], "raw string"),
        spark.createDataFrame([(read, duplicates, None)], "rows_read bigint, duplicates bigint, sampled bigint"),
        spark.createDataFrame(truth, TRUTH),
    )


def test_all_is_well_where_good_rows_are_in_and_others_are_not(spark: SparkSession) -> None:
    written = [
        _written("good"),
        _written("twice"),
        _written("twice", copy_kind="exact"),
        _written("again", copy_kind="near"),
        _written("broken", malformed="bad_event_ts"),
        _written("bot", visitor="bot"),
        _written("test", visitor="test"),
        _written("record", "crm", sent=None),
    ]
    taken = [
        _taken("good"), _taken("twice"), _taken("bot", is_bot=True), _taken("test", is_test=True),
        _taken("record", 86_400),  # says a day only
    ]  # fmt: skip
    assert _score(spark, written, taken, ["broken"], duplicates=2) == QualityScore(
        rows_written=8, rows_read=8, rows_lost=0, good_rows_missing=0, broken_rows_refused=1, duplicates_dropped=1,
        near_duplicates_dropped=1, good_rows_dropped_as_duplicates=0, bots_flagged=1, people_flagged_as_bots=0,
        tests_flagged=1, people_flagged_as_tests=0, times_right=1,
    )  # fmt: skip


def test_every_mistake_shows_in_its_figure(spark: SparkSession) -> None:
    written = [
        *(_written(name) for name in ("dropped", "refused", "kept", "late")),
        _written("kept", copy_kind="exact"),
        _written("again", copy_kind="near"),
        _written("broken", malformed="bad_amount"),
        _written("bot", visitor="bot"),
        _written("test", visitor="test"),
    ]
    taken = [
        _taken("kept", is_bot=True), _taken("kept", is_bot=True), _taken("late", 3_600, is_test=True),
        _taken("again"), _taken("broken"), _taken("bot"), _taken("test"),
    ]  # fmt: skip
    assert _score(spark, written, taken, ["refused"], duplicates=1) == QualityScore(
        rows_written=9, rows_read=9, rows_lost=0, good_rows_missing=2, broken_rows_refused=0, duplicates_dropped=0,
        near_duplicates_dropped=0, good_rows_dropped_as_duplicates=1 / 6, bots_flagged=0,
        people_flagged_as_bots=1 / 4, tests_flagged=0, people_flagged_as_tests=1 / 4, times_right=5 / 6,
    )  # fmt: skip
