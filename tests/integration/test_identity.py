"""The identity stage on a warehouse: what its tables say, and that it says the same however it got there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, minimal_settings, write_table

from segmentation.contracts.errors import ConfigError, InputError
from segmentation.privacy.tokens import token_of
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import identity, sessions

TABLES = ("identity_edges", "identity_map", "identity_history", "persons")
AS_OF = date(2026, 3, 1)
KEY = "0123456789abcdef" * 4
TYPES = {"user_id": {"max_per_person": 1}, "email": {}, "cookie": {}}


def events(spark: SparkSession, rows: Iterable[tuple[int, dict[str, str]]]) -> DataFrame:
    """One event a minute, in the order given: the batch that brings it, and its identifiers."""
    start = datetime(2026, 3, 1)
    return event_rows(
        spark,
        [
            {"batch_seq": seq, "identifiers": identifiers, "event_ts": start + timedelta(minutes=minute)}
            for minute, (seq, identifiers) in enumerate(rows)
        ],
    )


def resolve(spark: SparkSession, root: Path, rows: DataFrame | None, **identity_settings: Any) -> dict[str, int]:
    """Runs the stage over `rows`, or over what is there, and returns its figures."""
    settings = minimal_settings(warehouse=str(root), identity={"identifiers": TYPES, **identity_settings})
    if rows is not None:
        Warehouse(spark, str(root)).replace("events", rows)
    return run_stages(spark, settings, [identity.STAGE], Request(), Progress("json"))[0].figures


def read(spark: SparkSession, root: Path, table: str) -> list[tuple[Any, ...]]:
    """A table's rows in order."""
    df = Warehouse(spark, str(root)).read(table)
    return sorted(map(tuple, df.select([F.col(c).cast("string") for c in df.columns]).collect()), key=str)


def test_all_anew_says_how_many_rows_differ(spark: SparkSession, warehouse_path: Path) -> None:
    settings = minimal_settings(warehouse=str(warehouse_path), identity={"identifiers": TYPES})

    def again(rows: list[tuple[int, dict[str, str]]]) -> str:
        Warehouse(spark, str(warehouse_path)).replace("events", events(spark, rows))
        request = Request(options={"full": True})
        return run_stages(spark, settings, [identity.STAGE], request, Progress("json"))[0].message

    rows = [(1, {"user_id": "u", "cookie": "a"}), (1, {"cookie": "b"})]
    assert again(rows) == ""
    assert again(rows) == "no row differs from what was there"
    # One more is known, and the one that it came with was seen once more.
    assert again([*rows, (2, {"cookie": "b", "email": "e"})]) == (
        "rows differ from what was there: 2 of identity_map, 1 of identity_edges, 1 of identity_history, 1 of persons"
    )


FAMILY = token_of(KEY.encode(), "email", "family@example.com")

HOUSEHOLD = [
    (1, {"user_id": "anna", "cookie": "tablet"}),
    (1, {"user_id": "anna", "cookie": "tablet"}),
    (1, {"user_id": "ben", "cookie": "tablet"}),
    (1, {"user_id": "ben", "email": FAMILY}),
    (1, {"user_id": "anna", "email": FAMILY}),
    (1, {"user_id": "ben", "email": FAMILY}),
    (1, {"cookie": "alone"}),
]


