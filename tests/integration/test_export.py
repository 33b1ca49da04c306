"""Deliveries of the published version: what is written, logged, made once, and refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from tests.deliveries import source, write_csv
from tests.published import FIRST, NOW, SECOND, Shop

from segmentation.activation.destinations import PLATFORMS
from segmentation.config.destinations import PLATFORM_FIELDS
from segmentation.config.exports import PERSON_ID
from segmentation.contracts.errors import ConfigError, DeliveryError, InputError
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import export, identity, ingest


def test_a_version_is_delivered_once_and_the_next_as_a_difference(spark: SparkSession, tmp_path: Path) -> None:
    shop = Shop(spark, tmp_path, {"name": "crm", "path": str(tmp_path / "out")})
    shop.publish(1, v1=FIRST)
    assert "nothing is written: crm: 3 added" in shop.export(dry_run=True)
    assert not (tmp_path / "out").exists()

    shop.export()
    data = (tmp_path / "out" / "crm-v1.csv").read_bytes()
    assert data == (
        b"person_id,segment_id,segment_name\n"
        b'p1,s-1,"High-value, lapsing"\np2,s-1,"High-value, lapsing"\np3,s-2,Frequent\n'
    )
    manifest = json.loads((tmp_path / "out" / "crm-v1.csv.manifest.json").read_text())
    sha256 = hashlib.sha256(data).hexdigest()
    assert (manifest["rows"], manifest["sha256"], manifest["segment_version"]) == (3, sha256, 1)
    assert manifest["columns"] == ["person_id", "segment_id", "segment_name"]
    assert shop.export() == "crm holds it already"
    (tmp_path / "out" / "crm-v1.csv").unlink()
    shop.export()
    assert (tmp_path / "out" / "crm-v1.csv").read_bytes() == data, "a file that was lost is written again"
    assert shop.log() == [(1, 1, 3, 0, 0, 0, "delivered")], "and is the same delivery"

    shop.publish(2, v1=FIRST, v2=SECOND)
    shop.export()
    shop.publish(1, v1=FIRST, v2=SECOND)
    shop.export()
    assert shop.log()[1:] == [(2, 2, 1, 1, 1, 1, "delivered"), (3, 1, 1, 1, 1, 1, "delivered")]
    row = shop.warehouse.read("export_log").orderBy("delivery").first()
    assert (row["path"], row["sha256"]) == (str(tmp_path / "out" / "crm-v1.csv"), sha256)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only the administrator mounts a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_leaves_what_was_delivered_as_it_was(spark: SparkSession, small_disk: Path) -> None:
    shop = Shop(spark, small_disk.parent, {"name": "crm", "path": str(small_disk), "file": "people.csv"})
    shop.publish(1, v1=FIRST)
    shop.export()
    before = {path.name: path.read_bytes() for path in small_disk.iterdir()}
    assert before.keys() == {"people.csv", "people.csv.manifest.json"}
    shop.publish(2, v1=FIRST, v2=SECOND)
    room = shutil.disk_usage(small_disk).free
    for left in (0, 4096):  # nothing at all, and the parts that Spark writes but not the file
        (small_disk / "others").write_bytes(b"x" * (room - left))
        with pytest.raises(DeliveryError, match=r"'crm' could not be written to .*has room"):
            shop.export()
        (small_disk / "others").unlink()
        assert {path.name: path.read_bytes() for path in small_disk.iterdir()} == before
    assert [row[-1] for row in shop.log()] == ["delivered", "failed", "failed"]
    shop.export()
    assert (small_disk / "people.csv").read_bytes() != before["people.csv"]
    assert shop.log()[-1][1:] == (2, 1, 1, 1, 1, "delivered"), "as the same difference"


def test_destinations_have_segments_and_folders_of_their_own(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    shop = Shop(
        spark,
        tmp_path,
        {"name": "broken", "path": str(tmp_path / "taken")},
        {"name": "mail", "segments": ["high-value, lapsing"], "columns": ["person_id"], "type": "jsonl"},
    )
    shop.publish(1, v1=FIRST)
    with pytest.raises(DeliveryError, match="'broken' could not be written to"):
        shop.export()
    mail = tmp_path / "warehouse" / "_exports" / "mail" / "mail-v1.jsonl"
    assert mail.read_text() == '{"person_id":"p1"}\n{"person_id":"p2"}\n', "one that fails does not stop the others"
    log = {row["destination"]: row for row in shop.warehouse.read("export_log").collect()}
    assert (log["mail"]["status"], log["mail"]["segments"], log["mail"]["added"]) == ("delivered", ["s-1"], 2)
    assert (log["broken"]["status"], log["broken"]["path"]) == ("failed", None)
    assert str(tmp_path) not in log["broken"]["reason"]


def test_parquet_is_one_file_in_the_order_of_the_people(spark: SparkSession, tmp_path: Path) -> None:
    columns = ["segment_name", "person_id", "probability", "as_of"]
    shop = Shop(spark, tmp_path, {"name": "lake", "type": "parquet", "path": str(tmp_path / "out"), "columns": columns})
    shop.publish(1, v1=FIRST)
    shop.export()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "lake-v1.parquet",
        "lake-v1.parquet.manifest.json",
    ]
    table = pq.read_table(tmp_path / "out" / "lake-v1.parquet")
    assert table.column_names == columns
    assert table["person_id"].to_pylist() == ["p1", "p2", "p3"]
    assert table["segment_name"].to_pylist() == ["High-value, lapsing", "High-value, lapsing", "Frequent"]
    manifest = json.loads((tmp_path / "out" / "lake-v1.parquet.manifest.json").read_text())
    data = (tmp_path / "out" / "lake-v1.parquet").read_bytes()
    assert (manifest["rows"], manifest["sha256"], manifest["encoding"]) == (3, hashlib.sha256(data).hexdigest(), None)
    assert shop.export() == "lake holds it already"


def test_the_people_of_an_audience_are_delivered(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audiences = [{"name": "lapsing", "who": {"feature": "recency", "at_least": 30}}]
    mail = {"name": "mail", "audience": "lapsing", "columns": ["person_id", "segment_name"]}
    shop = Shop(spark, tmp_path, mail, audiences=audiences)
    shop.publish(1, v1=FIRST)
    with pytest.raises(InputError, match="run `segmentation audiences` first"):
        shop.export()
    shop.members(lapsing=["p1", "p2", "new"])
    shop.export()
    file = tmp_path / "warehouse" / "_exports" / "mail" / "mail-v1.csv"
    assert file.read_text() == 'person_id,segment_name\nnew,\np1,"High-value, lapsing"\np2,"High-value, lapsing"\n'
    assert json.loads(file.with_name("mail-v1.csv.manifest.json").read_text())["audience"] == "lapsing"
    assert shop.export() == "mail holds it already"

    shop.members(lapsing=["p1", "p3"])
    with pytest.raises(DeliveryError, match=r"would remove 2 of 3 people \(67%\).* --confirm-removals mail"):
        shop.export()
    refused = [(1, 1, 3, 0, 0, 0, "delivered"), (2, 1, 1, 2, 0, 1, "failed")]
    with monkeypatch.context() as killed:
        killed.setattr(shop.warehouse, "append_once", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shop.export(confirm_removals=["mail"])
    assert shop.log() == refused
    for _ in ("started again", "once more"):
        shop.export(confirm_removals=["mail"])
        assert shop.log() == [*refused, (3, 1, 1, 2, 0, 1, "delivered")], "counted against what was acknowledged"
    acts = [(act.action, act.subject) for act in export.STAGE.acts(shop.warehouse)]
    assert sorted(acts)[2:] == [("export", "mail, delivery 3"), ("override", "mail, delivery 3")]
    held = {
        row["delivery"]: row["count"]
        for row in shop.warehouse.read("export_members").groupBy("delivery").count().collect()
    }
    assert held == {1: 3, 3: 2}, "the one before stays beside it"


def test_only_who_consents_is_delivered_and_nothing_holds_a_withdrawal_up(spark: SparkSession, tmp_path: Path) -> None:
    rule = {"purpose": "marketing", "grants": {"event": "joined"}}
    export = {"name": "mail", "purpose": "marketing", "columns": ["person_id"], "max_removed_share": 0}
    shop = Shop(spark, tmp_path, export, consent=[rule])
    shop.publish(1, v1=FIRST)
    file = tmp_path / "warehouse" / "_exports" / "mail" / "mail-v1.csv"
    shop.export()
    assert file.read_text() == "person_id\n", "absence is no"
    shop.happen({"person_id": "p1"}, {"person_id": "p2"}, {"person_id": "p4"})
    shop.say(("p1", True, 1), ("p2", True, 1), ("p4", True, 1))
    shop.export()
    assert file.read_text() == "person_id\np1\np2\n"
    shop.say(("p1", True, 1), ("p2", True, 1), ("p1", False, 2))
    shop.export()
    assert file.read_text() == "person_id\np2\n"
    assert [row[2:4] for row in shop.log()] == [(0, 0), (2, 0), (0, 1)]
    manifest = json.loads(file.with_name("mail-v1.csv.manifest.json").read_text())
    assert (manifest["purpose"], set(manifest["tables"])) == ("marketing", {"consent", "identity_map"})


def test_every_platform_gets_its_own_header_and_bytes(spark: SparkSession, tmp_path: Path) -> None:
    people = [f"p{number:03}" for number in range(300)]
    known = ("phone", "first_name", "last_name", "gender", "birth_date", "city", "state", "zip", "country")
    fields = {"email": "email"} | {name: f"attributes.{name}" for name in (*known, "company", "job_title")}
    exports = [
        {"name": kind, "type": kind, "fields": {name: fields.get(name, PERSON_ID) for name in taken}}
        for kind, taken in PLATFORM_FIELDS.items()
        if kind in ("klaviyo", "salesforce_marketing_cloud", "meta", "linkedin")
    ]
    for export_ in exports:
        export_["fields"].pop("mobile_ad_id", None)
        export_["path"] = str(tmp_path / "out")
    shop = Shop(spark, tmp_path, *exports, identity={"identifiers": {"user_id": {}, "email": {}}})
    shop.publish(1, v1=dict.fromkeys(people, "s-1"))
    shop.know(**{**{p: (f"{p}@example.com", "US") for p in people}, "p000": (" Test@Example.com", "US")})
    mary = {
        "phone": "+1 (650) 555-1212",
        "first_name": " Mary",
        "last_name": 'Smith, "Sam"',
        "gender": "Female",
        "birth_date": "1997-02-16",
        "city": "Menlo Park",
        "state": "CA",
        "zip": "94035-1234",
        "country": "us",
        "company": "Acme",
        "job_title": "Buyer",
    }
    seen = {"first_seen": NOW, "last_seen": NOW, "identifier_count": 2}
    shop.put(persons=[{"person_id": "p000", "attributes": mary, **seen}])
    shop.export()

    def sha(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    test_address = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"
    told = ("smith sam", "f", "1997", "02", "16", "menlopark", "ca", "94035", "us")
    expected = {
        "klaviyo": (
            "external_id,email,phone_number,first_name,last_name,organization,title,city,zip,country,"
            "segment_id,segment_name\n"
            'p000,test@example.com,+16505551212,Mary,"Smith, ""Sam""",Acme,Buyer,Menlo Park,94035-1234,US,'
            's-1,"High-value, lapsing"\n',
            '{0},{0}@example.com,,,,,,,,,s-1,"High-value, lapsing"\n',
        ),
        "salesforce_marketing_cloud": (
            "SubscriberKey,EmailAddress,MobilePhone,FirstName,LastName,Country,City,SegmentId,SegmentName\n"
            'p000,test@example.com,+16505551212,Mary,"Smith, ""Sam""",US,Menlo Park,s-1,"High-value, lapsing"\n',
            '{0},{0}@example.com,,,,,,s-1,"High-value, lapsing"\n',
        ),
        "meta": (
            "EXTERN_ID,EMAIL,PHONE,FN,LN,GEN,DOBY,DOBM,DOBD,CT,ST,ZIP,COUNTRY\n"
            f"p000,{test_address},{sha('16505551212')},{sha('mary')},{','.join(map(sha, told))}\n",
            "{0},{1},,,,,,,,,,,\n",
        ),
        "linkedin": (
            "email,firstname,lastname,jobtitle,employeecompany,country,googleaid\n"
            f'{test_address},Mary,"Smith, ""Sam""",Buyer,Acme,US,\n',
            "{1},,,,,,\n",
        ),
    }
    for name, (first, rest) in expected.items():
        others = "".join(rest.format(person, sha(f"{person}@example.com")) for person in people[1:])
        assert (tmp_path / "out" / f"{name}-v1.csv").read_bytes() == (first + others).encode(), name


