"""The stage `features` on its tables."""

from __future__ import annotations

import io
import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.factories import event_values, identity_values, minimal_settings, write_table
from tests.finished import KEY, LAST_WEEK, TODAY, FinishedShop

from segmentation import open_warehouse
from segmentation.config.settings import load_settings
from segmentation.contracts.errors import InputError
from segmentation.features.people import measure_people
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.stage import Stage
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import features, sessions

EVENTS = [
    {"event_ts": datetime(2026, 3, 1, 12), "event_name": "buy", "amount": 9.5},
    {"event_ts": datetime(2026, 3, 1, 23, 50), "event_name": "view"},
    {"event_ts": datetime(2026, 3, 2, 0, 5), "event_name": "buy", "amount": 0.5},
    {"event_ts": datetime(2026, 3, 2, 9), "identifiers": {"cookie": "c"}, "is_bot": True},
]

LIBRARY = ["monetary", "session_duration_mean", "events_per_session"]


def _run(spark: SparkSession, folder: Path, as_of: date, library: list[str]) -> list[StageReport]:
    settings = minimal_settings(warehouse=str(folder), features={"library": library})
    return run_stages(spark, settings, [sessions.STAGE, features.STAGE], Request(as_of), Progress(stream=io.StringIO()))


def test_each_date_keeps_its_rows_and_sees_nothing_after_it(spark: SparkSession, warehouse_path: Path) -> None:
    warehouse = Warehouse(spark, str(warehouse_path))
    write_table(warehouse.root, "events", event_values(EVENTS))
    write_table(warehouse.root, "identity_map", identity_values({("user_id", "u"): "ann", ("cookie", "c"): "bot"}))

    _run(spark, warehouse_path, date(2026, 3, 2), ["monetary", "sessions"])
    (_, report) = _run(spark, warehouse_path, date(2026, 3, 1), ["monetary", "sessions", "bounce_rate"])
    assert (report.rows_in, report.rows_out, report.message) == (4, 1, "3 features")
    rows = warehouse.read("features").orderBy("as_of").collect()
    assert [(r["person_id"], r["as_of"], r["monetary"], r["sessions"], r["bounce_rate"]) for r in rows] == [
        ("ann", date(2026, 3, 1), 9.5, 2.0, 1.0),
        ("ann", date(2026, 3, 2), 10.0, 2.0, None),
    ]
    assert rows[0]["feature_set"] != rows[1]["feature_set"]

    with pytest.raises(InputError, match="on or before 2026-02-28"):
        _run(spark, warehouse_path, date(2026, 2, 28), ["monetary"])


