"""What people can ask of a warehouse: all that it holds on them, and to be forgotten."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.deliveries import KEY, source, write_csv
from tests.factories import event_values, identity_values, write_table
from tests.published import AS_OF, NOW, Shop
from tests.reports import report_data

from segmentation.privacy.data_map import DATA_MAP
from segmentation.profiles.report.data import TypicalPerson
from segmentation.profiles.report.page import build_report
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import export, identity, ingest, sessions
from segmentation.stages.erase import Erasure

HEADER = "id,event,ts,uid,email,cookie"
ANN, BOB = "ann-77001", "bob-77002"
EVENTS = [
    f"a1,sign_up,2026-02-01 10:00:00,{ANN},Ann@Example.com,cookie-ann",
    "a2,page_view,2026-02-02 10:00:00,,,cookie-ann",
    f"a3,page_view,2026-02-03 10:00:00,{ANN},,cookie-shared",
    f"a4,page_view,2026-02-04 10:00:00,{ANN},,cookie-shared",
    f"a5,page_view,yesterday,{ANN},ann@example.com,cookie-ann",
    f"b1,sign_up,2026-02-01 11:00:00,{BOB},bob@example.com,cookie-bob",
    f"b2,page_view,2026-02-05 11:00:00,{BOB},,cookie-shared",
    f"b3,page_view,tomorrow,{BOB},,cookie-bob",
]
"""Ann and Bob, who once used the device that is mostly Ann's; of each one row cannot be taken in."""