def test_a_browsers_signal_keeps_people_from_ad_platforms(spark: SparkSession, tmp_path: Path) -> None:
    columns = {"amount": None, "properties": {"gpc": "gpc"}}
    ads = {"name": "ads", "type": "meta", "fields": {"mobile_ad_id": "user_id"}, "sends": "changes"}
    web = source(tmp_path / "web-*.csv", columns=columns)
    shop = Shop(
        spark,
        tmp_path,
        {**ads, "path": str(tmp_path / "out"), "max_removed_share": 0},
        sources=[web],
        global_privacy_control={"property": "gpc"},
    )

    def take_in_and_deliver(number: int, *said: str) -> None:
        rows = [f"{number}{who},view,2026-02-2{number} 10:00:00,{who},{signal}" for who, signal in map(str.split, said)]
        write_csv(tmp_path / f"web-{number}.csv", rows, "id,event,ts,uid,gpc")
        run_stages(spark, shop.settings, [ingest.STAGE, identity.STAGE], Request(), Progress("json"))
        owners = Warehouse(spark, shop.settings.warehouse).read("identity_map").collect()
        shop.publish(1, v1={row["person_id"]: "s-1" for row in owners})
        shop.export()

    take_in_and_deliver(1, "ann 1", "bob 0", "cid 0")
    statements = shop.warehouse.read("consent").select("identifier_value", "purpose", "granted").collect()
    assert sorted(map(tuple, statements)) == [("ann", "sale", False), ("ann", "sharing", False)]
    assert (tmp_path / "out" / "ads-1.csv").read_text().split() == ["MADID", *sorted(["bob", "cid"], key=_known(shop))]
    take_in_and_deliver(2, "bob true")
    assert (tmp_path / "out" / "ads-2-removed.csv").read_text() == "MADID\nbob\n"


