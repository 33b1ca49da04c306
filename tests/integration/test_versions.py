"""Versions through their stages: train, assign, publish, refit, refusal, rollback, and a kill between writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_values, table_rows, write_table
from tests.people import AS_OF, feature_rows, grouped_people
from tests.versions import QUICK, World

from segmentation.contracts.errors import InputError, PublicationRefused
from segmentation.runtime.warehouse import Warehouse, Written
from segmentation.segments.versions import read_versions, version_rows
from segmentation.stages import assign, publish, train

NEXT_WEEK = date(2026, 4, 7)
NOW = datetime(2026, 4, 1, tzinfo=UTC)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def published(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with version 1 published."""
    folder = tmp_path_factory.mktemp("published") / "warehouse"
    world = World(spark, folder)
    world.measure(grouped_people(), AS_OF)
    messages = world.run(train.STAGE, assign.STAGE, publish.STAGE)
    assert messages[1:] == ["version 1 is a candidate", "version 1 is current"]
    return folder


@pytest.fixture(scope="module")
def refitted(spark: SparkSession, published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same a week later, with a candidate version 2 by another model: some people have moved."""
    folder = tmp_path_factory.mktemp("refitted") / "warehouse"
    shutil.copytree(published, folder)
    world = World(spark, folder, clustering={"algorithms": ["bisecting_kmeans"], "seed": 4})
    world.measure(a_week_later(), NEXT_WEEK)
    assert world.run(train.STAGE, assign.STAGE, as_of=NEXT_WEEK)[1] == "version 2 is a candidate, 5.0% moved"
    return folder


@pytest.fixture
def world(spark: SparkSession, published: Path, tmp_path: Path) -> World:
    """Version 1 is current, and its week is over."""
    shutil.copytree(published, tmp_path / "warehouse")
    return World(spark, tmp_path / "warehouse")


@pytest.fixture
def next_week(spark: SparkSession, refitted: Path, tmp_path: Path) -> World:
    """Version 1 is current, version 2 is a candidate."""
    shutil.copytree(refitted, tmp_path / "warehouse")
    return World(spark, tmp_path / "warehouse")


def test_a_model_says_how_far_fits_on_earlier_features_agree_with_it(world: World) -> None:
    world.measure(a_week_later(), NEXT_WEEK)
    profile = {"feature": "recency", "as_of": AS_OF, "feature_set": "set", "definition": "d", "people": 240}
    profile |= {"missing": 0.0, "zeros": 0.0, "findings": [], "dropped": False}
    profiles = table_rows(world.spark, "feature_profiles", [profile])
    world.warehouse.replace_slice("feature_profiles", profiles, as_of=AS_OF)
    looking_back = world.with_changes({"clustering.stability": {"refits": 0, "days_before": [7]}})
    looking_back.run(train.STAGE, as_of=NEXT_WEEK)
    models = world.table("models").set_index("fit_number")
    assert "stability_over_time" not in dict(models.loc[1, "metrics"])
    assert dict(models.loc[2, "metrics"])["stability_over_time"] >= 0.9
    assert "fits on earlier dates agree with it" in models.loc[2, "choice"]


def a_week_later() -> pd.DataFrame:
    """The same people, but twelve regulars have turned into lookers, one is gone, one is new."""
    people = grouped_people()
    regulars = people.index[people["group"] == "regulars"]
    people.loc[regulars[1:13], ["recency", "frequency", "monetary"]] = (10.0, 30.0, 5.0)
    people.loc[regulars[0], "person_id"] = "newcomer"
    return people


def test_everyone_is_in_one_named_segment_of_a_version_that_can_be_made_again(world: World) -> None:
    current, version = world.table("segments_current"), world.versions().loc[1]
    groups = current.merge(grouped_people(), on="person_id")
    assert len(groups) == len(current) == 240
    assert (groups.groupby("segment_id")["group"].nunique() == 1).all()
    assert (groups.groupby("group")["segment_id"].nunique() == 1).all()
    assert current["segment_name"].nunique() == 4
    assert not current["segment_name"].str.contains(r"\d").any(), "never a cluster's number"
    assert set(current["method"]) == {"model"}
    assert version["status"] == "published"
    assert dict(version["inputs"]) == {"features": 1, "models": 1}
    assert dict(version["metrics"])["smallest_share"] == 0.25
    assert len(world.table("segment_changes")) == 0, "a first version moves nobody"
    profiles = world.table("segment_profiles")
    assert profiles["size"].tolist() == [60] * 4
    assert set(profiles["segment_name"]) == set(current["segment_name"])
    model = world.table("models").iloc[0]
    assert (world.folder / model["path"] / "metadata").is_dir()
    assert len(json.loads(model["clusters"])) == model["k"] == 4


def test_a_second_run_commits_nothing(world: World) -> None:
    before = world.delta_versions()
    messages = world.run(train.STAGE, assign.STAGE, publish.STAGE)
    assert messages[1:] == ["version 1 has this already (published)", "no candidate: version 1 is current"]
    assert world.delta_versions() == before


def test_a_refit_keeps_ids_and_names_and_every_move_has_its_cause(next_week: World) -> None:
    segments = next_week.table("segments").set_index(["segment_version", "person_id"])[["segment_id", "segment_name"]]
    both = segments.loc[1].join(segments.loc[2], lsuffix="_before", how="inner")
    stayed = both[both["segment_id"] == both["segment_id_before"]]
    assert len(stayed) == 240 - 12 - 1
    assert (stayed["segment_name"] == stayed["segment_name_before"]).all()
    models = next_week.table("models").set_index("model_id")["algorithm"]
    assert list(models[next_week.versions()["model_id"]]) == ["kmeans", "bisecting_kmeans"]
    causes = next_week.table("segment_changes")["cause"].value_counts().to_dict()
    assert causes == {"behaviour": 12, "new": 1, "left": 1}
    metrics = dict(next_week.versions().loc[2, "metrics"])
    assert (metrics["cause_behaviour"], metrics["moved"], metrics["moved_share"]) == (12, 12, 12 / 239)
    assert (metrics["born"], metrics["died"]) == (0, 0)


def test_a_name_in_use_stays_and_is_told_where_it_is_not_true_any_more(world: World) -> None:
    profiles = world.warehouse.read("segment_profiles").toPandas()
    segment, true = profiles.loc[0, ["segment_id", "segment_name"]]
    untrue = F.when(F.col("segment_id") == segment, "Typical").otherwise(F.col("segment_name"))
    named = world.warehouse.read("segment_profiles").withColumn("segment_name", untrue).localCheckpoint()
    world.warehouse.replace_slice("segment_profiles", named, segment_version=1)
    world.measure(grouped_people(), NEXT_WEEK)
    given = world.with_changes({"segments.names": {segment: "Typical"}})
    assert given.run(assign.STAGE, as_of=NEXT_WEEK) == ["version 2 is a candidate, 0.0% moved"]
    assert world.run(assign.STAGE, as_of=NEXT_WEEK) == [
        "version 3 is a candidate, 0.0% moved; 'Typical' is not what they are any more: "
        f"they would be called '{true}'; set segments.names to change it"
    ]
    found = world.table("segment_profiles").set_index(["segment_version", "segment_id"])
    assert found.loc[(3, segment), ["segment_name", "better_name"]].tolist() == ["Typical", true]
    assert found["better_name"].count() == 1


def test_a_gate_refuses_keeps_what_is_current_and_lets_through_what_is_accepted(next_week: World) -> None:
    strict = ("publish", "--as-of", str(NEXT_WEEK), "--set", "segments.gates.max_moved_share=0.01")
    before = next_week.delta_versions()
    assert next_week.cli(*strict) == 4
    assert next_week.versions()["status"].tolist() == ["published", "rejected"]
    assert next_week.versions().loc[2, "reason"].startswith("Version 2 is not published: max_moved_share: 12 people")
    refused = next_week.delta_versions()
    assert refused == {**before, "segment_versions": before["segment_versions"] + 1}
    assert next_week.cli(*strict, "--accept", "max_moved_share") == 2
    assert next_week.cli(*strict) == 4, "as often as one asks"
    assert next_week.delta_versions() == refused
    assert next_week.cli(*strict, "--accept", "max_moved_share", "--reason", "a new season") == 0
    assert next_week.versions()["status"].tolist() == ["retired", "published"]
    assert next_week.versions().loc[2, "reason"].endswith(": a new season")
    log = next_week.table("audit_log").sort_values("entry")
    assert log[["action", "subject"]].to_numpy().tolist() == [
        ["publication", "segment version 1"],
        ["override", "segment version 2"],
        ["publication", "segment version 2"],
    ]
    assert dict(log.iloc[1]["detail"]) == {"accepted": "max_moved_share"}
    assert "season" not in log.to_string(), "what somebody has typed may be personal, and would stay for ever"


def test_rollback_makes_an_earlier_version_current(next_week: World, capsys: pytest.CaptureFixture[str]) -> None:
    first = next_week.table("segments_current")
    next_week.run(publish.STAGE, as_of=NEXT_WEEK)
    assert set(next_week.table("segments_current")["segment_version"]) == {2}
    assert next_week.cli("rollback", "--to", "7") == 2
    assert next_week.cli("rollback", "--to", "1", "--reason", "names were wrong") == 0
    pd.testing.assert_frame_equal(_sorted(next_week.table("segments_current")), _sorted(first))
    assert next_week.versions()["status"].tolist() == ["published", "retired"]
    assert next_week.versions().loc[1, "reason"] == "rolled back to from version 2: names were wrong"
    before = next_week.delta_versions()
    assert next_week.cli("rollback", "--to", "1") == 0
    assert next_week.run(publish.STAGE, as_of=NEXT_WEEK) == ["no candidate: version 1 is current"]
    assert next_week.delta_versions() == before
    log = next_week.table("audit_log").sort_values("entry")
    assert list(log["action"] + " of " + log["subject"]) == [
        "publication of segment version 1",
        "publication of segment version 2",
        "rollback of segment version 1",
    ]

    capsys.readouterr()
    assert next_week.cli("versions", "--log-format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(v["segment_version"], v["status"]) for v in shown] == [(2, "retired"), (1, "published")]
    assert next_week.cli("versions") == 0
    assert "names were wrong" in " ".join(capsys.readouterr().out.split())


def test_versions_are_compared_in_a_table_and_a_picture(next_week: World, capsys: pytest.CaptureFixture[str]) -> None:
    page, picture = next_week.folder / "flows.html", next_week.folder / "flows.svg"
    assert next_week.cli("compare", "1", "2", "--output", str(page)) == 0
    said = capsys.readouterr().out
    assert "12 people moved, 227 stayed, 1 are new and 1 are gone." in said
    assert "segments go on; of the people of “" in " ".join(said.split())
    assert said.splitlines()[-1] == str(page)
    assert next_week.cli("compare", "1", "2", "--log-format", "json", "--output", str(picture)) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (found["stayed"], found["moved"], found["new"], found["left"]) == (227, 12, 1, 1)
    assert {one["name"] for one in found["continuity"]["survived"]} <= {f["to_name"] for f in found["flows"]}
    moved = [f for f in found["flows"] if f["from_segment"] and f["to_segment"] not in (None, f["from_segment"])]
    assert [flow["people"] for flow in moved] == [12]
    html = page.read_text(encoding="utf-8")
    assert f"{moved[0]['from_name']} → {moved[0]['to_name']}: 12 people" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", ""), "nothing is loaded from elsewhere"
    assert picture.read_text(encoding="utf-8").startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    capsys.readouterr()
    assert next_week.cli("compare", "1", "7") == 3
    assert "There is no version 7" in capsys.readouterr().err
    assert next_week.cli("compare", "1", "2", "--output", "flows.png") == 2


def test_rules_decide_and_what_they_decide_makes_no_segment_of_the_model_another(next_week: World) -> None:
    rules = [{"name": "spends", "when": [{"feature": "monetary", "at_least": 500}], "into": "vip"}]
    gates = {"max_moved_share": 1, "min_segment_share": 0}
    before = next_week.with_changes({"segments.rules": rules, "segments.gates": gates})
    ruled = before.run(assign.STAGE, publish.STAGE, as_of=AS_OF)
    assert ruled == ["version 3 is a candidate, 25.0% moved, rules decide of 60 people", "version 3 is current"]
    of_model = set(next_week.table("segments").query("segment_version == 1")["segment_id"])
    people = next_week.table("segments").query("segment_version == 3").set_index("person_id")
    regulars = grouped_people().set_index("person_id").query("group == 'regulars'").index
    assert set(people.loc[regulars, ["segment_id", "segment_name", "method", "rule"]].itertuples(index=False)) == {
        ("vip", "Vip", "rule", "spends")
    }
    assert set(people["model_segment_id"]) == of_model, "nobody is left in the segment of the regulars, and it is there"
    assert set(next_week.table("segment_changes").query("segment_version == 3")["cause"]) == {"rule"}

    # Another model, a week later: the segments are what they were, although rules had emptied one of them.
    after = before.with_changes({"clustering": QUICK | {"algorithms": ["bisecting_kmeans"], "seed": 4}})
    (_, said) = after.run(train.STAGE, assign.STAGE, as_of=NEXT_WEEK)
    assert said == "version 4 is a candidate, 5.0% moved, rules decide of 48 people"
    people = next_week.table("segments").query("segment_version == 4")
    assert set(people["model_segment_id"]) == of_model
    metrics = dict(next_week.versions().loc[4, "metrics"])
    assert (metrics["born"], metrics["died"], metrics["by_rule"], metrics["rule_spends"]) == (0, 0, 48, 48)
    moved = next_week.table("segment_changes").query("segment_version == 4")["cause"].value_counts().to_dict()
    assert moved == {"behaviour": 12, "new": 1, "left": 1}, "they buy no more: it is not the rule that has changed"


def test_why_a_person_is_in_their_segment_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.cli("explain", "--person", "p00000", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    own = world.table("segments").set_index("person_id").loc["p00000"]
    assert (found["segment_id"], found["method"], found["as_of"]) == (own["segment_id"], "model", str(AS_OF))
    regulars = {one["feature"]: one for one in found["deciding"]}
    assert regulars["frequency"]["value"] == pytest.approx(regulars["frequency"]["here"], rel=0.5)
    assert found["nearest_segment_id"] != own["segment_id"]
    assert found["would_move"]
    assert world.cli("explain", "--person", "nobody") == 3
    assert "no person with this id" in capsys.readouterr().err
    assert world.cli("explain", "--person", "p00000", "--version", "9") == 3
    for arguments in (
        (),
        ("--person", "p", "--identifier", "user_id=u"),
        ("--identifier", "user_id=u", "--version", "1"),
    ):
        assert world.cli("explain", *arguments) == 2


def test_outliers_who_are_set_apart_are_the_same_segment_through_refits(next_week: World) -> None:
    people = a_week_later()
    far = [f"p{n:05d}" for n in (4, 8, 12)]
    people.loc[people["person_id"].isin(far), "monetary"] = 1e7
    next_week.measure(people, NEXT_WEEK)
    asked = {
        "clustering": QUICK | {"outliers": {"placed": "apart", "beyond": 20}, "transform": {"skewed": "as_is"}},
        "segments.gates": {"max_moved_share": 1},
        "segments.names": {"outliers": "Wholesale"},
    }
    said = next_week.with_changes(asked).run(train.STAGE, assign.STAGE, publish.STAGE, as_of=NEXT_WEEK)
    assert said[2] == "version 3 is current", "three people are fewer than a segment of the model may have"
    rows = next_week.table("segments").query("segment_version == 3").set_index("person_id")
    assert set(rows.query("segment_id == 'outliers'").index) == set(far)
    assert set(rows.query("segment_id == 'outliers'")[["segment_name", "method"]].itertuples(index=False)) == {
        ("Wholesale", "outlier")
    }
    assert json.loads(next_week.versions().loc[3, "continuity"])["segments"]["4"] == "outliers"

    asked["clustering"] = asked["clustering"] | {"algorithms": ["bisecting_kmeans"], "seed": 9}
    said = next_week.with_changes(asked).run(train.STAGE, assign.STAGE, publish.STAGE, as_of=NEXT_WEEK)
    again = next_week.table("segments").query("segment_version == 4").set_index("person_id")
    assert (again["segment_id"] == "outliers").equals((rows["segment_id"] == "outliers").reindex(again.index))
    metrics = dict(next_week.versions().loc[4, "metrics"])
    assert (metrics["born"], metrics["died"], metrics["coverage"]) == (0, 0, 1)
    # The same model again: nobody is elsewhere.
    (said,) = next_week.with_changes(asked | {"segments.ambiguous_margin": 0.1}).run(assign.STAGE, as_of=NEXT_WEEK)
    assert said.split("; ")[0] == "version 5 is a candidate, 0.0% moved", "what is left is of names"


def test_further_gates_refuse_what_they_are_asked_to(world: World) -> None:
    """The people of one country are all regulars."""
    people = grouped_people()
    persons = [
        {"person_id": p, "identifier_count": 1, "first_seen": NOW, "last_seen": NOW}
        | {"attributes": {"country": "NL" if group == "regulars" else "DE"}}
        for p, group in zip(people["person_id"], people["group"], strict=True)
    ]
    write_table(str(world.folder), "persons", persons)
    write_table(str(world.folder), "events", event_values([{"event_ts": datetime(2026, 3, 28, 9, tzinfo=UTC)}]))
    asked = {"segments.fairness": {"attributes": ["country"], "min_people": 60}}
    within = {"segments.gates": {"max_age_days": 3, "max_group_difference": 0.75}}
    beyond = {"segments.gates": {"max_age_days": 2, "max_group_difference": 0.74}}
    assert world.with_changes(asked | beyond).run(assign.STAGE) == ["version 2 is a candidate, 0.0% moved"]
    refused = r"max_age_days: .*\(3 against 2\).*by country.*\(75\.0% against 74\.0%\)"
    with pytest.raises(PublicationRefused, match=refused):
        world.with_changes(asked | beyond).run(publish.STAGE)
    assert world.with_changes(asked | within).run(assign.STAGE, publish.STAGE) == [
        "version 2 has this already (rejected)",
        "version 2 is current",
    ]


def test_a_retired_candidate_is_not_published(next_week: World) -> None:
    before = next_week.delta_versions()
    assert next_week.cli("retire", "1", "--reason", "bad") == 2, "it is current"
    assert next_week.cli("retire", "2") == 2, "why?"
    assert next_week.delta_versions() == before
    assert next_week.cli("retire", "2", "--reason", "bad names") == 0
    assert next_week.versions().loc[2, ["status", "reason"]].tolist() == ["retired", "retired: bad names"]
    assert next_week.run(publish.STAGE, as_of=NEXT_WEEK) == ["no candidate: version 1 is current"]
    assert next_week.cli("rollback", "--to", "2") == 2
    assert {**before, "segment_versions": before["segment_versions"] + 1} == next_week.delta_versions()


def test_a_shadow_is_scored_and_watched_and_never_published(next_week: World) -> None:
    other = next_week.settings.model_copy(
        update={"clustering": next_week.settings.clustering.model_copy(update={"exclude": ["monetary"]})}
    )
    shadow = next_week.run(train.STAGE, assign.STAGE, as_of=NEXT_WEEK, settings=other, shadow=True)[1]
    assert shadow.startswith("version 3 is a shadow, ")
    versions = next_week.versions()
    assert versions["status"].tolist() == ["published", "candidate", "shadow"]
    assert versions.loc[3, "reason"].startswith("would ")
    assert versions.loc[3, "compared_with"] == 1
    assert versions.loc[3, "model_id"] not in versions.loc[:2, "model_id"].tolist()
    again = next_week.run(assign.STAGE, as_of=NEXT_WEEK, settings=other, shadow=True)
    assert again == ["version 3 has this already (shadow)"]
    assert next_week.run(publish.STAGE, as_of=NEXT_WEEK) == ["version 2 is current"]
    assert next_week.run(publish.STAGE, as_of=NEXT_WEEK) == ["no candidate: version 2 is current"]
    assert next_week.versions()["status"].tolist() == ["retired", "published", "shadow"]


def test_a_candidate_that_was_compared_with_another_version_is_not_published(next_week: World) -> None:
    first, second = read_versions(next_week.warehouse.read("segment_versions"))
    stale = version_rows(next_week.spark, [first, replace(second, compared_with=7)])
    next_week.warehouse.replace("segment_versions", stale)
    with pytest.raises(PublicationRefused, match=r"compared with version 7, which is not current.*assign"):
        next_week.run(publish.STAGE, as_of=NEXT_WEEK)


@contextmanager
def killed_after_write(number: int) -> Iterator[None]:
    """Ends the process just after the commit of that many writes."""
    count = 0
    real = Warehouse._write

    def write(self: Warehouse, name: str, df: DataFrame, options: dict[str, str], mode: str) -> Written:
        nonlocal count
        written = real(self, name, df, options, mode)
        count += name != "runs"
        if count == number:
            raise Killed
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Warehouse, "_write", write)
        yield


def test_killed_between_writes_and_run_again_it_ends_as_if_it_had_not_been(world: World) -> None:
    """Assign writes profiles, segments, changes and the version; publish the versions and what is current."""
    world.measure(a_week_later(), NEXT_WEEK)
    for writes, stage in ((2, assign.STAGE), (4, assign.STAGE), (1, publish.STAGE)):
        with killed_after_write(writes), pytest.raises(Killed):
            world.run(stage, as_of=NEXT_WEEK)
        assert set(world.table("segments_current")["segment_version"]) == {1}, "readers see the old version, whole"
    before = world.delta_versions()
    messages = world.run(assign.STAGE, publish.STAGE, as_of=NEXT_WEEK)
    assert messages == ["version 2 has this already (published)", "no candidate: version 2 is current"]
    assert world.delta_versions() == {**before, "segments_current": before["segments_current"] + 1}
    assert world.versions()["status"].tolist() == ["retired", "published"]
    segments = world.table("segments")
    assert not segments.duplicated(["segment_version", "person_id"]).any()
    newest = segments[segments["segment_version"] == 2]
    pd.testing.assert_frame_equal(_sorted(world.table("segments_current")), _sorted(newest))
    assert len(world.table("segment_changes")) == 14
    assert len(world.table("segment_profiles")) == 8


def test_what_a_model_cannot_score_is_refused(world: World) -> None:
    people = grouped_people()
    with pytest.raises(InputError, match="has no rows for 2026-04-07"):
        world.run(assign.STAGE, as_of=NEXT_WEEK)
    other = feature_rows(world.spark, people, NEXT_WEEK).replace("set", "another set", ["feature_set"])
    world.warehouse.replace_slice("features", other, as_of=NEXT_WEEK)
    with pytest.raises(InputError, match=r"measured by other definitions.*segmentation train"):
        world.run(assign.STAGE, as_of=NEXT_WEEK)
    with pytest.raises(InputError, match="no model that was fitted on features up to 2026-01-01"):
        world.run(assign.STAGE, as_of=date(2026, 1, 1))


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("person_id").reset_index(drop=True)