@pytest.fixture(scope="module")
def household(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A warehouse of the household, and the figures of the stage."""
    root = tmp_path_factory.mktemp("household") / "warehouse"
    return root, resolve(spark, root, events(spark, HOUSEHOLD))


def test_people_who_share_a_tablet_and_an_address_stay_two(
    spark: SparkSession, household: tuple[Path, dict[str, int]]
) -> None:
    root, figures = household
    warehouse = Warehouse(spark, str(root))
    owner = {r.identifier_value: r.person_id for r in warehouse.read("identity_map").collect()}
    assert owner["tablet"] == owner["anna"] != owner["ben"] == owner[FAMILY] != owner["alone"]
    cut = {
        (r.left_value, r.right_value): r.reason
        for r in warehouse.read("identity_edges").where("status = 'cut'").collect()
    }
    assert cut == {
        ("tablet", "ben"): "would give a person 2 user_id (at most 1)",
        (FAMILY, "anna"): "would give a person 2 user_id (at most 1)",
    }
    assert figures == {"persons": 3, "edges": 4, "edges_cut": 2, "largest_person": 2}
    anna = warehouse.read("persons").where(F.col("person_id") == owner["anna"]).first()
    assert anna is not None
    refused = {r.of: r["count"] for r in warehouse.read("identity_quality").where("figure = 'edges_cut'").collect()}
    assert refused == {"would give a person too many user_id (at most 1)": 2}
    # The last event that names her, not the later ones of the shared tablet and address.
    assert (anna.first_seen, anna.last_seen) == (datetime(2026, 3, 1), datetime(2026, 3, 1, 0, 4))


def test_a_type_that_the_configuration_does_not_know_is_refused(spark: SparkSession, warehouse_path: Path) -> None:
    with pytest.raises(InputError, match="'loyalty_card'"):
        resolve(spark, warehouse_path, events(spark, [(1, {"loyalty_card": "7", "cookie": "c"})]))
    assert not any((warehouse_path / table).exists() for table in TABLES)


def ask(root: Path, capsys: pytest.CaptureFixture[str], identifier: str, *options: str) -> tuple[int, str, str]:
    """Calls `segmentation explain`: its status, and what it said on standard output and standard error."""
    config = root.parent / "household.yml"
    settings = minimal_settings(warehouse=str(root), identity={"identifiers": TYPES})
    config.write_text(settings.model_dump_json(exclude_defaults=True), encoding="utf-8")
    status = run_command(["explain", "--identifier", identifier, "--config", str(config), *options])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_an_identifier_is_explained(
    household: tuple[Path, dict[str, int]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    root, _ = household
    status, said, _ = ask(root, capsys, "email=Family@Example.com", "--json")
    assert status == 0
    assert "family@" not in said.lower(), "a personal value is not printed"
    found = json.loads(said)
    assert found["value"] == FAMILY
    chains = {
        one["value"]: [(link["value"], link["to_value"]) for link in one["chain"]] for one in found["identifiers"]
    }
    assert chains == {FAMILY: [], "ben": [(FAMILY, "ben")]}
    cuts = {(cut["value"], cut["to_value"]): cut["to_person_id"] for cut in found["cuts"]}
    assert set(cuts) == {("ben", "tablet"), (FAMILY, "anna")}
    assert len(set(cuts.values()) - {found["person_id"]}) == 1, "both lead to anna"
    assert found["cuts_by_reason"] == {"would give a person 2 user_id (at most 1)": 2}
    assert [(period["value"], period["change"]) for period in found["history"]] == [("ben", "new"), (FAMILY, "new")]
    monkeypatch.delenv("SEGMENTATION_KEY")
    status, tree, _ = ask(root, capsys, f"email={FAMILY}")
    assert status == 0, "a token needs no key"
    for part in (
        found["person_id"],
        f"email ‹{FAMILY[:12]}…›",
        "user_id ben, seen together 2 times by web",
        "at most 1",
    ):
        assert part in tree


@pytest.mark.parametrize(
    ("identifier", "status", "said"),
    [
        ("email", 2, "write type=value"),
        ("phone=07700900123", 2, "no identifier type 'phone'"),
        ("email=ann@example.com", 2, "need a key"),
        ("user_id=carl-the-stranger", 3, "Nobody has this user_id"),
    ],
)
def test_what_cannot_be_explained_is_said_without_its_value(
    household: tuple[Path, dict[str, int]],
    capsys: pytest.CaptureFixture[str],
    identifier: str,
    status: int,
    said: str,
) -> None:
    found, _, error = ask(household[0], capsys, identifier)
    assert (found, said in error) == (status, True), error
    assert identifier.partition("=")[2] not in error or identifier == "email"


def test_overrides_outrank_everything_and_are_undone_when_they_are_taken_out(
    spark: SparkSession,
    household: tuple[Path, dict[str, int]],
    warehouse_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    copytree(household[0], warehouse_path)
    path = warehouse_path.parent / "overrides.yml"
    warehouse = Warehouse(spark, str(warehouse_path))

    def owners() -> dict[str, str]:
        return {r.identifier_value: r.person_id for r in warehouse.read("identity_map").collect()}

    def decide(*entries: dict[str, str]) -> dict[str, int]:
        path.write_text(yaml.safe_dump(list(entries)), encoding="utf-8")
        return resolve(spark, warehouse_path, None, overrides=str(path))

    together = {"action": "together", "left": "user_id=anna", "right": "email=family@EXAMPLE.com", "reason": "hers"}
    drop = {"action": "drop", "left": "cookie=tablet", "reason": "stands in the hall"}
    unseen = {"action": "apart", "left": "user_id=zoe", "right": "user_id=ben", "reason": "twins"}
    before = owners()
    figures = decide(together, drop, unseen)
    now = owners()
    assert now[FAMILY] == now["anna"] == before["anna"]
    assert now["ben"] == before["ben"]
    assert now["tablet"] not in before.values()
    assert (figures["overrides"], figures["identifiers_only_in_overrides"]) == (3, 1)
    edges = {
        (r.left_value, r.right_value): (r.kind, r.status, r.observations, (r.reason or "").partition(" by override")[0])
        for r in warehouse.read("identity_edges").collect()
    }
    limit = "would give a person 2 user_id (at most 1)"
    assert edges == {
        ("tablet", "anna"): ("manual", "removed", 2, "dropped"),
        ("tablet", "ben"): ("manual", "removed", 1, "dropped"),
        (FAMILY, "anna"): ("manual", "active", 1, "forced together"),
        (FAMILY, "ben"): ("deterministic", "cut", 2, limit),
        ("ben", "zoe"): ("manual", "cut", 0, "kept apart"),
    }
    told = {
        (r.identifier_value, r.change, r.reason.partition(":")[0])
        for r in warehouse.read("identity_history").where("change != 'new'").collect()
    }
    assert told == {("tablet", "split", "overrides changed"), (FAMILY, "split", "overrides changed")}
    decide()
    assert owners() == before
    rows = warehouse.read("identity_overrides").orderBy("step", "action")
    log = [tuple(row) for row in rows.select("step", "change", "action").collect()]
    changed = ("apart", "drop", "together")
    assert log == [*((1, "added", action) for action in changed), *((2, "removed", action) for action in changed)]
    acts = warehouse.read("audit_log").orderBy("entry").select("action", "subject", "detail").collect()
    assert [tuple(act) for act in acts] == [
        ("override", f"identity, decision {step}", {f"{change} {action}": "1" for action in changed})
        for step, change in ((1, "added"), (2, "removed"))
    ]
    with pytest.raises(ConfigError) as raised:
        decide(together, {**together, "action": "apart"}, {**drop, "left": "cookie=-"})
    assert "entry 3: one of its values is a placeholder" in str(raised.value)
    with pytest.raises(ConfigError, match="entry 2: keeps apart what entry 1 forces together") as raised:
        decide(together, {**together, "action": "apart"})
    assert not any(value in str(raised.value).lower() for value in ("anna", "family"))


def test_other_rules_are_tried_and_nothing_is_written(
    spark: SparkSession, household: tuple[Path, dict[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, _ = household
    warehouse = Warehouse(spark, str(root))
    settings = minimal_settings(warehouse=str(root), identity={"identifiers": TYPES})
    run_stages(spark, settings, [sessions.STAGE], Request(AS_OF), Progress("json"))
    owner = {r.identifier_value: r.person_id for r in warehouse.read("identity_map").collect()}
    members = [
        {"segment_version": 1, "person_id": person, "segment_id": "s", "segment_name": "S", "method": "model"}
        for person in (owner["anna"], owner["alone"])
    ]
    write_table(warehouse.root, "segments_current", members)
    told = [
        {"destination": name, "delivery": delivery, "person_id": owner[who], "told": 1, "gone": delivery == 2}
        for name, delivery, who in (
            ("mail", 1, "ben"),
            ("mail", 1, "alone"),
            ("crm", 1, "ben"),
            ("left", 1, "ben"),
            ("left", 2, "ben"),
        )
    ]
    write_table(warehouse.root, "export_members", told)
    delivered = {"segment_version": 1, "status": "delivered", "fingerprint": "f", "run_id": "r"}
    delivered |= {
        "delivered_ts": datetime(2026, 3, 1),
        **dict.fromkeys(("added", "removed", "unchanged", "changed"), 0),
    }
    log = [("mail", 1, None), ("crm", 1, None), ("left", 1, None), ("left", 2, 1)]
    deliveries = [{"destination": name, "delivery": n, "builds_on": base, **delivered} for name, n, base in log]
    write_table(warehouse.root, "export_log", deliveries)
    commits = sorted(root.glob("*/_delta_log/*.json"))

    def dry_run(types: dict[str, Any], *options: str) -> str:
        config = root.parent / "new.yml"
        new = minimal_settings(warehouse=str(root), identity={"identifiers": types})
        config.write_text(new.model_dump_json(exclude_defaults=True), encoding="utf-8")
        assert run_command(["identity", "--dry-run", "--config", str(config), "--as-of", str(AS_OF), *options]) == 0
        return capsys.readouterr().out

    loose = {**TYPES, "user_id": {"max_per_person": 2}}
    found = json.loads(dry_run(loose, "--log-format", "json"))
    assert found["people"] == {
        "people_before": 3,
        "people_after": 2,
        "merged": 2,
        "split": 0,
        "new": 0,
        "gone": 1,
        "identifiers_moved": 2,
        "events_moved": 3,
    }
    assert (found["sessions_moved"], found["memberships_moved"], found["export_rows_moved"]) == (2, 1, 2)
    (change,) = found["biggest"]
    assert (change["kind"], change["person_id"]) == ("merge", owner["anna"])
    assert set(change["parts"]) == {owner["anna"], owner["ben"]}
    assert {change["path"][0]["value"], change["path"][-1]["to_value"]} == {"anna", "ben"}
    told_links = sorted((link["before"], link["after"]) for link in change["path"])
    assert told_links == [("active", "active"), ("would give a person 2 user_id (at most 1)", "active")]
    strict = dry_run({**TYPES, "cookie": {"shared": "nobody"}})
    assert "split" in strict
    assert "nobody's identifier" in strict
    assert sorted(root.glob("*/_delta_log/*.json")) == commits