def _known(shop: Shop) -> Callable[[str], str]:
    """User id -> person id, by which files are sorted."""
    owners = {row["identifier_value"]: row["person_id"] for row in shop.warehouse.read("identity_map").collect()}
    return owners.__getitem__


def test_a_file_longer_than_its_platform_takes_is_not_delivered(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (newest, *_) = PLATFORMS["braze"]
    monkeypatch.setitem(PLATFORMS, "braze", (replace(newest, most_bytes=100),))
    mail = {"name": "mail", "type": "braze", "fields": {"email": "email"}, "path": str(tmp_path / "out")}
    shop = Shop(spark, tmp_path, mail, identity={"identifiers": {"user_id": {}, "email": {}}})
    shop.publish(1, v1=FIRST)
    shop.know(**{person: (f"{person}@example.com", "US") for person in FIRST})
    with pytest.raises(DeliveryError, match="its destination takes 100 at most"):
        shop.export()
    assert list((tmp_path / "out").iterdir()) == []
    assert shop.log() == [(1, 1, 3, 0, 0, 0, "failed")]


def test_who_refused_is_left_out_and_nobody_else(spark: SparkSession, tmp_path: Path) -> None:
    out = {"path": str(tmp_path / "out")}
    ads = {**out, "type": "tiktok", "fields": {"email": "email"}}
    shop = Shop(
        spark,
        tmp_path,
        {**out, "name": "crm", "columns": ["person_id"], "unless_refused": ["marketing"]},
        {**ads, "name": "ads"},
        {**ads, "name": "all", "unless_refused": []},
        {**ads, "name": "mail", "type": "klaviyo"},
        consent=[{"purpose": "marketing", "withdraws": {"event": "left"}}],
        global_privacy_control={"property": "gpc", "purposes": ["sale"]},
        identity={"identifiers": {"user_id": {}, "email": {}}},
    )
    shop.publish(1, v1=FIRST)
    shop.know(**{person: (f"{person}@example.com", "US") for person in FIRST})
    shop.say(("p1", False, 1), ("p1", True, 1), ("p2", True, 2), ("p3", False, 2), purposes=("sale", "marketing"))
    shop.export()
    assert (tmp_path / "out" / "crm-v1.csv").read_text() == "person_id\np1\np2\n"
    lines = {name: len((tmp_path / "out" / f"{name}-v1.csv").read_text().splitlines()) - 1 for name in ("ads", "all")}
    assert lines == {"ads": 2, "all": 3}, "an ad platform is not told of who sends the signal, unless that is said"
    assert (tmp_path / "out" / "mail-v1.csv").read_text().count("@") == 3
    manifest = json.loads((tmp_path / "out" / "ads-v1.csv.manifest.json").read_text())
    assert (manifest["unless_refused"], "consent" in manifest["tables"]) == (["sale"], True)


def test_nothing_published_nothing_exported(spark: SparkSession, tmp_path: Path) -> None:
    shop = Shop(spark, tmp_path, {"name": "crm"})
    with pytest.raises(InputError, match="No segment version is published") as error:
        shop.export()
    assert error.value.exit_status == 3
    shop.publish(None, v1=FIRST)
    with pytest.raises(InputError, match="run `segmentation publish` first"):
        shop.export()


def test_a_configuration_that_cannot_be_delivered_writes_nothing(spark: SparkSession, tmp_path: Path) -> None:
    out = {"path": str(tmp_path / "out")}
    Shop(spark, tmp_path).publish(1, v1=FIRST)
    for exports, said in (
        ([{"name": "a", **out}, {"name": "b", **out, "segments": ["Frequnt"]}], "did you mean 'Frequent'"),
        ([{"name": "a", "file": "x", **out}, {"name": "b", "file": "x", **out}], "exports.1.file: is the same file"),
    ):
        with pytest.raises(ConfigError, match=said):
            Shop(spark, tmp_path, *exports).export()
        assert not (tmp_path / "out").exists()


def test_platforms_get_their_own_files_of_whom_the_law_lets_them_have(spark: SparkSession, tmp_path: Path) -> None:
    ads = {"type": "google_customer_match", "fields": {"email": "email", "country": "attributes.country"}}
    shop = Shop(
        spark,
        tmp_path,
        {"name": "ads", **ads},
        {"name": "jobs", "type": "linkedin", "fields": {"email": "email"}, "path": str(tmp_path / "jobs")},
        {"name": "mail", "type": "braze", "fields": {"email": "email"}, "path": str(tmp_path / "mail")},
        identity={"identifiers": {"user_id": {}, "email": {}}},
    )
    shop.publish(1, v1=FIRST)
    shop.know(p1=("test@example.com", "US"), p2=("p2@example.com", "Germany"), p3=("p3@example.com", "FR"))
    shop.say(("p2", True, 1), ("p2", True, 1), ("p3", True, 1), purposes=("ad_user_data", "ad_personalization"))
    with pytest.raises(DeliveryError, match="'jobs' has 3 people, and linkedin takes lists of at least 300"):
        shop.export()
    file = tmp_path / "warehouse" / "_exports" / "ads" / "ads-v1.csv"
    hashed = [hashlib.sha256(f"{who}@example.com".encode()).hexdigest() for who in ("test", "p2")]
    assert file.read_text() == (
        f"Email,Phone,First Name,Last Name,Country,Zip\n{hashed[0]},,,,US,\n{hashed[1]},,,,,\n"
    ), "p3 granted one purpose of the two"
    manifest = json.loads(file.with_name("ads-v1.csv.manifest.json").read_text())
    assert (manifest["rows"], manifest["rules_of"], manifest["columns"][4]) == (2, "2026-11-01", "Country")
    assert manifest["left_out"] == {"country is no code of two letters": 1}
    assert (tmp_path / "mail" / "mail-v1.csv").read_text().splitlines()[1] == (
        'p1,test@example.com,s-1,"High-value, lapsing"'
    )
    log = {row["destination"]: (row["status"], row["added"]) for row in shop.warehouse.read("export_log").collect()}
    assert log == {"ads": ("delivered", 2), "jobs": ("failed", 3), "mail": ("delivered", 3)}
