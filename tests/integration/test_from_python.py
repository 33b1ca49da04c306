"""What an analyst does from Python: the API and the notebooks, on a shop whose segments were published twice."""

from __future__ import annotations

import doctest
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.factories import minimal_settings
from tests.finished import KEY, LAST_WEEK, TODAY, FinishedShop

from segmentation import api, open_warehouse
from segmentation.api import Segmentation
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.runtime.cli import cli
from segmentation.stages.pipeline import STAGES

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


@pytest.fixture(scope="module")
def environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATION_KEY", KEY)
        yield patch


@pytest.fixture(scope="module")
def shop(
    finished_shop: FinishedShop, environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Segmentation:
    """The made shop with version 1 of last week, retired, and version 2 of today, published; a campaign began last
    week."""
    buyers = {"name": "buyers", "who": {"feature": "monetary", "at_least": 0.01}, "holdout": 0.4}
    config = finished_shop.copy_to(tmp_path_factory.mktemp("shop"), audiences=[buyers])
    environment.setenv("SEGMENTATION_CONFIG", str(config))
    shop = open_warehouse()
    shop.run("audiences", as_of=LAST_WEEK)
    return shop


def test_the_examples_of_the_documentation_run(shop: Segmentation) -> None:
    outcome = doctest.testmod(api, raise_on_error=False)
    assert outcome.attempted > 10
    assert outcome.failed == 0


def test_a_version_goes_by_number_or_by_date(shop: Segmentation) -> None:
    first, second = shop.versions()
    assert (first.as_of, second.as_of) == (LAST_WEEK, TODAY)
    assert shop.version() == shop.version(2) == shop.version(TODAY) == shop.version("2027-01-01") == second
    assert shop.version("2026-03-30") == shop.version(LAST_WEEK) == first
    with pytest.raises(InputError, match=r"no version 3 of the segments \(the newest are: 1, 2\)"):
        shop.version(3)
    with pytest.raises(InputError, match="No published version of the segments is as old as 2026-01-01"):
        shop.segments("2026-01-01")
    with pytest.raises(ConfigError, match="'yesterday' is not a date"):
        shop.version("yesterday")


def test_tables_are_read_as_they_are_or_as_a_version_saw_them(shop: Segmentation) -> None:
    now, then = shop.table("sessions"), shop.table("sessions", at=1)
    assert then.agg(F.max(F.to_date("session_end"))).first() == (LAST_WEEK,)
    assert now.count() > then.count()
    assert {row[0] for row in shop.table("segment_profiles", at=1).select("segment_version").collect()} == {1}
    assert sum(profile.size for profile in shop.profiles()) == shop.segments().count()
    assert [p.size for p in shop.profiles()] == sorted((p.size for p in shop.profiles()), reverse=True)
    owners, there = shop.identity_map(TODAY), shop.table("identity_map")
    key = ("identifier_type", "identifier_value", "person_id")
    assert owners.select(*key).exceptAll(there.select(*key)).isEmpty()
    assert owners.count() == there.count()
    assert shop.identity_map("2020-01-01").isEmpty()
    with pytest.raises(ConfigError, match=r"no table 'segment'.*did you mean 'segments'"):
        shop.table("segment")
    with pytest.raises(ConfigError, match="'vault' is not shown"):
        shop.table("vault")
    with pytest.raises(ConfigError, match="Version 1 was not made from 'runs'"):
        shop.table("runs", at=1)


def test_a_story_is_of_one_person_however_they_are_named(shop: Segmentation) -> None:
    story = shop.person(user_id="u5")
    assert shop.person(email=" PERSON5@example.com").person_id == story.person_id
    assert shop.person(story.person_id).person_id == story.person_id
    kinds = {row["identifier_type"] for row in story.identifiers.collect()}
    assert kinds == {"user_id", "email", "cookie"}
    assert story.links.count() >= story.identifiers.count() - 1
    events = story.events.collect()
    assert [e["event_ts"] for e in events] == sorted(e["event_ts"] for e in events)
    assert {e["identifiers"]["user_id"] for e in events if "user_id" in e["identifiers"]} == {"u5"}
    assert sum(row["events"] for row in story.sessions.collect()) == len(events)
    assert [row["as_of"] for row in story.features.collect()] == [LAST_WEEK, TODAY]
    assert [(row["segment_version"], row["status"]) for row in story.segments.collect()] == [
        (1, "retired"),
        (2, "published"),
    ]
    assert story.history.where("change = 'new'").count() == story.identifiers.count()


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ({}, ConfigError, "Name one person"),
        ({"user_id": "u1", "email": "a@example.com"}, ConfigError, "Name one person"),
        ({"phone": "1"}, ConfigError, r"no identifier type 'phone' \(there are user_id, email, cookie\)"),
        ({"email": "nobody@example.com"}, InputError, "Nobody has this email"),
        ({"user_id": "unknown"}, InputError, "Nobody has this user_id"),
    ],
)
def test_nobody_is_found_and_no_value_told(
    shop: Segmentation, named: dict[str, str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        shop.person(**named)
    assert not any(value in str(raised.value) for value in named.values() if len(value) > 2)


def test_a_comparison_accounts_for_everyone(shop: Segmentation) -> None:
    change = shop.compare()
    assert (change.before.segment_version, change.after.segment_version) == (1, 2)
    before, after = shop.segments(1).count(), shop.segments(2).count()
    assert change.stayed + change.moved + change.left == before
    assert change.stayed + change.moved + change.new == after
    assert change.stayed > before / 2
    moves = change.moves.collect()
    assert len(moves) == change.moved + change.new + change.left == shop.table("segment_changes", at=2).count()
    assert all(row["cause"] for row in moves)
    back = shop.compare(before=2, after=1)
    assert (back.new, back.left, back.stayed) == (change.left, change.new, change.stayed)
    assert not any(row["cause"] for row in back.moves.collect()), "nobody asked why anybody would go back"
    with pytest.raises(InputError, match="Version 1 is the first"):
        shop.compare(after=1)


def test_other_settings_are_tried_and_nothing_is_written(shop: Segmentation) -> None:
    models = shop.table("models").count()
    tried = shop.try_clustering(features=["recency", "monetary"], k={"min": 2, "max": 3})
    assert [(c.algorithm, c.k) for c in tried.candidates] == [("kmeans", 2), ("kmeans", 3)]
    assert sum(c.chosen for c in tried.candidates) == 1
    assert tried.reason.startswith("K-means with k =")
    assert shop.table("models").count() == models
    assert [c.k for c in shop.choice().candidates] == [3, 4]


def test_an_audience_is_a_name_or_a_rule(shop: Segmentation) -> None:
    audiences = shop.table("audience_members").count()
    features = shop.table("features").where(F.col("as_of") == F.lit(TODAY))
    bought = {row[0] for row in features.where("monetary > 0").select("person_id").collect()}
    assert {row[0] for row in shop.members("buyers").select("person_id").collect()} == bought
    buyers = shop.audience("buyers")
    assert (buyers.as_of, buyers.members, buyers.people) == (TODAY, len(bought), features.count())
    assert shop.audience("buyers", as_of=LAST_WEEK).as_of == LAST_WEEK

    often = shop.audience({"all": [{"audience": "buyers"}, {"feature": "frequency", "at_least": 10}]})
    assert often.sentence.startswith("Everyone who is in the audience “buyers”")
    assert often.steps[0].left == len(bought) > often.members > 0
    people = shop.members({"all": [{"audience": "buyers"}, {"feature": "frequency", "at_least": 10}]})
    assert {row[0] for row in people.select("person_id").collect()} < bought
    assert shop.table("audience_members").count() == audiences, "nothing is written"


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("buyer", r"audiences: there is no audience 'buyer' \(there are buyers\); did you mean 'buyers'"),
        ({"feature": "recensy", "at_most": 3}, "who.feature: there is no feature 'recensy'.*did you mean 'recency'"),
        ({"any": [{"audience": "buyer"}]}, "who.any.0.audience: there is no audience 'buyer'"),
        ({"feature": "recency"}, "who: a condition on a feature has exactly one of"),
        ({"segment": "Nobody knows"}, "no published segment has the id or name 'Nobody knows'"),
        ({}, "who: a condition has exactly one of"),
    ],
)
def test_a_wrong_rule_is_told_in_its_own_words(shop: Segmentation, who: str | dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shop.audience(who)
    with pytest.raises(ConfigError, match=said):
        shop.members(who)


def test_a_campaign_is_measured_against_its_control_group(shop: Segmentation) -> None:
    (measured,) = shop.measure()
    assert (measured.audience, measured.since, measured.as_of) == ("buyers", LAST_WEEK, TODAY)
    arms = shop.table("holdouts").groupBy("arm").count().collect()
    assert {row["arm"]: row["count"] for row in arms} == {
        "treated": measured.everyone.treated.people,
        "control": measured.everyone.control.people,
    }
    assert 0 < measured.everyone.treated.converted < measured.everyone.treated.people
    with pytest.raises(ConfigError, match=r"audiences: 'loyal' has no control group \(those with one are buyers\)"):
        shop.measure("loyal")


def test_a_campaign_is_planned_by_what_people_did_before(shop: Segmentation) -> None:
    planned = shop.plan_campaign("buyers", effect=0.1, days=7)
    people = {row[0] for row in shop.members("buyers").select("person_id").collect()}
    events = shop.table("events").where(F.col("event_date") > F.lit(TODAY - timedelta(days=7)))
    owners = shop.table("identity_map").where("identifier_type = 'user_id'")
    by_user = F.col("identifiers")["user_id"] == F.col("identifier_value")
    bought = events.where("event_name = 'purchase'").join(owners, by_user).select("person_id").distinct()
    count = len(people & {row[0] for row in bought.collect()})
    assert 0 < count < len(people)
    assert (planned.plan.people, planned.plan.rate) == (len(people), count / len(people))
    assert (planned.as_of, planned.rate_days, planned.plan.holdout) == (TODAY, 7, 0.4)
    assert 0.05 < planned.plan.power_today < 0.8 < planned.plan.needed_control
    assert shop.plan_campaign("buyers", rate=0.2).rate_days is None
    with pytest.raises(ConfigError, match="'loyal' has no control group"):
        shop.plan_campaign("loyal")


def test_what_other_rules_would_change_is_seen_beforehand(shop: Segmentation) -> None:
    there = shop.preview_identity()
    assert (there.as_of, there.sessions_moved, there.memberships_moved) == (TODAY, 0, 0)


def test_what_is_in_use_or_not_there_is_refused(
    finished_shop: FinishedShop, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = open_warehouse(finished_shop.copy_to(tmp_path))
    with pytest.raises(ConfigError, match="Version 2 is"):
        own.retire(2, "names mislead")
    with pytest.raises(ConfigError, match="Say why version 1 is retired"):
        own.retire(1, " ")
    with pytest.raises(ConfigError, match="There is no batch 'no such batch'"):
        own.replay("no such batch")


def test_who_asks_is_told_and_who_is_erased_is_gone(
    finished_shop: FinishedShop, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = finished_shop.copy_to(tmp_path)
    for told in ("export_log", "export_members"):  # in which the files of the shop that is copied are named
        shutil.rmtree(tmp_path / "warehouse" / told)
    own = open_warehouse(config)
    before = own.table("persons").count()
    assert own.access(tmp_path / "one.json", user_id="u5") > 10
    assert "person5@example.com" in (tmp_path / "one.json").read_text(encoding="utf-8")
    receipt = own.erase(("user_id", "u6"), ("user_id", "u7"), user_id="u5")
    assert not any(user in receipt for user in ("u5", "u6", "u7"))
    assert own.table("persons").count() == before - 3
    assert [row[0] for row in own.table("audit_log").orderBy("entry").select("action").collect()][-2:] == [
        "access",
        "erasure",
    ]
    for call in (lambda: own.access(tmp_path / "none.json"), own.erase):
        with pytest.raises(ConfigError, match="Name one person"):
            call()


def test_what_the_report_counts_can_be_asked_for(shop: Segmentation) -> None:
    assert shop.activity().last_date == TODAY
    assert shop.activity(1).last_date == LAST_WEEK
    identity = shop.identity()
    assert identity is not None
    assert identity.people == shop.table("persons").count()
    assert shop.features["recency"].unit == "days"


def test_a_wrong_call_says_what_there_is(shop: Segmentation, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no stage 'feature'"):
        shop.run("feature")
    with pytest.raises(ConfigError, match="no option 'accept' of features"):
        shop.run("features", accept=["max_moved_share"])
    monkeypatch.delenv("SEGMENTATION_CONFIG")
    with pytest.raises(ConfigError, match=r"open_warehouse\('my.yml'\), or set SEGMENTATION_CONFIG"):
        open_warehouse()


def test_an_empty_warehouse_says_what_to_run(spark: SparkSession, warehouse_path: Path) -> None:
    empty = open_warehouse(minimal_settings(warehouse=str(warehouse_path)))
    assert empty.versions() == []
    assert empty.identity() is None
    for ask in (empty.version, empty.segments, empty.profiles, empty.compare, empty.choice, empty.try_clustering):
        with pytest.raises(InputError, match="No version of the segments is published yet: run `segmentation run`"):
            ask()
    for ask in (lambda: empty.table("sessions"), lambda: empty.person(user_id="u1")):
        with pytest.raises(InputError, match="does not exist in this warehouse yet: run the stage that writes it"):
            ask()
    with pytest.raises(InputError, match="no person with this id"):
        empty.person("p1")


def test_rolling_back_and_publishing_again(shop: Segmentation) -> None:
    assert shop.roll_back(1, "names were wrong").segment_version == 1
    assert shop.version(TODAY).segment_version == 1, "version 2 was taken back"
    assert {row[0] for row in shop.table("segments_current").select("segment_version").collect()} == {1}
    assert shop.roll_back(2).segment_version == 2
    assert shop.version(TODAY).segment_version == 2


CALLS = {
    **dict.fromkeys(("run", *STAGES), "run"),
    **{name: name for name in ("replay", "maintain", "retire", "access", "erase", "compare", "measure", "attribution")},
    **{name: name for name in ("versions", "runs", "doctor", "score", "audience", "live")},
    "rollback": "roll_back",
    "explain": "person",
    "audit": "check_audit",
    "show": "table",
}
"""Command -> what is called instead, on a warehouse that is open. `features --docs` is `feature_sheets`, and so on."""


def test_everything_that_a_command_does_can_be_called() -> None:
    elsewhere = {"simulate", "demo"}  # the one is a function of `api`, the other a run of conf/demo.yml
    assert set(cli.commands) == CALLS.keys() | elsewhere
    assert all(callable(getattr(Segmentation, method)) for method in CALLS.values())
    looks = {"placement", "feature_sheets", "suggest_journeys", "suggest_timeout", "preview_identity", "plan_campaign"}
    assert all(callable(getattr(Segmentation, method)) for method in looks)


def test_the_log_the_machine_and_what_ran_can_be_looked_at(shop: Segmentation) -> None:
    assert shop.check_audit().entry == shop.table("audit_log").count()
    assert {finding.what for finding in shop.doctor() if not finding.ok} == set()
    assert [run.status for run in shop.runs(2)] == ["succeeded"] * 2
    with pytest.raises(ConfigError, match="is not the truth of a finished world"):
        shop.score(str(Path(shop.settings.warehouse).parent))


def test_spark_is_loaded_when_it_is_asked_for() -> None:
    code = "import sys, segmentation; assert 'pyspark' not in sys.modules; segmentation.open_warehouse"
    code += "; assert 'pyspark' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def test_there_are_notebooks() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_pictures_and_tables(
    shop: Segmentation, notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_SHOWN", str(tmp_path))
    runpy.run_path(str(notebook))
    shown = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html")]
    assert any("<svg" in page for page in shown)
    assert len(shown) >= 2
