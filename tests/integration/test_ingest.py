"""Taking sources in: all of it, again, a bit more, and after a kill."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.deliveries import HEADER, KEY, ingest_once, line, rows, settings, source, write_csv

from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.ingest.repairs import ROW
from segmentation.privacy.tokens import token_of
from segmentation.runtime.cli import run_command
from segmentation.runtime.warehouse import Warehouse, Written
from segmentation.stages.hand_out import write_refused

TABLES = ("events", "events_quarantine", "vault", "ingest_batches")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)


def _shop(folder: Path, only_purchases: bool = False) -> Settings:
    """Purchases with e-mails, and JSON page views without ids as a second source."""
    write_csv(
        folder / "in/shop/1.csv",
        [
            line(1),
            line(2, email="PERSON2@example.com "),
            line(2),
            line(3, ts="soon"),
            line(4, uid="", email="none"),
            "e5,cut",
        ],
    )
    (folder / "in/web").mkdir(parents=True)
    views = [f'{{"at": "2026-03-0{day}T10:00:00Z", "who": "u{day}"}}' for day in (1, 2, 2, 3)]
    (folder / "in/web/1.json").write_text("\n".join([*views, '{"at": "2026-']) + "\n", encoding="utf-8")
    web = {
        "name": "web",
        "format": "json",
        "path": str(folder / "in/web"),
        "columns": {"event_name": "'view'", "event_ts": "at", "identifiers": {"cookie": "who"}},
    }
    shop = source(folder / "in/shop", columns={"identifiers": {"user_id": "uid", "email": "email"}})
    return settings(folder / "warehouse", shop, *([] if only_purchases else [web]))


def _all_rows(spark: SparkSession, configured: Settings) -> dict[str, list[tuple[Any, ...]]]:
    return {name: rows(spark, configured, name) for name in TABLES}


def test_a_delivery_is_taken_in_once_and_every_row_is_accounted_for(spark: SparkSession, tmp_path: Path) -> None:
    configured = _shop(tmp_path)
    taken_in = datetime(2026, 4, 1)
    outcome = ingest_once(spark, configured)
    assert (outcome.rows_in, outcome.rows_out, outcome.figures) == (11, 5, {"quarantined": 4, "duplicates": 2})
    assert outcome.message == "malformed_row 2, bad_event_ts 1, no_identifier 1"
    assert rows(spark, configured, "ingest_batches", "batch_seq", "source", "status", "rows_read", "accepted",
                "quarantined", "duplicates", "reasons", "ingested_ts") == [
        (1, "shop", "done", 6, 2, 3, 1, dict.fromkeys(("malformed_row", "bad_event_ts", "no_identifier"), 1), taken_in),
        (2, "web", "done", 5, 3, 1, 1, {"malformed_row": 1}, taken_in),
    ]  # fmt: skip
    tokens = {n: token_of(KEY.encode(), "email", f"person{n}@example.com") for n in (1, 2)}
    assert rows(spark, configured, "events", "source", "event_ts", "identifiers", "amount", "batch_seq") == [
        ("shop", datetime(2026, 3, 1, 10), {"user_id": "u1", "email": tokens[1]}, Decimal("5.0000"), 1),
        ("shop", datetime(2026, 3, 1, 10), {"user_id": "u2", "email": tokens[2]}, Decimal("5.0000"), 1),
        *(("web", datetime(2026, 3, day, 10), {"cookie": f"u{day}"}, None, 2) for day in (1, 2, 3)),
    ]
    assert rows(spark, configured, "vault", "token", "identifier_type", "value") == sorted(
        (token, "email", f"person{n}@example.com") for n, token in tokens.items()
    )

    before = _all_rows(spark, configured)
    versions = {name: Warehouse(spark, configured.warehouse).version(name) for name in TABLES}
    again = ingest_once(spark, configured)
    assert (again.rows_in, again.rows_out, again.message) == (0, 0, "no new files")
    assert {name: Warehouse(spark, configured.warehouse).version(name) for name in TABLES} == versions

    # A second delivery: a row that is there already, the second row of another file, and a person known by e-mail.
    write_csv(tmp_path / "in/shop/2.csv", [line(1), line(6, email="person1@example.com"), line(7)])
    (tmp_path / "in/web/2.json").write_text('{"at": "2026-03-02T10:00:00Z", "who": "u2"}\n', encoding="utf-8")
    more = ingest_once(spark, configured, now=datetime(2026, 4, 2, tzinfo=UTC))
    assert (more.rows_in, more.rows_out, more.figures) == (4, 2, {"quarantined": 0, "duplicates": 2})
    after = _all_rows(spark, configured)
    assert {name: set(map(repr, before[name])) - set(map(repr, after[name])) for name in TABLES} == {
        name: set() for name in TABLES
    }
    assert len(after["vault"]) == 3
    assert [row[1:3] for row in sorted(after["ingest_batches"], key=lambda row: row[1])] == [
        (1, "shop"),
        (2, "web"),
        (3, "shop"),
        (4, "web"),
    ]


def test_a_batch_is_taken_in_again_by_the_rules_of_now(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path / "in/1.csv", [line(1), line(2, quantity="-2"), line(3, uid="")])
    strict = settings(tmp_path / "warehouse", source(tmp_path / "in", rules=[{"column": "amount", "min": 0}]))
    assert ingest_once(spark, strict).figures["quarantined"] == 2
    (refused,) = set(rows(spark, strict, "events_quarantine", "batch_id"))
    # Another delivery waits, in which columns are not as they were: a replay leaves it alone.
    write_csv(tmp_path / "in/2.csv", [line(4) + ",new"], HEADER.replace(",email", ",mail") + ",coupon")
    mild = settings(tmp_path / "warehouse", source(tmp_path / "in"))
    outcome = ingest_once(spark, mild, replay=refused[0])
    assert (outcome.rows_in, outcome.rows_out, outcome.figures) == (3, 2, {"quarantined": 1, "duplicates": 0})
    assert rows(spark, mild, "events", "event_id", "batch_seq") == [("e1", 1), ("e2", 1)]
    assert rows(spark, mild, "events_quarantine", "reasons") == [(["no_identifier"],)]

    proud = settings(tmp_path / "warehouse", source(tmp_path / "in", schema_changes="refuse"))
    with pytest.raises(InputError, match="'coupon' is new, 'mail' is new, 'email' is gone"):
        ingest_once(spark, proud)
    outcome = ingest_once(spark, mild)
    changes = ["'coupon' is new", "'mail' is new", "'email' is gone"]
    assert (outcome.figures["warnings"], outcome.message) == (3, "; ".join(f"shop: {change}" for change in changes))
    assert rows(spark, mild, "ingest_batches", "batch_seq", "schema_changes") == [(1, []), (2, changes)]
    assert rows(spark, mild, "events", "event_id", "batch_seq") == [("e1", 1), ("e2", 1), ("e4", 2)]

    known = source(tmp_path / "in", columns={"identifiers": {"user_id": "coalesce(uid, id)"}})
    outcome = ingest_once(spark, settings(tmp_path / "warehouse", known), replay=refused[0])
    assert (outcome.rows_out, outcome.figures) == (3, {"quarantined": 0, "duplicates": 0})
    assert rows(spark, mild, "events_quarantine") == []
    assert [row[0] for row in rows(spark, mild, "events", "event_id")] == ["e1", "e2", "e3", "e4"]


def _edit(handed_out: Path, edited: Path, **changes: dict[str, Any] | None) -> Path:
    """The lines of refused rows with changes, by the event's id; None leaves a line out."""
    lines = [json.loads(text) for text in handed_out.read_text(encoding="utf-8").splitlines()]
    kept = [{**said, **change} for said in lines if (change := changes[said["id"]]) is not None]
    edited.write_text("".join(f"{json.dumps(said)}\n" for said in kept), encoding="utf-8")
    return edited


