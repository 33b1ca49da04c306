"""What an analyst does from Python: the API and the notebooks, on a shop whose segments were published twice."""

from __future__ import annotations

import doctest
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.factories import minimal_settings
from tests.finished import KEY, LAST_WEEK, TODAY, FinishedShop

from segmentation import api, open_warehouse
from segmentation.api import Segmentation
from segmentation.contracts.errors import ConfigError, InputError

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
    """The made shop with version 1 of last week, retired, and version 2 of today, published."""
    environment.setenv("SEGMENTATION_CONFIG", str(finished_shop.copy_to(tmp_path_factory.mktemp("shop"))))
    return open_warehouse()


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


def test_spark_is_loaded_when_it_is_asked_for() -> None:
    code = "import sys, segmentation; assert 'pyspark' not in sys.modules; segmentation.open_warehouse"
    code += "; assert 'pyspark' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def test_there_are_notebooks() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "05"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_pictures_and_tables(
    shop: Segmentation, notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_SHOWN", str(tmp_path))
    runpy.run_path(str(notebook))
    shown = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html")]
    assert any("<svg" in page for page in shown)
    assert len(shown) >= 2
