"""The stage `sessions` on its tables."""

from __future__ import annotations

import io
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, event_values, identity_values, minimal_settings, write_table

from segmentation import open_warehouse
from segmentation.contracts.errors import InputError
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.stage import Stage
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import features, maintain, sessions

EVENTS = [
    {"event_ts": datetime(2026, 3, 1, 12), "event_name": "view"},
    {"event_ts": datetime(2026, 3, 1, 12, 10), "event_name": "buy", "amount": 9.5},
    {"event_ts": datetime(2026, 3, 1, 12, 20), "is_bot": True},
    {"event_ts": datetime(2026, 3, 2, 9), "identifiers": {"cookie": "c"}},
    {"event_ts": datetime(2026, 3, 3, 9), "identifiers": {"cookie": "c"}},
]


def _run(spark: SparkSession, folder: Path, as_of: date) -> StageReport:
    settings = minimal_settings(warehouse=str(folder))
    (report,) = run_stages(spark, settings, [sessions.STAGE], Request(as_of), Progress(stream=io.StringIO()))
    return report


def test_sessions_are_cut_up_to_the_date_and_keep_their_ids(spark: SparkSession, warehouse_path: Path) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    write_table(warehouse.root, "events", event_values(EVENTS))
    write_table(warehouse.root, "identity_map", identity_values({("user_id", "u"): "ann", ("cookie", "c"): "ann"}))

    report = _run(spark, warehouse_path, date(2026, 3, 2))
    assert (report.rows_in, report.rows_out) == (5, 2)
    first = warehouse.read("sessions").orderBy("session_start").collect()
    assert [(s["person_id"], s["events"], s["exit_event"]) for s in first] == [
        ("ann", 2, "buy"),
        ("ann", 1, "page_view"),
    ]

    assert _run(spark, warehouse_path, date(2026, 3, 3)).rows_out == 3
    then = warehouse.read("sessions").orderBy("session_start").collect()
    assert then[:2] == first


def test_a_further_run_cuts_only_what_has_changed(
    spark: SparkSession, warehouse_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "FEWEST_EVENTS", 0)
    root = str(warehouse_path)
    noon = datetime(2026, 3, 1, 12)
    days = [noon + timedelta(days=day, minutes=minute) for day in range(5) for minute in (0, 25, 50)]
    first = [
        {"event_id": f"{who}{n}", "event_ts": at, "identifiers": {"user_id": who}}
        for who in ("u", "v", "w", "x")
        for n, at in enumerate(days)
    ]
    # The first is of a day that the first run is not asked for; the last arrives then, and brings a bot to light.
    first.append({"event_id": "later", "event_ts": datetime(2026, 3, 7, 0, 5), "identifiers": {"user_id": "u"}})
    first.append({"event_id": "open", "event_ts": datetime(2026, 3, 6, 23, 50), "identifiers": {"user_id": "u"}})
    second = [
        {"event_id": "bridge", "event_ts": noon + timedelta(minutes=70), "identifiers": {"user_id": "u"}},
        {"event_id": "bridged", "event_ts": noon + timedelta(minutes=90), "identifiers": {"user_id": "u"}},
        {"event_id": "bot", "event_ts": noon + timedelta(days=2), "identifiers": {"user_id": "v"}, "is_bot": True},
    ]
    owners = {("user_id", who): who for who in ("u", "v", "w", "x")}
    seen = {"first_seen": days[0], "last_seen": days[-1], "first_batch_seq": 1}

    def run(as_of: date, **options: bool) -> tuple[str, dict[str, int], list[Row]]:
        settings = minimal_settings(warehouse=root)
        request, progress = Request(as_of, options), Progress(stream=io.StringIO())
        (report,) = run_stages(spark, settings, [sessions.STAGE], request, progress)
        rows = Warehouse(spark, root).read("sessions").orderBy("person_id", "session_start").collect()
        assert (report.rows_in, report.rows_out) == (Warehouse(spark, root).read("events").count(), len(rows))
        if options:
            assert report.message == "no row differs from what was there"
        return report.mode, report.figures, rows

    write_table(root, "events", event_values(first))
    write_table(root, "identity_map", [{**row, **seen} for row in identity_values(owners)])
    assert run(date(2026, 3, 6))[0] == "full"

    write_table(root, "events", [{**row, "batch_seq": 2} for row in event_values(second)], "append")
    flagged = event_rows(spark, [{**row, "is_bot": True} for row in first if row["event_id"] == "v7"])
    Warehouse(spark, root).merge(
        "events", flagged, ["event_id"], lambda merge: merge.whenMatchedUpdate(set={"is_bot": "change.is_bot"})
    )
    write_table(root, "identity_map", [{**row, **seen} for row in identity_values({**owners, ("user_id", "x"): "w"})])
    mode, figures, changed = run(date(2026, 3, 7))
    assert mode == "incremental"
    # The bridge, the night, the bot's day; w gets what x had.
    assert figures == {"windows": 2 + 1 + 1 + 1, "changed": 1 + 1 + 2 + 5 + 5}
    assert run(date(2026, 3, 7), full=True) == ("full", {}, changed)

    # Rows that were changed by others are no ground to go on from.
    Warehouse(spark, root).delete_older("sessions", "session_start", date(2026, 3, 3))
    assert run(date(2026, 3, 8)) == ("full", {}, changed)

    # Of what is kept for four days the rest goes with the first run and stays away; maintain leaves that as it is.
    def keep_four_days(stage: Stage, as_of: date) -> tuple[str, list[Row]]:
        settings = minimal_settings(warehouse=root, maintenance={"keep_rows_days": {"sessions": 4}})
        (report,) = run_stages(spark, settings, [stage], Request(as_of), Progress(stream=io.StringIO()))
        return report.mode, Warehouse(spark, root).read("sessions").orderBy("person_id", "session_start").collect()

    recent = [row for row in changed if row["session_start"] >= datetime(2026, 3, 4)]
    assert keep_four_days(sessions.STAGE, date(2026, 3, 8)) == ("full", recent)
    late = {**second[1], "event_id": "late", "batch_seq": 3}
    write_table(root, "events", event_values([late]), "append")
    assert keep_four_days(maintain.STAGE, date(2026, 3, 8))[1] == recent
    newest = [row for row in recent if row["session_start"] >= datetime(2026, 3, 5)]
    assert keep_four_days(sessions.STAGE, date(2026, 3, 9)) == ("incremental", newest)

    # Features of an earlier date are of the sessions that were kept then, which the table no longer has.
    keep_four_days(features.STAGE, date(2026, 3, 8))
    counted = Warehouse(spark, root).read("features").agg(F.sum("sessions")).collect()[0][0]
    assert counted == len(recent) > len(newest)