def test_rows_that_were_repaired_by_hand_are_taken_in_once_and_marked(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line(1), line(2, ts="soon"), line(3, ts="soon"), line(4, ts="never"), line(5, ts="soon", email="none")]
    write_csv(tmp_path / "in/1.csv", lines)
    columns = {"identifiers": {"user_id": "uid", "email": "email"}}
    shop = settings(tmp_path / "warehouse", source(tmp_path / "in", columns=columns))
    assert ingest_once(spark, shop).figures["quarantined"] == 4
    (batch,) = {row[0] for row in rows(spark, shop, "events_quarantine", "batch_id")}
    assert write_refused(Warehouse(spark, shop.warehouse), batch, tmp_path / "refused.json") == 4
    assert (tmp_path / "refused.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="cannot be written"):
        write_refused(Warehouse(spark, shop.warehouse), batch, tmp_path / "in/1.csv/refused.json")
    with pytest.raises(ConfigError, match="There is a file"):
        write_refused(Warehouse(spark, shop.warehouse), batch, tmp_path / "refused.json")
    good = {"ts": "2026-03-04 10:00:00"}
    nobody = {**good, "uid": "", "email": None}
    edited = _edit(tmp_path / "refused.json", tmp_path / "edited.json", e2=good, e3=nobody, e4=None, e5=good)

    def tables() -> dict[str, list[Any]]:
        refused = ("batch_id", "reasons", "raw", "repaired_by")
        ledger = ("batch_seq", "status", "rows_read", "accepted", "quarantined", "duplicates", "repairs")
        columns = {"events": (), "vault": (), "events_quarantine": refused, "ingest_batches": ledger}
        return {name: rows(spark, shop, name, *asked) for name, asked in columns.items()}

    with monkeypatch.context() as patch:
        _kill_at(patch, 4, after=True)  # the rows are written and the marks are not
        with pytest.raises(Killed):
            ingest_once(spark, shop, replay=batch, repaired=str(edited))
    assert ingest_once(spark, shop).rows_in == 3, "what was begun is finished"
    assert rows(spark, shop, "ingest_batches", "batch_seq", "rows_read", "accepted", "quarantined", "repairs") == [
        (1, 5, 1, 4, None),
        (2, 3, 2, 1, batch),
    ]
    (by,) = {row[0] for row in rows(spark, shop, "events_quarantine", "repaired_by") if row[0]}
    refused = rows(spark, shop, "events_quarantine", "batch_id", "reasons", "raw", "repaired_by")
    assert {(row[0], json.loads(row[2])["id"], *row[1], row[3]) for row in refused} == {
        (batch, "e2", "bad_event_ts", by),
        (batch, "e3", "bad_event_ts", by),
        (batch, "e4", "bad_event_ts", None),
        (batch, "e5", "bad_event_ts", by),
        (by, "e3", "no_identifier", None),
    }
    token = token_of(KEY.encode(), "email", "person2@example.com")
    assert rows(spark, shop, "events", "event_id", "identifiers", "batch_id")[1:] == [
        ("e2", {"user_id": "u2", "email": token}, by),
        ("e5", {"user_id": "u5"}, by),
    ]
    assert [row[0] for row in rows(spark, shop, "vault", "value")] == ["person1@example.com"]

    # The same rows once more under another name, and the batch again by the rules of now, add nothing.
    before = tables()
    edited.rename(tmp_path / "renamed.json")
    again = ingest_once(spark, shop, replay=batch, repaired=str(tmp_path / "renamed.json"))
    assert (again.rows_in, again.message) == (0, "no row that waits to be repaired")
    ingest_once(spark, shop, replay=batch)
    assert tables() == before

    assert write_refused(Warehouse(spark, shop.warehouse), batch, tmp_path / "rest.json") == 1
    config, second = tmp_path / "shop.yml", tmp_path / "second.json"
    config.write_text(json.dumps(shop.model_dump(mode="json", exclude_unset=True)), encoding="utf-8")
    called = ["replay", "--config", str(config), "--batch", by]
    assert run_command([*called, "--refused", str(second)]) == 0
    bob = _edit(second, tmp_path / "bob.json", e3={"uid": "bob"})
    assert run_command([*called, "--rows", str(bob)]) == 0
    assert rows(spark, shop, "events", "event_id", "identifiers", "batch_seq")[2] == ("e3", {"user_id": "bob"}, 3)
    before = tables()
    for change, said in (({"ts_": "x"}, "column 'ts_', which the batch did not"), ({ROW: "x"}, "1 of 1 repaired rows")):
        wrong = _edit(tmp_path / "rest.json", tmp_path / "wrong.json", e4=change)
        with pytest.raises(InputError, match=said):
            ingest_once(spark, shop, replay=batch, repaired=str(wrong))
    assert tables() == before


def test_changes_of_columns_are_accepted_without_a_word_where_that_is_said(spark: SparkSession, tmp_path: Path) -> None:
    shop = settings(tmp_path / "warehouse", source(tmp_path / "in", schema_changes="accept"))
    write_csv(tmp_path / "in/1.csv", [line(1)])
    ingest_once(spark, shop)
    write_csv(tmp_path / "in/2.csv", [f"{line(2)},x"], header=f"{HEADER},coupon")
    outcome = ingest_once(spark, shop)
    assert (outcome.rows_out, outcome.message) == (1, "")
    assert rows(spark, shop, "ingest_batches", "batch_seq", "schema_changes") == [(1, []), (2, [])]
    # From here on they are told, and so are values of another kind, which a column of text has as well as any.
    told = settings(tmp_path / "warehouse", source(tmp_path / "in"))
    write_csv(tmp_path / "in/3.csv", [line(3), line(4)], header=HEADER)
    assert ingest_once(spark, told).message == "shop: 'coupon' is gone"
    write_csv(tmp_path / "in/4.csv", [line(5, price="2 EUR"), line(6, price="3 EUR")])
    outcome = ingest_once(spark, told)
    assert (outcome.figures["quarantined"], outcome.figures["warnings"]) == (2, 1)
    assert outcome.message == "bad_amount 2; shop: 'price' is text and was number"


def test_an_id_that_comes_again_days_later_is_the_same_event_up_to_duplicate_days(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = settings(tmp_path / "warehouse", source(tmp_path / "in", duplicate_days=2))
    write_csv(tmp_path / "in/1.csv", [line(1), line(2)])
    ingest_once(spark, shop)
    write_csv(tmp_path / "in/2.csv", [line(1, ts="2026-03-03 23:00:00")])
    assert ingest_once(spark, shop).figures["duplicates"] == 1
    write_csv(tmp_path / "in/3.csv", [line(2, ts="2026-03-04 00:00:00")])
    assert ingest_once(spark, shop).figures["duplicates"] == 0
    assert rows(spark, shop, "events", "event_id", "batch_seq") == [("e1", 1), ("e2", 1), ("e2", 3)]


def test_copies_a_moment_apart_are_one_event_and_unusual_days_are_told(spark: SparkSession, tmp_path: Path) -> None:
    days = [f"2026-03-{day:02d}" for day in (1, 8, 15, 22, 29)]
    lines = [line(n + 100 * k, ts=f"{day} 10:00:00") for k, day in enumerate(days) for n in range(5)]
    copies = [line(900 + n, uid="u1", email="person1@example.com", ts=f"2026-03-01 10:00:0{n}") for n in (1, 3, 9)]
    write_csv(tmp_path / "in/1.csv", [*lines, *copies])
    watched = {"near_duplicate_seconds": 2, "volume": {"weeks": 4, "deviations": 3}}
    shop = settings(tmp_path / "warehouse", source(tmp_path / "in", **watched))
    assert ingest_once(spark, shop).figures == {"quarantined": 0, "duplicates": 2}
    assert {("e1",), ("e909",)} <= set(rows(spark, shop, "events", "event_id"))
    # The day before this one has no event of before to be compared with.
    write_csv(tmp_path / "in/2.csv", [line(n, ts="2026-03-29 11:00:00") for n in range(2000, 2010)])
    strict = {**watched, "volume": {"weeks": 4, "deviations": 3, "policy": "refuse"}}
    with pytest.raises(InputError, match=r"purchase on 2026-03-29: 15, usually 5 \(spike\)"):
        ingest_once(spark, settings(tmp_path / "warehouse", source(tmp_path / "in", **strict)))
    assert ingest_once(spark, shop).message == "shop: purchase on 2026-03-29: 15, usually 5 (spike)"


def test_what_several_sources_bring_at_once_is_what_they_bring_one_after_the_other(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Copies in both, one person's e-mail in both, a yes in one and a no in the other, and a program in both."""
    busy = [
        line(100 + n, uid="u9", email="p9@example.com", event="view", ts=f"2026-03-02 10:00:{n:02d}") for n in range(20)
    ]
    write_csv(tmp_path / "first/1.csv", [line(1), line(2, event="joined"), line(3, uid=""), *busy[:12]])
    write_csv(tmp_path / "second/1.csv", [line(1), line(2, event="left", ts="2026-03-05 10:00:00"), line(4), *busy[8:]])
    rule = {"purpose": "marketing", "grants": {"event": "joined"}, "withdraws": {"event": "left"}}
    common = {"consent": [rule], "traffic": {"bots": {"rates": {"per_minute": 15}}}}
    columns = {"identifiers": {"user_id": "uid", "email": "email"}}
    sources = [source(tmp_path / name, name=name, columns=columns) for name in ("first", "second")]

    at_once = settings(tmp_path / "at_once", *sources, **common)
    figures = ingest_once(spark, at_once).figures
    assert (figures["duplicates"], figures["bots"]) == (6, 20)
    apart = settings(tmp_path / "apart", *sources, **common)
    ingest_once(spark, settings(tmp_path / "apart", sources[0], **common))
    ingest_once(spark, apart)
    for name in (*TABLES, "consent"):
        assert rows(spark, at_once, name) == rows(spark, apart, name), name


def test_statements_of_consent_are_kept_but_none_from_the_future(spark: SparkSession, tmp_path: Path) -> None:
    lines = [line(1), line(2, event="left"), line(3, event="joined"), line(4, event="joined", ts="2026-04-01 00:00:01")]
    write_csv(tmp_path / "in/1.csv", lines)
    rule = {"purpose": "marketing", "grants": {"event": "joined"}, "withdraws": {"event": "left"}}
    configured = settings(tmp_path / "warehouse", source(tmp_path / "in"), consent=[rule])
    outcome = ingest_once(spark, configured)
    assert outcome.figures["consent_from_the_future"] == 1
    assert rows(spark, configured, "consent", "identifier_value", "purpose", "granted", "event_id") == [
        ("u2", "marketing", False, "e2"),
        ("u3", "marketing", True, "e3"),
    ]
    assert rows(spark, configured, "ingest_batches", "accepted", "reasons") == [(4, {"consent_from_the_future": 1})]


def test_a_batch_that_is_refused_after_all_has_granted_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(tmp_path / "in/1.csv", [line(1, event="joined"), line(2, event="joined")])
    rule = {"purpose": "marketing", "grants": {"event": "joined"}}
    configured = settings(tmp_path / "warehouse", source(tmp_path / "in"), consent=[rule])
    write = Warehouse.append

    def lose_one(self: Warehouse, name: str, df: DataFrame) -> Written:
        return write(self, name, df.limit(1) if name == "events" else df)

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "append", lose_one)
        with pytest.raises(InputError, match="its files changed while they were read"):
            ingest_once(spark, configured)
    assert not Warehouse(spark, configured.warehouse).exists("consent")
    ingest_once(spark, configured)
    assert rows(spark, configured, "consent", "identifier_value", "granted") == [("u1", True), ("u2", True)]


def test_no_personal_value_is_in_any_byte_of_the_warehouse_but_in_the_vault(
    spark: SparkSession, tmp_path: Path
) -> None:
    configured = _shop(tmp_path)
    ingest_once(spark, configured)
    warehouse = Path(configured.warehouse)
    written = [path for path in warehouse.rglob("*") if path.is_file()]
    assert {path.relative_to(warehouse).parts[0] for path in written} >= set(TABLES)
    found = {
        str(path.relative_to(warehouse).parent)
        for path in written
        for secret in ("person1@", "person2@", "PERSON2@", "person3@", KEY)
        if secret.encode() in path.read_bytes()
    }
    # The vault's data files are compressed, so they are read; nothing else may come near a value even when it is.
    assert found <= {"vault"}
    for name in ("events", "events_quarantine", "ingest_batches"):
        df = Warehouse(spark, configured.warehouse).read(name)
        assert not [row for row in df.select(F.to_json(F.struct("*"))).collect() if "@example" in row[0].lower()], name


def test_a_repair_that_was_killed_is_finished_before_the_rest_and_blocks_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = settings(tmp_path / "warehouse", source(tmp_path / "in"))
    warehouse, good = Warehouse(spark, shop.warehouse), {"ts": "2026-03-04 10:00:00"}

    def late(number: int) -> str:
        return line(number, ts="soon", email="")

    def begin(delivery: str, *lines: str, **changes: dict[str, Any]) -> tuple[str, Path]:
        write_csv(tmp_path / f"in/{delivery}.csv", lines)
        ingest_once(spark, shop)
        waiting = rows(spark, shop, "events_quarantine", "batch_id", "repaired_by")
        (batch,) = {row[0] for row in waiting if row[1] is None}
        write_refused(warehouse, batch, tmp_path / f"{delivery}.json")
        edited = _edit(tmp_path / f"{delivery}.json", tmp_path / f"{delivery}-edited.json", **changes)
        with monkeypatch.context() as patch:
            _kill_at(patch, 2, after=True)  # the events are written and the marks are not
            with pytest.raises(Killed):
                ingest_once(spark, shop, replay=batch, repaired=str(edited))
        return batch, edited

    batch, edited = begin("1", line(1), late(2), late(3), e2=good, e3=good)
    copy = tmp_path / "copy.json"
    copy.write_bytes(edited.read_bytes())
    assert ingest_once(spark, shop, replay=batch, repaired=str(copy)).rows_out == 2
    (by,) = {row[0] for row in rows(spark, shop, "events", "batch_id")} - {batch}
    assert rows(spark, shop, "events_quarantine", "repaired_by") == [(by,), (by,)]
    assert rows(spark, shop, "events", "event_id", "batch_seq") == [("e1", 1), ("e2", 2), ("e3", 2)]

    # By other rules, and with other ids, the rows as they came are no events beside those that they were repaired to.
    mild = {"event_id": "concat(id, '-')", "event_ts": "coalesce(try_to_timestamp(ts), timestamp '2026-03-05')"}
    again = ingest_once(spark, settings(tmp_path / "warehouse", source(tmp_path / "in", columns=mild)), replay=batch)
    assert (again.rows_out, again.message) == (1, "repaired 2")
    assert [row[0] for row in rows(spark, shop, "events", "event_id")] == ["e1-", "e2", "e3"]
    assert rows(spark, shop, "events_quarantine", "repaired_by") == [(by,), (by,)]

    # Of another one the only row leaves the quarantine meanwhile, as when its person is erased.
    batch, _ = begin("2", line(4), late(5), e5=good)
    warehouse.replace_slice("events_quarantine", warehouse.read("events_quarantine").limit(0), batch_id=batch)
    ingest_once(spark, shop)
    assert {row[0] for row in rows(spark, shop, "ingest_batches", "status")} == {"done"}
    assert [row[0] for row in rows(spark, shop, "events", "event_id")] == ["e1-", "e2", "e3", "e4"]
    assert ingest_once(spark, shop).message == "no new files"


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def _kill_at(monkeypatch: pytest.MonkeyPatch, number: int, after: bool) -> None:
    """Makes the warehouse die before, or just after, its write of that number."""
    done, original = [0], Warehouse._write

    def dying(self: Warehouse, name: str, df: DataFrame, *arguments: Any, **keywords: Any) -> Written:
        done[0] += 1
        if done[0] == number and not after:
            raise Killed
        written = original(self, name, df, *arguments, **keywords)
        if done[0] == number:
            raise Killed
        return written

    monkeypatch.setattr(Warehouse, "_write", dying)


def test_killed_at_any_write_and_started_again_the_tables_are_the_same(spark: SparkSession, tmp_path: Path) -> None:
    expected_settings = _shop(tmp_path / "whole")
    ingest_once(spark, expected_settings)
    expected = _comparable(spark, expected_settings)

    # Two sources are written together, and one after the other when they are begun again.
    configured = _shop(tmp_path / "killed")
    kills = 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            # Each run dies one write later than the one before; runs die by turns before a commit and after it.
            _kill_at(patch, number=1 + kills, after=kills % 2 == 1)
            try:
                ingest_once(spark, configured)
                break
            except Killed:
                kills += 1
    assert kills >= 4
    assert _comparable(spark, configured) == expected
    assert ingest_once(spark, configured).message == "no new files"


def _comparable(spark: SparkSession, configured: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """The tables without what depends on where the files lie."""
    return {
        "events": rows(spark, configured, "events", "event_id", "event_ts", "identifiers", "amount", "batch_seq"),
        "events_quarantine": rows(spark, configured, "events_quarantine", "source", "reasons", "raw"),
        "vault": rows(spark, configured, "vault", "token", "value"),
        "ingest_batches": rows(spark, configured, "ingest_batches", "batch_seq", "source", "status", "accepted"),
    }


@pytest.mark.parametrize("number", [2, 4], ids=["refused rows are written", "events are written"])
def test_a_batch_that_was_begun_is_finished_with_its_own_files(
    spark: SparkSession, tmp_path: Path, number: int
) -> None:
    configured = _shop(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        _kill_at(patch, number, after=True)
        with pytest.raises(Killed):
            ingest_once(spark, configured)
    late = write_csv(tmp_path / "in/shop/2.csv", [line(9)])
    first = tmp_path / "in/shop/1.csv"
    first.rename(tmp_path / "away")
    with pytest.raises(InputError, match=r"to be taken in again, and its file '.*1\.csv' is gone"):
        ingest_once(spark, configured)
    (tmp_path / "away").rename(first)
    ingest_once(spark, configured)
    batches = rows(spark, configured, "ingest_batches", "batch_seq", "source", "accepted", "files")
    assert [(*row[:3], len(row[3])) for row in batches] == [(1, "shop", 2, 1), (2, "web", 3, 1), (3, "shop", 1, 1)]
    assert batches[2][3][0].endswith(late.name)
