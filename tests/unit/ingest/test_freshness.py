"""Sources that have gone quiet are found, whether anything came or not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.deliveries import ingest_once, line, settings, source, write_csv

from segmentation.config.sources import Source
from segmentation.contracts.errors import InputError
from segmentation.ingest.freshness import find_stale, refuse_stale
from segmentation.runtime.warehouse import Warehouse

TODAY = date(2026, 3, 10)


def _source(name: str, **freshness: object) -> Source:
    return Source.model_validate({**source(Path("x.csv")), "name": name, "freshness": freshness or None})


def test_only_what_is_watched_and_older_than_it_may_be_is_found() -> None:
    sources = [_source("unwatched"), *(_source(name, max_days=2) for name in ("in_time", "late", "never"))]
    newest = {"unwatched": date(2020, 1, 1), "in_time": date(2026, 3, 8), "late": date(2026, 3, 7)}
    stale = find_stale(sources, newest, TODAY)
    assert stale == {
        "late": "its newest event is of 2026-03-07, 3 days before 2026-03-10",
        "never": "has brought no event yet",
    }
    refuse_stale(sources, stale)
    with pytest.raises(InputError, match=r"Source 'late': its newest event is of 2026-03-07.*max_days is 2"):
        refuse_stale([_source("late", max_days=2, policy="fail")], stale)


def test_an_event_may_have_a_limit_of_its_own(spark: SparkSession, tmp_path: Path) -> None:
    lines = [
        line(1),
        line(2, event="return", ts="2026-03-04 10:00:00"),
        line(3, event="view", ts="2026-03-07 10:00:00"),
    ]
    freshness = {"max_days": 30, "events": {"purchase": 7, "return": 3, "refund": 9}}
    watched = settings(tmp_path / "warehouse", source(write_csv(tmp_path / "a.csv", lines), freshness=freshness))
    said = ingest_once(spark, watched, datetime(2026, 3, 8, tzinfo=UTC))
    assert said.message == "shop: no return since 2026-03-05, no refund since 2026-02-27"
    assert said.figures["warnings"] == 1
    late = [_source("late", max_days=9, events={"purchase": 2}, policy="fail")]
    stale = find_stale(late, {"late": TODAY}, TODAY)
    with pytest.raises(InputError, match=r"'late': no purchase since 2026-03-08, and .*max_days is 9, events.purchase"):
        refuse_stale(late, stale)


def test_a_run_without_new_files_says_that_a_source_has_gone_quiet(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "shop.csv", [line(1), line(2, ts="2026-03-05 10:00:00")])
    watched = settings(tmp_path / "warehouse", source(path, freshness={"max_days": 3}))
    assert ingest_once(spark, watched, datetime(2026, 3, 8, tzinfo=UTC)).message == ""

    quiet = ingest_once(spark, watched, datetime(2026, 3, 9, tzinfo=UTC))
    assert quiet.message == "no new files; shop: its newest event is of 2026-03-05, 4 days before 2026-03-09"
    assert quiet.figures == {"warnings": 1}


def test_where_it_has_to_fail_what_came_is_taken_in_all_the_same(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "shop.csv", [line(1)])
    watched = settings(tmp_path / "warehouse", source(path, freshness={"max_days": 3, "policy": "fail"}))
    with pytest.raises(InputError, match="Source 'shop': its newest event is of 2026-03-01"):
        ingest_once(spark, watched, datetime(2026, 3, 9, tzinfo=UTC))
    assert Warehouse(spark, str(tmp_path / "warehouse")).read("events").count() == 1
