"""Deliveries of changes: in files, to a real SFTP server, into a real database and a Delta table."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.published import FIRST, NAMES, SECOND, Shop
from tests.servers import postgresql, query, sftp_server

from segmentation.activation.changes import hash_members
from segmentation.activation.log import LastDelivery, Standing
from segmentation.contracts.errors import ConfigError, DeliveryError
from segmentation.segments.versions import published, read_versions
from segmentation.stages import export
from segmentation.stages.erase import Erasure
from segmentation.stages.export_plan import plan_deliveries

LAPSING, FREQUENT = NAMES["s-1"], NAMES["s-2"]
MARKETING = {"purpose": "marketing", "grants": {"event": "joined"}}


def test_changes_are_two_files(spark: SparkSession, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export = {"name": "crm", "path": str(out), "sends": "changes", "columns": ["person_id", "segment_id"]}
    shop = Shop(spark, tmp_path, export)
    shop.publish(1, v1=FIRST)
    assert "3 added" in shop.export()
    assert (out / "crm-1.csv").read_text() == "person_id,segment_id\np1,s-1\np2,s-1\np3,s-2\n"
    first = json.loads((out / "crm-1.csv.manifest.json").read_text())
    assert (first["sent"], first["removed"], first["delivery"]) == ("everyone", None, 1)

    shop.publish(2, v1=FIRST, v2=SECOND)
    shop.export()
    assert (out / "crm-2.csv").read_text() == "person_id,segment_id\np2,s-2\np4,s-2\n"
    assert (out / "crm-2-removed.csv").read_text() == "person_id\np3\n"
    told = json.loads((out / "crm-2.csv.manifest.json").read_text())
    assert (told["sent"], told["rows"], told["removed"]["rows"]) == ("changes", 2, 1)
    assert shop.export() == "crm holds it already"

    shop.publish(3, v1=FIRST, v2=SECOND, v3=SECOND)
    assert "0 added, 0 removed, 0 changed, 3 unchanged" in shop.export()
    assert not (out / "crm-3.csv").exists(), "nothing changed, nothing is sent"
    shop.export(full=["crm"])
    assert (out / "crm-4.csv").read_text() == "person_id,segment_id\np1,s-1\np2,s-2\np4,s-2\n"
    sent = [row["sent"] for row in shop.warehouse.read("export_log").orderBy("delivery").collect()]
    assert sent == ["everyone", "changes", "changes", "everyone"]
    with pytest.raises(ConfigError, match=r"--full: there is no export 'crn'.*did you mean 'crm'"):
        shop.export(full=["crn"])


def test_a_delivery_writes_down_only_what_changed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export = {"name": "crm", "path": str(out), "sends": "changes", "columns": ["person_id", "segment_id"]}
    shop = Shop(spark, tmp_path, export)
    people = {f"p{number:02}": "s-1" for number in range(20)}
    moved = {person: segment for person, segment in {**people, "p00": "s-2"}.items() if person != "p01"}
    versions = {"v1": people, "v2": moved, "v3": {**people, "p02": "s-2"}}

    def held(version: int) -> dict[int, int]:
        shop.publish(version, **versions)
        shop.export()
        counts = shop.warehouse.read("export_members").groupBy("delivery").count().collect()
        return {row["delivery"]: row["count"] for row in counts}

    assert held(1) == {1: 20}
    shop.publish(2, **versions)
    with monkeypatch.context() as killed:
        killed.setattr(shop.warehouse, "append_once", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shop.export()
    assert held(3) == {1: 20, 2: 1}, "nothing is left of what was never acknowledged"
    assert held(2) == {1: 20, 2: 1, 3: 3}
    assert (out / "crm-3.csv").read_text() == "person_id,segment_id\np00,s-2\np02,s-1\n"
    assert (out / "crm-3-removed.csv").read_text() == "person_id\np01\n"
    assert held(1) == {1: 20, 2: 1, 3: 3, 4: 20}, "six changes of twenty people: everyone again"
    assert held(2) == {4: 20, 5: 2}
    assert shop.log()[1:] == [
        (2, 3, 0, 0, 1, 19, "delivered"),
        (3, 2, 0, 1, 2, 17, "delivered"),
        (4, 1, 1, 0, 1, 18, "delivered"),
        (5, 2, 0, 1, 1, 18, "delivered"),
    ]


def test_a_dry_run_names_a_few_people_and_writes_nothing(spark: SparkSession, tmp_path: Path) -> None:
    shop = Shop(spark, tmp_path, {"name": "crm", "path": str(tmp_path / "out")})
    shop.publish(1, v1=FIRST)
    shop.export()
    shop.publish(2, v1=FIRST, v2={**SECOND, **{f"q{number}": "s-1" for number in range(5)}})
    outcome = shop.dry_run()
    assert outcome.result == "crm: added p4, q0, q1\ncrm: changed p2\ncrm: removed p3"
    assert not (tmp_path / "out" / "crm-v2.csv").exists()


def test_one_task_compares_people_only_where_the_version_has_few(spark: SparkSession, tmp_path: Path) -> None:
    shop = Shop(spark, tmp_path, {"name": "crm"})
    shop.publish(1, v1=FIRST)
    context = shop.context(export.STAGE)
    (new,) = plan_deliveries(context, published(read_versions(context.read("segment_versions"))))
    last = LastDelivery(1, 1, None, "f", None, people=1, everyone=1, changes=0)
    few = replace(new, standing=Standing(1, last))
    assert few.people == 2, "by its profiles, of which this one has two"
    rows = spark.createDataFrame([("p1", "s-1")], "person_id string, segment_id string")
    for planned, is_one in ((few, True), (replace(few, people=2_000_000), False)):
        compared = export._compare(hash_members(rows), rows, planned)
        assert ("Repartition 1, false" in compared._jdf.queryExecution().optimizedPlan().toString()) == is_one


def test_where_nobody_is_taken_out_only_who_says_no_is(spark: SparkSession, tmp_path: Path) -> None:
    export = {"name": "crm", "sends": "changes", "mode": "upsert", "columns": ["person_id"], "max_removed_share": 0}
    shop = Shop(spark, tmp_path, {**export, "segments": ["s-1"], "purpose": "marketing"}, consent=[MARKETING])
    shop.happen(*({"person_id": person} for person in ("p1", "p2", "p3")))
    yes = [("p1", True, 1), ("p2", True, 1)]
    shop.say(*yes)
    shop.publish(1, v1=FIRST)
    shop.export()
    shop.publish(2, v1=FIRST, v2={"p1": "s-2", "p2": "s-1", "p3": "s-1"})
    shop.export()
    assert shop.log()[-1][2:6] == (0, 0, 0, 2), "p1 left the segment and stays there"
    shop.say(*yes, ("p1", False, 2))
    shop.export()
    assert shop.log()[-1][2:6] == (0, 1, 0, 1)
    folder = tmp_path / "warehouse" / "_exports" / "crm"
    assert (folder / "crm-3-removed.csv").read_text() == "person_id\np1\n"
    shop.publish(3, v3={"p2": "s-2", "p3": "s-1"})
    shop.export()
    assert shop.log()[-1][2:6] == (0, 0, 0, 1)
    shop.export(full=["crm"])
    assert shop.log()[-1][2:6] == (0, 0, 0, 1), "a file that only adds leaves p2 there, also with everyone"
    manifest = json.loads((folder / "crm-5.csv.manifest.json").read_text())
    assert (manifest["sent"], manifest["rows"], manifest["removed"]["rows"]) == ("everyone", 0, 0)


def test_who_was_left_in_a_table_is_counted_before_everyone_is_put_in_its_place(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = {"name": "lake", "type": "delta", "path": str(tmp_path / "lake"), "mode": "upsert"}
    shop = Shop(spark, tmp_path, {**lake, "columns": ["person_id"], "max_removed_share": 0.5})
    shop.publish(1, v1=FIRST)
    shop.export()
    shop.publish(2, v1=FIRST, v2={"p1": "s-1"})
    shop.export()
    with pytest.raises(DeliveryError, match=r"'lake' would remove 2 of 3 people"):
        shop.export(full=["lake"])
    assert spark.read.format("delta").load(lake["path"]).count() == 3
    shop.export(full=["lake"], confirm_removals=["lake"])
    assert [row["person_id"] for row in spark.read.format("delta").load(lake["path"]).collect()] == ["p1"]


@pytest.mark.parametrize("asks", ["audience", "segments"])
def test_who_takes_back_a_yes_is_taken_out_by_the_next_export_alone(
    spark: SparkSession, tmp_path: Path, asks: str
) -> None:
    sections: dict[str, Any] = {"consent": [MARKETING]}
    export = {"name": "crm", "sends": "changes", "columns": ["person_id"], "max_removed_share": 0}
    if asks == "audience":
        export["audience"] = "all"
        everyone = {"feature": "recency", "at_least": 0}
        sections["audiences"] = [{"name": "all", "who": everyone, "purpose": "marketing"}]
    else:
        sections["segments"] = {"purpose": "marketing"}
    shop = Shop(spark, tmp_path, export, **sections)
    shop.publish(1, v1=FIRST)
    shop.members(all=["p1", "p2", "p3"])
    shop.happen(*({"person_id": person} for person in ("p1", "p2", "p3")))
    yes = [("p1", True, 1), ("p2", True, 1)]
    shop.say(*yes)
    shop.export()
    folder = tmp_path / "warehouse" / "_exports" / "crm"
    assert (folder / "crm-1.csv").read_text() == "person_id\np1\np2\n", "p3 never said yes"
    shop.say(*yes, ("p1", False, 2))
    shop.export()
    assert (folder / "crm-2-removed.csv").read_text() == "person_id\np1\n"
    manifest = json.loads((folder / "crm-2.csv.manifest.json").read_text())
    assert (manifest["purposes"], manifest["rows"]) == (["marketing"], 0)
    assert manifest["tables"]["consent"] == shop.warehouse.content("consent")
    assert shop.export() == "crm holds it already"


def test_a_platform_that_knows_somebody_by_an_old_address_gets_everyone(spark: SparkSession, tmp_path: Path) -> None:
    ads = {"name": "ads", "type": "tiktok", "fields": {"email": "email"}, "sends": "changes"}
    shop = Shop(spark, tmp_path, ads, identity={"identifiers": {"user_id": {}, "email": {}}})
    shop.publish(1, v1=FIRST)
    known = {person: (f"{person}@example.com", "US") for person in ("p1", "p2", "p3", "p4")}
    shop.know(**{**known, "p2": ("not an address", "US")})
    shop.export()
    refused = shop.warehouse.read("export_refusals").collect()
    assert [(row["person_id"], row["left_out"], len(row["reasons"])) for row in refused] == [("p2", True, 2)]
    assert not any("not an address" in reason for row in refused for reason in row["reasons"])

    shop.publish(2, v1=FIRST, v2={"p1": "s-1", "p2": "s-1", "p4": "s-1"})
    shop.know(**known)
    shop.export()
    folder = tmp_path / "warehouse" / "_exports" / "ads"
    assert len((folder / "ads-2.csv").read_text().splitlines()) == 3, "p2, who was refused, and p4"
    assert len((folder / "ads-2-removed.csv").read_text().splitlines()) == 2, "p3, by the hash of the address"
    assert shop.warehouse.read("export_refusals").count() == 0

    shop.know(**{**known, "p1": ("moved@example.com", "US")})
    assert "sent everyone since one person is known there by what" in shop.export()
    assert len((folder / "ads-3.csv").read_text().splitlines()) == 4
    assert "known there" in json.loads((folder / "ads-3.csv.manifest.json").read_text())["why"]


def test_after_an_erasure_a_destination_of_changes_gets_everyone(spark: SparkSession, tmp_path: Path) -> None:
    shop = Shop(spark, tmp_path, {"name": "crm", "sends": "changes", "columns": ["person_id"]})
    shop.publish(1, v1=FIRST)
    shop.export()
    held = shop.warehouse.read("export_members").withColumn(
        "person_id", F.when(F.col("person_id") == "p1", "erased-00").otherwise(F.col("person_id"))
    )
    shop.warehouse.replace("export_members", held.localCheckpoint())
    shop.publish(1, v1={"p2": "s-1", "p3": "s-2"})
    assert "1 removed, 0 changed, 2 unchanged, sent everyone since one person is known there by" in shop.export()
    file = tmp_path / "warehouse" / "_exports" / "crm" / "crm-2.csv"
    assert file.read_text() == "person_id\np2\np3\n"
    assert shop.export() == "crm holds it already"


def test_where_a_file_takes_nobody_out_it_is_told_of_everyone_who_is_to_go(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", "0123456789abcdef" * 4)
    out = tmp_path / "out"
    mail = {"name": "mail", "type": "klaviyo", "fields": {"email": "email"}, "path": str(out)}
    feed = {"name": "feed", "path": str(out), "sends": "changes", "mode": "upsert", "columns": ["person_id"]}
    shop = Shop(spark, tmp_path, mail, feed, identity={"identifiers": {"user_id": {}, "email": {}}})
    shop.publish(1, v1=FIRST)
    shop.know(**{person: (f"{person}@example.com", "US") for person in FIRST})
    shop.export()
    assert sorted(file.suffix for file in out.iterdir()) == [".csv", ".csv", ".json", ".json"]
    shop.publish(2, v1=FIRST, v2={"p1": "s-1", "p2": "s-1"})
    shop.export()
    there = [line.split(",")[0] for line in (out / "mail-v2.csv").read_text().splitlines()]
    gone = (out / "mail-v2-2-removed.csv").read_text().splitlines()
    assert (there[1:], gone[1:]) == (["p1", "p2"], ["p3"])
    assert not (out / "feed-2.csv").exists(), "who left a segment stays where nobody is taken out"
    (out / "mail-v2.csv").unlink()
    shop.export()
    assert len((out / "mail-v2-2-removed.csv").read_text().splitlines()) == 2, "it still says who is to go"

    shop.run(Erasure([("user_id", "p2")], b"0123456789abcdef" * 4).stages[0])
    shop.publish(2, v1=FIRST, v2={"p1": "s-1"})
    assert shop.export().count("1 erased, told of by a hash") == 2
    hashed = hashlib.sha256(b"p2").hexdigest()
    assert (out / "mail-v2-3-erased.csv").read_text() == f"external_id_sha256\n{hashed}\n"
    assert (out / "feed-3-erased.csv").read_text() == f"person_id_sha256\n{hashed}\n"
    told = json.loads((out / "feed-3.csv.manifest.json").read_text())
    counts = (told["sent"], told["rows"], told["removed"]["rows"], told["erased"]["rows"])
    assert counts == ("everyone", 1, 0, 1), "with p1, whom the file had that was deleted"
    assert (out / "feed-3.csv").read_text() == "person_id\np1\n"
    assert [file.name for file in out.iterdir() if "p2" in file.read_text()] == []
    kept = shop.warehouse.read("export_members").select("destination", "person_id").orderBy("destination", "person_id")
    assert [tuple(row) for row in kept.collect()] == [("feed", "p1"), ("feed", "p3"), ("mail", "p1")]
    assert shop.export() == "mail, feed hold it already"


def test_who_is_erased_is_in_no_list_of_removals(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", "0123456789abcdef" * 4)
    out = tmp_path / "out"
    shop = Shop(spark, tmp_path, {"name": "crm", "path": str(out), "sends": "changes", "columns": ["person_id"]})
    shop.know(p3=("p3@example.com", "US"))
    shop.publish(1, v1=FIRST)
    shop.export()
    shop.publish(2, v1=FIRST, v2=SECOND)
    shop.export()
    assert (out / "crm-2-removed.csv").read_text() == "person_id\np3\n"
    shop.run(Erasure([("user_id", "p3")], b"0123456789abcdef" * 4).stages[0])
    assert [file.name for file in sorted(out.iterdir()) if "p3" in file.read_text()] == []
    shop.publish(2, v2=SECOND)
    assert "0 removed, 0 changed, 3 unchanged, sent everyone since somebody was erased" in shop.export()
    assert (out / "crm-3.csv").read_text() == "person_id\np1\np2\np4\n", "nobody may have fetched crm-2, with p4"
    assert shop.export() == "crm holds it already"


def test_a_segment_keeps_its_name_at_a_destination(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ["person_id", "segment_name"]
    shop = Shop(
        spark,
        tmp_path,
        {"name": "crm", "columns": columns},
        {"name": "mail", "columns": columns, "labels": {"s-2": "REGULARS"}},
    )
    shop.publish(1, v1=FIRST)
    shop.export()
    mail = tmp_path / "warehouse" / "_exports" / "mail"
    assert (mail / "mail-v1.csv").read_text().splitlines()[-1] == "p3,REGULARS"
    monkeypatch.setitem(NAMES, "s-1", "Gone quiet")
    shop.publish(2, v1=FIRST, v2=FIRST)
    shop.export()
    crm = tmp_path / "warehouse" / "_exports" / "crm"
    assert (crm / "crm-v2.csv").read_text() == (crm / "crm-v1.csv").read_text()
    manifest = json.loads((crm / "crm-v2.csv.manifest.json").read_text())
    assert (manifest["segments"]["s-1"], manifest["labels"]["s-1"]) == ("Gone quiet", LAPSING)


def test_a_delta_table_is_brought_up_to_date(spark: SparkSession, tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    export = {"name": "lake", "type": "delta", "path": lake, "columns": ["person_id", "segment_name"]}
    shop = Shop(spark, tmp_path, export)
    shop.publish(1, v1=FIRST)
    shop.export()
    shop.publish(2, v1=FIRST, v2=SECOND)
    shop.export()
    rows = spark.read.format("delta").load(lake).orderBy("person_id").collect()
    assert [tuple(row) for row in rows] == [("p1", LAPSING), ("p2", FREQUENT), ("p4", FREQUENT)]
    history = DeltaTable.forPath(spark, lake).history().orderBy(F.desc("version")).collect()
    assert [row["operation"] for row in history] == ["MERGE", "WRITE"], "the second brought only what changed"
    assert json.loads(history[0]["userMetadata"])["segment_version"] == 2
    for file in (Path(lake) / "_delta_log").glob("*.json"):
        assert "p4" not in file.read_text()


def test_a_table_of_postgresql_is_brought_up_to_date_in_one_transaction(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ["person_id", "segment_name", "segment_version", "as_of", "margin"]
    with postgresql(tmp_path / "postgres") as database:
        export = {"name": "crm", "type": "table", "database": database, "columns": columns}
        shop = Shop(spark, tmp_path, export)
        shop.publish(1, v1=FIRST)
        with pytest.raises(ConfigError, match="set the environment variable CRM_PASSWORD"):
            shop.export()
        monkeypatch.setenv("CRM_PASSWORD", "wrong secret")
        with pytest.raises(DeliveryError, match="it refuses the login") as error:
            shop.export()
        assert "wrong secret" not in str(error.value)
        monkeypatch.setenv("CRM_PASSWORD", "secret")
        with pytest.raises(DeliveryError, match="there is no such schema"):
            shop.export()
        query(database, "CREATE SCHEMA crm")
        shop.export()
        table = "SELECT person_id, segment_name, as_of FROM crm.people ORDER BY 1"
        assert query(database, table) == [
            ("p1", LAPSING, "2026-02-28"),
            ("p2", LAPSING, "2026-02-28"),
            ("p3", FREQUENT, "2026-02-28"),
        ]
        query(database, "INSERT INTO crm.people (person_id) VALUES ('theirs')")
        shop.publish(2, v1=FIRST, v2=SECOND)
        shop.export()
        assert [(row[0], row[1]) for row in query(database, table)] == [
            ("p1", LAPSING),
            ("p2", FREQUENT),
            ("p4", FREQUENT),
            ("theirs", ""),
        ], "only what changed is touched"
        shop.export(full=["crm"])
        assert [row[0] for row in query(database, table)] == ["p1", "p2", "p4"]
        left = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'crm'"
        assert query(database, left) == [("people",)]
    shop.publish(1, v1=FIRST, v2=SECOND)
    with pytest.raises(DeliveryError, match="it cannot be reached"):
        shop.export()


def test_files_are_sent_to_an_sftp_server(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "anything")
    with sftp_server(tmp_path / "server") as server:
        there = Path(server["folder"])

        def shop_with(**changes: Any) -> Shop:
            login = {key: value for key, value in {**server, **changes}.items() if value is not None}
            return Shop(spark, tmp_path, {"name": "crm", "columns": ["person_id"], "sftp": login})

        shop_with().publish(1, v1=FIRST)
        other = "ssh-ed25519 " + "A" * 20 + server["host_key"].split()[1][20:-1] + "A"
        for changes, said in (
            ({"host_key": other}, "its host key is not the one"),
            ({"folder": "/nowhere"}, "there is no such folder"),
            ({"key_file": None, "password_env": "SFTP_PASSWORD"}, "it refuses the login"),
        ):
            with pytest.raises(DeliveryError, match=said):
                shop_with(**changes).export()
            assert list(there.iterdir()) == []
        shop = shop_with()
        shop.export()
        assert sorted(file.name for file in there.iterdir()) == ["crm-v1.csv", "crm-v1.csv.manifest.json"]
        here = tmp_path / "warehouse" / "_exports" / "crm" / "crm-v1.csv"
        assert (there / "crm-v1.csv").read_bytes() == here.read_bytes() == b"person_id\np1\np2\np3\n"
        (there / "crm-v1.csv").write_text("an older one of this name")
        shop.export(full=["crm"])
        assert (there / "crm-v1.csv").read_bytes() == here.read_bytes()
    with pytest.raises(DeliveryError, match="it cannot be reached"):
        shop.export(full=["crm"])
    assert [row[-1] for row in shop.log()] == ["failed"] * 3 + ["delivered", "failed"]