def test_a_feature_that_is_dropped_for_a_finding_enters_no_model(
    spark: SparkSession, finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    checks = {"twins": {"policy": "drop", "above": 0.9}}
    config = finished_shop.copy_to(tmp_path, features={"library": LIBRARY, "checks": checks})
    assert run_command(["run", "--config", str(config), "--stages", "features,train"]) == 0

    warehouse = Warehouse(spark, str(tmp_path / "warehouse"))
    profiles = {r["feature"]: r for r in warehouse.read("feature_profiles").where("as_of = '2026-03-31'").collect()}
    dropped = {name for name, profile in profiles.items() if profile["dropped"]}
    assert dropped == {"events_per_session"}
    assert profiles["monetary"]["compared_with"] == LAST_WEEK
    model = warehouse.read("models").orderBy(F.desc("fit_number")).first()
    assert model is not None
    assert set(model["features"]) == set(LIBRARY) - dropped
    assert all(f"{name}: says nearly the same as" in model["params"]["left_out"] for name in dropped)


def test_some_people_measured_from_their_own_events_are_the_rows_of_the_stage(
    spark: SparkSession, finished_shop: FinishedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    settings = load_settings(finished_shop.folder / "shop.yml")
    warehouse = Warehouse(spark, str(finished_shop.warehouse))
    owners = warehouse.read("identity_map").where("person_id < 'p8'")
    found = measure_people(warehouse.read("events"), owners, settings, TODAY)
    written = warehouse.read("features").where((F.col("as_of") == F.lit(TODAY)) & (F.col("person_id") < "p8"))
    assert 0 < written.count() < 90
    same = {"ignore_row_order": True, "ignore_nullable": True, "ignore_metadata": True}
    assert_df_equality(found, written.select(found.columns), **same)


def test_scores_and_journeys_are_told_and_can_be_asked_for(
    spark: SparkSession, finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    audience = {"name": "at_risk", "who": {"rfm": ["At risk", "Cannot lose them"]}}
    keen = {"name": "keen", "who": {"rfm_engagement": "Champions"}}
    journeys = {"follows": [["page_view", "(end)"]], "pause_hours": 24, "vocabulary": {"most": 1}}
    features = {"rfm": {"engagement": {"recency": "recency"}}, "journeys": journeys}
    config = str(finished_shop.copy_to(tmp_path, features=features, audiences=[audience, keen]))
    assert run_command(["audiences", "--config", config]) == 3, "nobody is scored yet"
    assert run_command(["run", "--config", config, "--stages", "features,audiences,report"]) == 0

    warehouse = Warehouse(spark, str(tmp_path / "warehouse"))
    scored = warehouse.read("rfm")
    bought = warehouse.read("features").where("as_of = '2026-03-31' AND frequency > 0")
    assert scored.count() == bought.count() > 0
    active = warehouse.read("features").where("as_of = '2026-03-31' AND days_active > 0")
    assert warehouse.read("rfm_engagement").count() == active.count() >= scored.count()
    names = {row["rfm_segment"]: row["count"] for row in scored.groupBy("rfm_segment").count().collect()}
    inside = warehouse.read("audience_members").where("left_as_of IS NULL")
    champions = warehouse.read("rfm_engagement").where("rfm_segment = 'Champions'").count()
    assert inside.where("audience = 'keen'").count() == champions > 0
    members = inside.where("audience = 'at_risk'").count()
    assert members == names["At risk"] + names.get("Cannot lose them", 0) > 0
    page = (tmp_path / "warehouse" / "_reports" / "segments-v2.html").read_text(encoding="utf-8")
    assert "How recently and how often people buy" in page
    assert f"The same of {active.count()} people who did anything" in page
    assert f"<b>{scored.where('recency_score = 5 AND frequency_score = 5').count()}</b> <br>Champions" in page

    steps = {(row["from_step"], row["to_step"]): row for row in warehouse.read("journey_steps").collect()}
    started = sum(row["times"] for (step, _), row in steps.items() if step == "(start)")
    reached = steps["page_view", "purchase"]["times"] + steps["(start)", "purchase"]["times"]
    assert f"{started:,} journeys in the last 90 days" in page
    assert "How people come to purchase" in page
    (people,) = (
        warehouse.read("segments")
        .where("segment_version = 2")
        .groupBy()
        .agg(
            F.count("nearest_segment_id").alias("placed"),
            F.expr("count_if(nearest_segment_id = segment_id)").alias("beside_their_own"),
            F.expr("count_if(ambiguous != (margin < 0.05))").alias("wrong"),
        )
        .collect()
    )
    assert people["placed"] > 80
    assert (people["beside_their_own"], people["wrong"]) == (0, 0)
    assert "How far segments overlap" in page
    shown = re.findall(r"<code>(p[0-9a-f]{32})</code>", page)
    typical = warehouse.read("segments").where("segment_version = 2").where(F.col("person_id").isin(shown))
    assert len(shown) == 3 * (page.count('<article class="card c'))
    assert {row["count"] for row in typical.groupBy("segment_id").count().collect()} == {3}
    own = page.partition("Journeys of each segment")[2].partition("</table>")[0]
    counted = re.findall(r'</th><td class="num">([0-9,]+)</td>', own)
    assert sum(int(text.replace(",", "")) for text in counted) == started, "everyone is in a segment"
    paths = warehouse.read("journey_paths").where("reached").collect()
    assert sum(row["journeys"] for row in paths) == reached
    assert {tuple(row["path"]) for row in paths} == {("page_view", "purchase"), ("purchase",)}
    measured = warehouse.read("features").where("as_of = '2026-03-31'")
    assert measured.where("frequency = 0 AND end_after_page_view = 1").count() >= 20, "those who look only"
    assert bought.where("end_after_page_view = 0").count() > 20
    chosen = {row["feature"] for row in warehouse.read("journey_vocabulary").collect()}
    assert "journeys_with_page_view_purchase" in chosen <= set(measured.columns)


def test_the_catalogue_is_written_with_what_was_measured_and_changes_nothing(
    spark: SparkSession, finished_shop: FinishedShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "features.html"
    config = str(finished_shop.folder / "shop.yml")
    before = sorted(path.name for path in finished_shop.warehouse.rglob("*.json"))
    assert run_command(["features", "--config", config, "--docs", "--output", str(page)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(page)
    assert "measured as of 2026-03-31 of 90 people" in page.read_text(encoding="utf-8")

    assert (
        run_command(["features", "--config", config, "--docs", "--as-of", str(LAST_WEEK), "--output", str(page)]) == 0
    )
    assert "measured as of 2026-03-24" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in finished_shop.warehouse.rglob("*.json")) == before

    capsys.readouterr()
    assert run_command(["features", "--config", config, "--docs", "--log-format", "json"]) == 0
    sheets = json.loads(capsys.readouterr().out)
    assert sheets["monetary"]["used_by"] == ["the segments' model"]
    assert run_command(["features", "--config", config, "--output", str(page)]) == 2
    assert run_command(["features", "--config", config, "--docs", "--output", "features.txt"]) == 2


def test_steps_in_a_row_are_suggested_as_they_can_be_declared(
    finished_shop: FinishedShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(finished_shop.folder / "shop.yml")
    before = sorted(path.name for path in finished_shop.warehouse.rglob("*.json"))
    pause = "features.journeys={pause_hours: 168}"
    asked = ["features", "--config", config, "--suggest-journeys", "--set", pause]
    assert run_command(asked) == 0
    said = capsys.readouterr().out
    assert "after page_view, purchase comes next" in said
    declared = yaml.safe_load(said[said.index("features:") :])["features"]["journeys"]
    assert ["page_view", "purchase"] in declared["follows"]

    assert run_command([*asked, "--log-format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert yaml.safe_load(found["declaration"])["features"]["journeys"] == declared
    assert open_warehouse(config, overrides=[pause]).suggest_journeys().journeys == found["journeys"] > 0
    assert sorted(path.name for path in finished_shop.warehouse.rglob("*.json")) == before, "nothing was written"

    assert run_command([*asked, "--docs"]) == 2
    assert "--docs and --suggest-journeys: give one of them" in capsys.readouterr().err
    assert run_command([*asked, "--output", str(tmp_path / "features.html")]) == 2
    assert "--output goes with --docs" in capsys.readouterr().err


def test_a_past_date_is_measured_as_it_was_known_then(spark: SparkSession, warehouse_path: Path) -> None:
    """Late news of a date, and a merge after it, change what is known now, and not what was known then."""
    day = datetime(2026, 3, 1, 12)
    known = [
        {"event_ts": day, "received_ts": day, "identifiers": {"cookie": "c"}, "amount": 5},
        {"event_ts": day, "received_ts": day, "identifiers": {"user_id": "u"}, "amount": 7},
    ]
    late = [
        {"event_ts": day, "received_ts": day + timedelta(days=3), "identifiers": {"user_id": "u"}, "amount": 1},
        {"event_ts": day + timedelta(days=2), "received_ts": day + timedelta(days=2), "identifiers": {"user_id": "u"}},
    ]
    warehouse = Warehouse(spark, str(warehouse_path))
    history = [
        ("cookie", "c", "cookie's", day, day + timedelta(days=2)),
        ("cookie", "c", "ann", day + timedelta(days=2), None),
        ("user_id", "u", "ann", day, None),
    ]
    names = ("identifier_type", "identifier_value", "person_id", "valid_from", "valid_to")
    periods = [{**dict(zip(names, row, strict=True)), "change": "new"} for row in history]

    def run(stage: Stage, day: int, **then: str) -> None:
        library = ["monetary", "sessions", "events"]
        settings = minimal_settings(warehouse=str(warehouse_path), features={"library": library}, point_in_time=then)
        run_stages(spark, settings, [stage], Request(date(2026, 3, day)), Progress(stream=io.StringIO()))

    def learn(rows: list[dict[str, object]], owners: dict[tuple[str, str], str]) -> None:
        write_table(warehouse.root, "events", event_values(rows))
        write_table(warehouse.root, "identity_map", identity_values(owners))
        run(sessions.STAGE, 3)

    def measure(**then: str) -> set[tuple[object, ...]]:
        run(features.STAGE, 1, **then)
        measured = warehouse.read("features").where("as_of = '2026-03-01'").collect()
        return {(row["person_id"], row["monetary"], row["sessions"], row["events"]) for row in measured}

    before = {("cookie", "c"): "cookie's", ("user_id", "u"): "ann"}
    write_table(warehouse.root, "identity_history", periods)
    learn(known, before)
    at_the_time = measure()
    assert at_the_time == {("cookie's", 5.0, 1.0, 1.0), ("ann", 7.0, 1.0, 1.0)}
    learn(known + late, dict.fromkeys(before, "ann"))
    assert measure() == {("ann", 13.0, 1.0, 3.0)}
    assert measure(events="received") == {("ann", 12.0, 1.0, 2.0)}
    assert measure(events="received", identity="then") == at_the_time


def test_several_dates_are_measured_in_one_call(
    spark: SparkSession, finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    config = finished_shop.copy_to(tmp_path, features={"library": ["monetary", "sessions"]})
    days = ["2026-02-10", "2026-01-27"]
    assert run_command(["features", "--config", str(config), "--as-of", ",".join(days)]) == 0
    warehouse = Warehouse(spark, str(tmp_path / "warehouse"))
    both = warehouse.read("features").where(F.col("as_of").isin(days)).groupBy("as_of").agg(F.sum("sessions"))
    (early, _), (later, _) = counts = [tuple(row) for row in both.orderBy("as_of").collect()]
    assert [str(early), str(later)] == sorted(days)
    assert 0 < counts[0][1] < counts[1][1]
    # The table of sessions was cut at the newest date: what went on at midnight of an earlier one counts all the same.
    expected = warehouse.read("sessions").where("session_start < '2026-01-28'").count()
    assert counts[0][1] == expected