class World(Shop):
    """Two people, through all tables and delivered."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        columns = {
            "amount": None,
            "identifiers": {"user_id": "uid", "email": "email", "cookie": "cookie"},
            "properties": {},
        }
        web = source(write_csv(root / "web-1.csv", EVENTS, HEADER).with_name("web-*.csv"), columns=columns)
        web["max_bad_share"] = 0.5
        kinds = {"user_id": {"max_per_person": 1}, "email": {}, "cookie": {}}
        super().__init__(
            spark,
            root,
            {"name": "mail", "path": str(root / "out")},
            {"name": "lake", "type": "delta", "path": str(root / "lake")},
            sources=[web],
            identity={"identifiers": kinds},
            consent=[{"purpose": "marketing", "grants": {"event": "sign_up"}}],
        )
        self.config = root / "shop.yml"
        said = self.settings.model_dump_json(exclude_defaults=True)
        self.config.write_text(yaml.safe_dump(json.loads(said), sort_keys=False))
        self.stages(ingest.STAGE, identity.STAGE, sessions.STAGE)
        people = self.people()
        # As many events would leave it: what counts of Bob's day is a cookie of Ann's.
        named = [("user_id", who, date(2026, 2, 4), 1, ["cookie-shared"]) for who in (ANN, BOB)]
        keys = "identifier_type string, identifier_value string, day date, batch_seq long, events_seen array<string>"
        self.warehouse.append("feature_days", spark.createDataFrame(named, keys))
        self.publish(1, v1={people[ANN]: "s-1", people[BOB]: "s-2"})
        self.warehouse.replace("segments_current", self.warehouse.read("segments"))
        self.measure(date(2026, 2, 28), **{people[ANN]: 1.0, people[BOB]: 2.0})
        self.members(everyone=[people[ANN], people[BOB]])
        self.stages(export.STAGE)

    def stages(self, *stages) -> None:
        run_stages(self.spark, self.settings, stages, Request(), Progress("json"))

    def fresh(self, name: str) -> DataFrame:
        """A table as it is now: others have written to it."""
        return Warehouse(self.spark, self.settings.warehouse).read(name)

    def people(self) -> dict[str, str]:
        """User id -> person."""
        owners = self.warehouse.read("identity_map").where("identifier_type = 'user_id'").collect()
        return {row["identifier_value"]: row["person_id"] for row in owners}

    def cli(self, *arguments: str) -> int:
        return run_command([*arguments, "--config", str(self.config)])


@pytest.fixture(scope="module")
def key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATION_KEY", KEY)
        yield


@pytest.fixture(scope="module")
def world(spark: SparkSession, key: None, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(spark, tmp_path_factory.mktemp("world"))


def test_access_writes_all_that_is_held_on_one_person(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    file = world.root / "ann.json"
    assert world.cli("access", "--identifier", "email=ANN@example.com", "--dest", str(file)) == 0
    assert "ann" not in capsys.readouterr().err.lower().replace(str(file), "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text(encoding="utf-8")
    held = json.loads(text)
    assert held["person_id"] == world.people()[ANN]
    assert [event["event_id"] for event in held["events"]] == ["a1", "a2", "a3", "a4"]
    assert held["events"][0]["identifiers"]["email"] == "ann@example.com", "in clear, to be read"
    assert json.loads(held["events_quarantine"][0]["raw"])["id"] == "a5"
    assert held["consent"][0]["purpose"] == "marketing"
    assert {row["identifier_value"] for row in held["identity_map"]} == {
        *(ANN, "ann@example.com", "cookie-ann", "cookie-shared")
    }
    assert [row["segment_id"] for row in held["segments_current"]] == ["s-1"]
    filled = {"vault", "persons", "sessions", "features", "segments", "audience_members", "export_members"}
    assert all(held[name] for name in filled)
    assert "bob" not in text, "what is held on others is theirs"
    assert set(held) - {"person_id"} <= {name for name, columns in DATA_MAP.items() if not columns.nothing}
    entry = world.warehouse.read("audit_log").where("action = 'access'").first()
    assert (entry["subject"], entry["detail"]["identifier_type"]) == ("one person", "email")

    assert world.cli("access", "--identifier", "email=nobody@example.com", "--dest", str(file)) == 3
    assert world.cli("access", "--identifier", "ann@example.com", "--dest", str(file)) == 2
    said = capsys.readouterr().err
    assert "example.com" not in said.replace("email=ann@example.com", "")


def test_who_is_erased_is_nowhere_any_more_and_does_not_come_back(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = world.people()
    owned = world.warehouse.read("identity_map").where(F.col("person_id") == people[ANN])
    values = [people[ANN], *(row["identifier_value"] for row in owned.collect())]
    values += ["ann@example.com", "Ann@Example.com", hashlib.sha256(b"ann@example.com").hexdigest()]
    assert len(values) == 5 + 3
    (world.root / "ann.json").unlink(missing_ok=True)
    assert all(_places(world, value) for value in values[:6]), "what is looked for is found as long as it is there"
    reports = world.root / "warehouse" / "_reports"
    reports.mkdir(exist_ok=True)
    for version, who in ((1, ANN), (2, BOB)):
        shown = [TypicalPerson("s-loyal", people[who], {})]
        (reports / f"segments-v{version}.html").write_text(build_report(report_data(typical=shown)))
    request = ("erase", "--identifier", "email=ann@example.com")

    with monkeypatch.context() as killed:
        merge = Warehouse.merge
        killed.setattr(Warehouse, "merge", lambda *given: 1 / 0 if given[1] == "sessions" else merge(*given))
        assert world.cli(*request) == 1
    assert world.cli(*request) == 0, "started again"
    said = capsys.readouterr()
    receipt = json.loads(said.out.splitlines()[-1])
    assert (receipt["asked"], receipt["unknown"], receipt["people"], receipt["identifiers"]) == (1, 0, 1, 4)
    assert receipt["rows"]["sessions"] > 0
    assert receipt["files_deleted"] == 0, "the first attempt had deleted it"
    assert [file.name for file in reports.iterdir()] == ["segments-v2.html"], "a report that shows others stays"
    assert {value: _places(world, value) for value in values if _places(world, value)} == {}
    assert not [value for value in values if value in said.out + said.err]

    bobs = {row["event_id"]: row["identifiers"] for row in world.fresh("events").collect()}
    assert set(bobs) == {"b1", "b2"}
    assert bobs["b2"] == {"user_id": BOB}, "her device is taken out of his event"
    assert world.people() == {BOB: people[BOB]}
    for table in ("sessions", "features", "segments", "segments_current", "audience_members", "vault", "consent"):
        assert world.fresh(table).count(), f"his rows of {table} are there"
    assert world.fresh("events_quarantine").count() == 1
    assert world.fresh("erasure_work").count() == 0
    assert world.fresh("feature_days").count() == 0, "the next run makes them anew"

    again = [*EVENTS[:5], f"b4,page_view,2026-02-06 11:00:00,{BOB},,cookie-shared"]
    write_csv(world.root / "web-2.csv", again, HEADER)
    world.stages(ingest.STAGE, identity.STAGE)
    (world.root / "web-1.csv").unlink()
    (world.root / "web-2.csv").unlink()
    assert world.people() == {BOB: people[BOB]}
    assert world.fresh("events").where("event_id = 'b4'").first()["identifiers"] == {"user_id": BOB}
    refused = world.fresh("events_quarantine").where("reasons = array('erased')").collect()
    assert [(row["raw"], row["identifiers"]) for row in refused] == [(None, {})] * 5
    world.stages(export.STAGE)
    assert world.fresh("export_log").orderBy(F.desc("delivery")).first()["removed"] == 1
    lake = world.spark.read.format("delta").load(str(world.root / "lake"))
    assert [row["person_id"] for row in lake.collect()] == [people[BOB]]
    assert {value: _places(world, value) for value in values if _places(world, value)} == {}
    actions = [row["action"] for row in world.fresh("audit_log").orderBy("entry").collect()]
    assert [action for action in actions if action != "access"] == ["export"] * 2 + ["erasure"] + ["export"] * 2


def test_files_that_hold_nobody_who_is_erased_stay_as_they_are(spark: SparkSession, key: None, tmp_path: Path) -> None:
    shop = Shop(spark, tmp_path)
    files: dict[str, dict[str, set[str]]] = {}
    for who in ("ann", "bob"):
        person, said = {"person_id": who}, {"identifier_type": "user_id", "identifier_value": who}
        segment = {"segment_version": 1, "segment_id": "s-1", "segment_name": "S", "method": "model"}
        rows: dict[str, list[dict[str, Any]]] = {
            "events": list(event_values([{"event_id": who, "identifiers": {"user_id": who}}])),
            "identity_map": identity_values({("user_id", who): who}),
            "vault": [
                {"token": who, "value": f"{who}@example.com", "identifier_type": "user_id", "first_batch_id": "b"}
            ],
            "consent": [
                {**said, "purpose": "ads", "granted": True, "consent_ts": NOW}
                | {"source": "web", "event_id": who, "batch_id": "b"}
            ],
            "segments": [{**person, **segment}],
            "audience_members": [{**person, "audience": "all", "entered_as_of": AS_OF}],
            "holdouts": [{**person, "audience": "all", "arm": "treated", "stratum": "s-1", "assigned_as_of": AS_OF}],
            "export_members": [{**person, "destination": "crm", "delivery": 1, "told": 1}],
        }
        for name, added in rows.items():
            before = _files(shop, name)
            write_table(shop.warehouse.root, name, added, mode="append")
            files.setdefault(name, {})[who] = _files(shop, name) - before
    erasure = Erasure([("user_id", "ann")], KEY.encode())
    shop.run(erasure.stages[0])
    shop.run(erasure.stages[2])
    kept = {name: _files(shop, name) for name in files}
    resolved_anew = {"identity_map"}
    renamed = {"export_members"}  # which the destination is told in the next delivery
    for name in files.keys() - resolved_anew:
        assert files[name]["bob"] <= kept[name], name
        assert not files[name]["ann"] & kept[name], name
        assert len(kept[name]) == 1 + (name in renamed), name
        on_disk = {file.name for file in (Path(shop.warehouse.root) / name).rglob("*.parquet")}
        assert on_disk == {Path(file).name for file in kept[name]}, "what only an older version needs is gone"


def _files(shop: Shop, name: str) -> set[str]:
    path = Path(shop.warehouse.root) / name
    return set(DeltaTable(path).file_uris()) if path.exists() else set()


def test_neighbours_come_apart_that_only_the_erased_had_joined(
    spark: SparkSession, key: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = {"user_id": {"max_per_person": 1}, "cookie": {}, "device": {"max_per_person": 1}}
    shop = Shop(spark, tmp_path, identity={"identifiers": kinds})
    seen = [
        *[{"user_id": ANN, "device": "her-tablet"}] * 2,
        {"user_id": ANN, "cookie": "cookie-bob", "device": "desk"},
        *[{"user_id": BOB, "cookie": "cookie-bob"}] * 2,
        {"device": "desk"},
    ]
    shop.put(events=event_values({"identifiers": identifiers} for identifiers in seen))
    run_stages(spark, shop.settings, [identity.STAGE], Request(), Progress("json"))

    def owners() -> dict[str, str]:
        rows = Warehouse(spark, shop.settings.warehouse).read("identity_map").collect()
        return {row["identifier_value"]: row["person_id"] for row in rows}

    before = owners()
    assert before["desk"] == before["cookie-bob"] == before[BOB] != before[ANN], "her event alone ties desk and browser"
    config, requests = tmp_path / "shop.yml", tmp_path / "requests.txt"
    said = shop.settings.model_dump_json(exclude_defaults=True)
    config.write_text(yaml.safe_dump(json.loads(said), sort_keys=False))
    erase = ("erase", "--requests", str(requests), "--config", str(config))
    requests.write_text(f"cookie=nobody's\n{ANN}\n")
    assert run_command([*erase]) == 2
    told = capsys.readouterr().err
    assert ("line 2 of --requests" in told, ANN in told) == (True, False)

    requests.write_text(f"user_id={ANN}\n\n cookie = nobody's \n")
    assert run_command([*erase]) == 0
    told = capsys.readouterr()
    receipt = json.loads(told.out.splitlines()[-1])
    assert [receipt[figure] for figure in ("asked", "unknown", "people", "identifiers")] == [2, 1, 1, 3]
    assert ANN not in told.out + told.err
    after = owners()
    assert set(after) == {BOB, "cookie-bob", "desk"}
    assert after["cookie-bob"] == after[BOB] == before[BOB] != after["desk"]


def _places(world: World, value: str) -> list[str]:
    """Files in which a value stands, but for the sources, which are their owner's: the bytes of each, and of Parquet
    what they say once they are decompressed."""
    found = []
    for file in sorted(world.root.rglob("*")):
        if file.is_file() and not file.match("web-*.csv"):
            said = file.read_bytes()
            if file.suffix == ".parquet":
                said += str(pq.read_table(file).to_pylist()).encode()
            found += [str(file.relative_to(world.root))] if value.encode() in said else []
    return found
