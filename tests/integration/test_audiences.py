"""The stage that finds who is in which audience, and the command that explains one."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pyspark.sql import Row, SparkSession
from tests.factories import identity_values
from tests.published import AS_OF, FIRST, Shop

from segmentation.contracts.errors import ConfigError, InputError
from segmentation.experiments.lift import Arm
from segmentation.runtime.cli import cli
from segmentation.runtime.record import RunRecord
from segmentation.runtime.runner import Request, open_context
from segmentation.stages.audiences import STAGE
from segmentation.stages.measure import READS, find_held_out, measure
from segmentation.stages.measure_plan import READS as PLAN_READS
from segmentation.stages.measure_plan import plan_audience

AUDIENCES: list[dict[str, Any]] = [
    {"name": "lapsing", "who": {"all": [{"segment": "s-1"}, {"feature": "recency", "at_least": 30}]}},
    {
        "name": "left_cart",
        "who": {
            "all": [
                {"did": {"event": "cart"}, "then_not": {"event": "buy"}, "within_hours": 1, "window_days": 7},
                {"not": {"audience": "lapsing"}},
            ]
        },
    },
]
NEXT = date(2026, 3, 1)


def _rows(shop: Shop) -> list[tuple[Any, ...]]:
    members = shop.warehouse.read("audience_members").drop("entered_ts", "left_ts")
    return sorted((tuple(row) for row in members.collect()), key=repr)


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path) -> Shop:
    shop = Shop(spark, tmp_path, audiences=AUDIENCES)
    shop.publish(1, v1=FIRST)
    shop.measure(AS_OF, p1=40, p2=3, p3=50)
    cart = {"event_name": "cart", "event_ts": datetime(2026, 2, 27, 12)}
    shop.happen(
        {"person_id": "p1", **cart},
        {"person_id": "p2", **cart},
        {"person_id": "p3", **cart},
        {"person_id": "p3", "event_name": "buy", "event_ts": datetime(2026, 2, 27, 12, 40)},
    )
    return shop


def test_members_enter_and_leave_and_are_explained(shop: Shop, tmp_path: Path) -> None:
    outcome = shop.run(STAGE)
    assert outcome.figures == {"members": 2, "entered": 2, "left": 0}
    assert _rows(shop) == [("lapsing", "p1", AS_OF, None), ("left_cart", "p2", AS_OF, None)]

    shop.measure(NEXT, p1=1, p2=4, p3=51)
    expected = [
        ("lapsing", "p1", AS_OF, NEXT),
        ("left_cart", "p1", NEXT, None),
        ("left_cart", "p2", AS_OF, None),
    ]
    for _ in ("the next date", "the same again"):
        assert shop.run(STAGE, as_of=NEXT).figures == {"members": 2, "entered": 1, "left": 1}
        assert _rows(shop) == expected

    path = tmp_path / "conf.yml"
    raw = shop.settings.model_dump(mode="json", exclude_none=True, exclude={"spark", "features", "clustering"})
    path.write_text(yaml.safe_dump({**raw, "audiences": AUDIENCES}), encoding="utf-8")
    arguments = ["audience", "--explain", "left_cart", "--config", str(path), "--as-of", str(AS_OF)]
    text = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert "Everyone who did “cart” at least once in the last 7 days" in text.output
    assert "1 of 3 people at the end of 2026-02-28:" in text.output
    found = json.loads(CliRunner().invoke(cli, [*arguments, "--log-format", "json"], catch_exceptions=False).stdout)
    assert (found["audience"], found["people"], found["members"], found["segment_version"]) == ("left_cart", 3, 1, 1)
    assert [(step["meet"], step["left"], step["lost"]) for step in found["steps"]] == [(2, 2, 1), (2, 1, 1)]


def test_a_rule_asks_what_people_said_by_the_date(spark: SparkSession, tmp_path: Path) -> None:
    yes = {"name": "yes", "who": {"granted": "ads"}}
    rest = {"name": "rest", "who": {"not": {"any": [{"audience": "yes"}, {"granted": "mail"}]}}}
    shop = Shop(spark, tmp_path, audiences=[yes, rest])
    shop.publish(1, v1=FIRST)
    shop.measure(AS_OF, p1=1, p2=1, p3=1)
    shop.happen(*({"person_id": person} for person in FIRST))
    shop.say(("p1", True, 1), ("p2", True, 1), ("p2", False, 2), purposes=("ads", "mail", "ads"))
    shop.run(STAGE)
    assert [row[:2] for row in _rows(shop)] == [("rest", "p3"), ("yes", "p1")]


def test_what_is_missing_is_said_with_the_next_step(spark: SparkSession, tmp_path: Path) -> None:
    assert Shop(spark, tmp_path).run(STAGE).message == "no audiences are configured"
    shop = Shop(spark, tmp_path, audiences=[{"name": "a", "who": {"segment": "Frequnt"}}])
    with pytest.raises(InputError, match="run `segmentation publish` first"):
        shop.run(STAGE)
    shop.publish(1, v1=FIRST)
    with pytest.raises(ConfigError, match=r"audiences\.0\.who\.segment: .* did you mean 'Frequent'"):
        shop.run(STAGE)
    shop = Shop(spark, tmp_path, audiences=[{"name": "a", "who": {"segment": "Frequent"}}])
    shop.measure(NEXT, p1=1)
    with pytest.raises(InputError, match="No features are there for 2026-02-28: run `segmentation features"):
        shop.run(STAGE)


def test_a_control_group_is_kept_and_not_delivered(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audience = {"name": "all", "who": {"feature": "recency", "at_least": 0}, "holdout": 0.5}
    shop = Shop(spark, tmp_path, {"name": "mail", "audience": "all", "columns": ["person_id"]}, audiences=[audience])
    people = {f"p{number:02}": "s-1" for number in range(20)}
    shop.publish(1, v1=people)
    shop.measure(AS_OF, **dict.fromkeys(people, 1.0))
    shop.happen({"person_id": "p00"})
    monkeypatch.delenv("SEGMENTATION_KEY_FILE", raising=False)
    monkeypatch.delenv("SEGMENTATION_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"Control groups \(`holdout`\) need a key"):
        shop.run(STAGE)
    monkeypatch.setenv("SEGMENTATION_KEY", "0123456789abcdef" * 4)
    shop.run(STAGE)
    arms = {row["person_id"]: row["arm"] for row in shop.warehouse.read("holdouts").collect()}
    assert sorted(arms) == sorted(people)
    assert len(_rows(shop)) == 20, "who is held out is a member all the same"
    shop.export()
    delivered = (tmp_path / "warehouse" / "_exports" / "mail" / "mail-v1.csv").read_text().splitlines()[1:]
    assert delivered == sorted(person for person, arm in arms.items() if arm == "treated")
    assert len(delivered) == 10

    first = delivered[0]
    shop.happen({"person_id": first, "event_name": "buy", "amount": 5, "event_ts": datetime(2026, 3, 1, 9)})
    context = open_context(RunRecord(shop.warehouse), shop.settings, READS, Request(NEXT), lambda _: None)
    (found,) = measure(context, ["all"])
    assert (found.since, found.everyone.treated, found.everyone.control) == (
        AS_OF,
        Arm(10, 1, 5.0, 25.0),
        Arm(10, 0, 0.0, 0.0),
    )
    assert [one.segment_id for one in found.segments] == ["s-1"]
    assert 0.05 < found.everyone.bought.p_value < 1
    with pytest.raises(InputError, match="run `segmentation audiences` first"):
        measure(context, ["all", "other"])


def test_some_people_are_held_out_of_every_campaign(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", "0123456789abcdef" * 4)
    audience = {"name": "all", "who": {"feature": "recency", "at_least": 0}}
    mail = {"name": "mail", "audience": "all", "columns": ["person_id"]}
    crm = {"name": "crm", "columns": ["person_id"]}
    shop = Shop(spark, tmp_path, mail, crm, audiences=[audience], universal_control=0.25)
    people = {f"p{number:02}": "s-1" for number in range(20)}
    shop.publish(1, v1=people)
    shop.measure(AS_OF, **dict.fromkeys(people, 1.0))
    shop.happen({"person_id": "p00"})
    shop.run(STAGE)
    arms = {row["person_id"]: row["arm"] for row in shop.warehouse.read("holdouts").collect()}
    assert sorted(arms) == sorted(people)
    treated = sorted(person for person, arm in arms.items() if arm == "treated")
    assert len(treated) == 15
    shop.export()
    exports = tmp_path / "warehouse" / "_exports"
    assert (exports / "mail" / "mail-v1.csv").read_text().splitlines()[1:] == treated
    assert (exports / "crm" / "crm-v1.csv").read_text().splitlines()[1:] == sorted(people), "no campaign, but a list"

    shop.happen({"person_id": treated[0], "event_name": "buy", "amount": 5, "event_ts": datetime(2026, 3, 1, 9)})
    context = open_context(RunRecord(shop.warehouse), shop.settings, READS, Request(NEXT), lambda _: None)
    (found,) = measure(context, find_held_out(shop.settings))
    assert (found.audience, found.everyone.treated, found.everyone.control) == (
        "all_campaigns",
        Arm(15, 1, 5.0, 25.0),
        Arm(5, 0, 0.0, 0.0),
    )

    context = open_context(RunRecord(shop.warehouse), shop.settings, PLAN_READS, Request(AS_OF), lambda _: None)
    planned = plan_audience(context, "all_campaigns", rate=0.2)
    assert (planned.plan.people, planned.plan.holdout, planned.rate_days) == (20, 0.25, None)
    with pytest.raises(InputError, match="from 0 % who buy cannot be planned for"):
        plan_audience(context, "all_campaigns")


def _in_arms(shop: Shop) -> list[Row]:
    return shop.warehouse.read("holdouts").where("audience = 'all'").collect()


def test_people_of_both_arms_who_turn_out_to_be_one_keep_the_first(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", "0123456789abcdef" * 4)
    audience = {"name": "all", "who": {"feature": "recency", "at_least": 0}, "holdout": 0.5}
    mail = {"name": "mail", "audience": "all", "columns": ["person_id"]}
    shop = Shop(spark, tmp_path, mail, audiences=[audience, {**audience, "name": "same"}])
    people = {f"p{number}": "s-1" for number in range(6)}
    shop.publish(1, v1=people)
    shop.measure(AS_OF, **dict.fromkeys(people, 1.0))
    bought = {"person_id": "p1", "event_name": "buy", "amount": 5, "event_ts": datetime(2026, 3, 1, 9)}
    shop.happen(*({"person_id": person} for person in people), bought)
    shop.run(STAGE)
    shop.export()
    arms = {row["person_id"]: row["arm"] for row in _in_arms(shop)}
    control, treated = (min(who for who, arm in arms.items() if arm == one) for one in ("control", "treated"))

    # The treated person has become the other, as one event of theirs told.
    shop.put(
        identity_map=identity_values({("user_id", who): control if who == treated else who for who in people}),
        identity_history=[
            {"identifier_type": "user_id", "identifier_value": treated, "person_id": treated, "change": "new"}
            | {"valid_from": datetime(2026, 2, 1), "valid_to": datetime(2026, 2, 28, 20)}
        ],
    )
    shop.measure(NEXT, **{who: 1.0 for who in people if who != treated})
    for _ in ("the next date", "the same again"):
        shop.run(STAGE, as_of=NEXT)
        rows = {row["person_id"]: (row["arm"], row["other_arm"]) for row in _in_arms(shop)}
        one = {control: ("control", "treated")}
        assert rows == {who: (arm, None) for who, arm in arms.items() if who != treated} | one

    # What was mailed went to the one who is held out, by the id of then.
    path = tmp_path / "conf.yml"
    raw = shop.settings.model_dump(mode="json", exclude_none=True, exclude={"spark", "features", "clustering"})
    path.write_text(yaml.safe_dump({**raw, "exports": [mail]}), encoding="utf-8")
    arguments = ["measure", "--config", str(path), "--as-of", str(NEXT)]
    text = " ".join(CliRunner().invoke(cli, arguments, catch_exceptions=False).output.split())
    assert "turned out to be one: 1, each in the first arm; held out and delivered all the same: 1." in text
    plain = CliRunner().invoke(cli, [*arguments, "--log-format", "json"], catch_exceptions=False).stdout
    told = {one["audience"]: one for one in json.loads(plain)}
    assert told["all"]["contamination"] == {"in_both_arms": 1, "controls_delivered": 1}
    assert told["same"]["contamination"]["controls_delivered"] == 0, "the mail is not of that audience"
    assert (told["all"]["everyone"]["control"]["people"], told["all"]["everyone"]["treated"]["people"]) == (3, 2)

    rows = [row for one in told.values() for row in (one["everyone"], *one["segments"])]
    assert len(rows) == 4
    for figure in ("bought", "spent", "spent_given_before", "spent_resampled"):
        p_values = {row[figure]["p_value"] for row in rows}
        assert None not in p_values
        adjusted = min(row["adjusted_p_values"][figure] for row in rows)
        assert adjusted == pytest.approx(min(1, 4 * min(p_values))), "corrected for everyone of both audiences"

    arguments += ["--plan", "all", "--rate", "0.2", "--effect", "0.1"]
    text = " ".join(CliRunner().invoke(cli, arguments, catch_exceptions=False).output.split())
    assert "all: of 5 people at the end of 2026-03-01, 50% are held out; 20.0% buy anyway (said)." in text
    assert "To see 10 points more in 80% of campaigns, it takes 292 treated people and 292 held out." in text
    plain = CliRunner().invoke(cli, [*arguments, "--log-format", "json"], catch_exceptions=False).stdout
    assert (json.loads(plain)["plan"]["people"], json.loads(plain)["plan"]["smallest_effect"]) == (5, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rate", "0.1"], "--rate goes with --plan."),
        (["--plan", "all", "--audience", "all"], "Give either --audience, to measure it, or --plan."),
        (["--plan", "all", "--power", "1"], "1.0 is not in the range 0<x<1."),
    ],
)
def test_options_of_a_plan_are_checked_before_anything_is_read(options: list[str], said: str) -> None:
    assert said in CliRunner().invoke(cli, ["measure", *options]).output


def test_a_withdrawal_takes_the_person_out_of_every_audience_and_destination(
    spark: SparkSession, tmp_path: Path
) -> None:
    asking = [{"name": name, "who": {"feature": "recency", "at_least": 0}, "purpose": "marketing"} for name in "ab"]
    exports = [{"name": f"to_{name}", "audience": name, "columns": ["person_id"]} for name in "ab"]
    consent = [{"purpose": "marketing", "grants": {"event": "joined"}}]
    shop = Shop(spark, tmp_path, *exports, audiences=asking, consent=consent)
    shop.publish(1, v1=FIRST)
    shop.measure(AS_OF, p1=1, p2=2, p3=3)
    shop.happen({"person_id": "p1"}, {"person_id": "p2"}, {"person_id": "p3"})
    shop.say(("p1", True, 1), ("p2", True, 1))
    shop.run(STAGE)
    shop.export()
    assert [row[:2] for row in _rows(shop)] == [("a", "p1"), ("a", "p2"), ("b", "p1"), ("b", "p2")], "absence is no"
    shop.say(("p1", True, 1), ("p2", True, 1), ("p1", False, 2))
    assert shop.run(STAGE).figures["members"] == 2
    shop.export()
    log = shop.warehouse.read("export_log").where("delivery = 2").orderBy("destination").collect()
    assert [(row["destination"], row["removed"], row["unchanged"]) for row in log] == [("to_a", 1, 1), ("to_b", 1, 1)]
    for name in "ab":
        file = tmp_path / "warehouse" / "_exports" / f"to_{name}" / f"to_{name}-v1.csv"
        assert file.read_text() == "person_id\np2\n"