def test_sessions_are_worth_what_the_rates_say_and_cut_anew_when_those_change(
    spark: SparkSession, warehouse_path: Path, tmp_path: Path
) -> None:
    rates, root = tmp_path / "rates.csv", str(warehouse_path)
    settings = minimal_settings(warehouse=root, money={"currency": "EUR", "rates": str(rates)})
    paid = [{"amount": 10, "currency": "USD"}, {"amount": 5, "event_ts": datetime(2026, 3, 1, 12, 1)}]
    write_table(root, "events", event_values(paid))
    write_table(root, "identity_map", identity_values({("user_id", "u"): "ann"}))

    def run(text: str) -> tuple[str, Decimal]:
        rates.write_text("date,currency,rate\n" + text)
        request, progress = Request(date(2026, 3, 2)), Progress(stream=io.StringIO())
        (report,) = run_stages(spark, settings, [sessions.STAGE], request, progress)
        (session,) = Warehouse(spark, root).read("sessions").collect()
        return report.mode, session["amount"]

    with pytest.raises(InputError, match="no rate of 'USD' for 2026-03-01"):
        run("2026-03-02,USD,0.9\n")
    assert run("2026-03-01,USD,0.9\n") == ("full", 14)
    assert run("2026-03-01,USD,0.9\n") == ("reused", 14)
    assert run("2026-03-01,USD,0.8\n") == ("full", 13)


def test_the_timeout_that_the_gaps_support_is_said_and_drawn_and_nothing_is_written(
    spark: SparkSession, tmp_path: Path, warehouse_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    moments = [datetime(2026, 1, day) + timedelta(seconds=16 * n) for day in range(1, 29) for n in range(6)]
    write_table(warehouse.root, "events", event_values({"event_ts": at} for at in moments))
    write_table(warehouse.root, "identity_map", identity_values({("user_id", "u"): "ann"}))
    config, picture = tmp_path / "shop.yml", tmp_path / "gaps.html"
    settings = {"warehouse": str(warehouse_path), "sessions": {"timeout_minutes": 2000}}
    config.write_text(yaml.safe_dump(minimal_settings().model_dump(mode="json", exclude_unset=True) | settings))
    asked = ["sessions", "--suggest-timeout", "--config", str(config), "--as-of", "2026-01-31"]

    assert run_command([*asked, "--log-format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["gaps"] == 28 * 6 - 1
    assert found["by"] == [{"from_seconds": 16.0, "gaps": 140}, {"from_seconds": pytest.approx(77935.8), "gaps": 27}]
    assert 2 < found["timeout_minutes"] < 720

    assert run_command([*asked, "--output", str(picture)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "It cuts at 27 of 167 gaps; the 2000 of now cuts at 27 fewer." in said
    page = picture.read_text(encoding="utf-8")
    assert "<svg" in page
    assert "supported:" in page
    assert open_warehouse(config).suggest_timeout("2026-01-31").suggestion.timeout_minutes == found["timeout_minutes"]
    assert not warehouse.exists("sessions")
    assert not warehouse.exists("runs")

    assert run_command(["sessions", "--config", str(config), "--output", str(picture)]) == 2
    assert "--output goes with --suggest-timeout" in capsys.readouterr().err
