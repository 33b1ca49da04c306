"""The identity stage on a warehouse: what its tables say, and that it says the same however it got there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, minimal_settings

from segmentation.contracts.errors import InputError
from segmentation.privacy.tokens import token_of
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import identity

TABLES = ("identity_edges", "identity_map", "identity_history", "persons")
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
    status, tree, _ = ask(root, capsys, "email=Family@Example.com")
    assert status == 0
    assert "family@" not in tree.lower(), "a personal value is not printed"
    _, said, _ = ask(root, capsys, "email=Family@Example.com", "--json")
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
    for part in (
        found["person_id"],
        f"email ‹{FAMILY[:12]}…›",
        "user_id ben, seen together 2 times by web",
        "at most 1",
    ):
        assert part in tree
    monkeypatch.delenv("SEGMENTATION_KEY")
    assert ask(root, capsys, f"email={FAMILY}", "--json")[1] == said, "a token needs no key"


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
