"""Rows become events, or say why not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from tests.deliveries import HEADER, line, settings, source, write_csv

from segmentation.config.settings import Settings
from segmentation.ingest.conform import PERSONAL, RAW_JSON, REASONS, WARNINGS, conform_rows
from segmentation.ingest.files import list_files
from segmentation.ingest.mapping import check_mapping
from segmentation.ingest.reading import read_rows
from segmentation.privacy.tokens import token_of

KEY = b"k" * 32
NOW = datetime(2026, 4, 1, tzinfo=UTC)


def _conform(spark: SparkSession, configured: Settings, key: bytes | None = None, is_masked: bool = False) -> list[Row]:
    one = configured.sources[0]
    rows = replace(read_rows(spark, one, list_files(spark, one)), is_masked=is_masked)
    mapping, problems = check_mapping(spark, one, "sources.0.columns", configured.identity, rows)
    assert not problems
    return conform_rows(rows, mapping, configured.identity, key, configured.traffic, NOW).df.collect()


CASES: list[tuple[str, str, list[str]]] = [
    ("a purchase", line(1), []),
    ("a return is no error", line(2, quantity="-2"), []),
    ("no amount is no error", line(3, price=""), []),
    ("no event name", line(4, event=""), ["missing_event_name"]),
    ("blank event name", line(5, event="  "), ["missing_event_name"]),
    ("no time", line(6, ts=""), ["bad_event_ts"]),
    ("a time that is none", line(7, ts="yesterday"), ["bad_event_ts"]),
    ("a price that is none", line(8, price="cheap"), ["bad_amount"]),
    ("too much for DECIMAL(18,4)", line(9, price="1e30"), ["bad_amount"]),
    ("infinite", line(10, price="Infinity"), ["bad_amount"]),
    ("nobody", line(11, uid=""), ["no_identifier"]),
    ("a placeholder is nobody", line(12, uid="null"), ["no_identifier"]),
    ("everything at once", line(13, event="", ts="x", uid="0", price="x"),
     ["missing_event_name", "bad_event_ts", "bad_amount", "no_identifier"]),
    ("a line cut short", "e14,purchase,2026", ["malformed_row"]),
    ("a line too long", line(15) + ",extra", ["malformed_row"]),
    ("an open quote", 'e16,"purchase,2026-03-01 10:00:00,u16,a@b.org,1,1', ["malformed_row"]),
    ("a clock a day fast", line(17, ts="2026-04-02 00:00:00"), []),
    ("a clock a century fast", line(18, ts="2126-03-01 10:00:00"), ["event_from_the_future"]),
    ("a clock a century slow", line(19, ts="1926-03-01 10:00:00"), ["event_too_old"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def refused(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    folder = tmp_path_factory.mktemp("cases")
    path = write_csv(folder / "a.csv", [text for _, text, _ in CASES])
    found = _conform(spark, settings(folder, source(path, oldest="2020-01-01")))
    return {(json.loads(row[RAW_JSON])["broken_row"][:3] if row[RAW_JSON] and "broken_row" in row[RAW_JSON]
                      else row["event_id"]): row for row in found}  # fmt: skip


@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES, 1)), ids=[case[0] for case in CASES])
def test_every_reason_is_given(refused: dict[str, Row], number: int, case: tuple[str, str, list[str]]) -> None:
    row = refused[f"e{number}"]
    assert row[REASONS] == case[2]
    assert (row[RAW_JSON] is None) == (not case[2])


def test_the_raw_row_is_whole(refused: dict[str, Row]) -> None:
    assert json.loads(refused["e8"][RAW_JSON]) == dict(zip(HEADER.split(","), line(8, price="cheap").replace(
        "person8@example.com", "(e-mail)").split(","), strict=True))  # fmt: skip
    assert json.loads(refused["e14"][RAW_JSON]) == {"broken_row": "e14,purchase,2026"}
    assert json.loads(refused["e11"][RAW_JSON])["uid"] is None


def test_what_stands_before_a_hidden_address_stays_whole(spark: SparkSession, tmp_path: Path) -> None:
    before = ["mail:\n", "\t", "\\", "\\\\\n", "\\n ", "a\r\n", "\x01", '"', "x <", ""]
    path = tmp_path / "a.json"
    said = [{"id": f"e{n}", "said": f"{text}ann@x.org\n"} for n, text in enumerate(before)]
    path.write_text("\n".join(map(json.dumps, said)), encoding="utf-8")
    columns = {"event_id": "id", "event_name": "'seen'", "event_ts": "'x'", "identifiers": {"user_id": "id"}}
    web = {"name": "web", "format": "json", "path": str(path), "columns": columns}
    raw = [json.loads(row[RAW_JSON]) for row in _conform(spark, settings(tmp_path, web))]
    assert {row["id"]: row["said"] for row in raw} == {f"e{n}": f"{text}(e-mail)\n" for n, text in enumerate(before)}


def test_a_time_is_shown_as_exact_as_it_is(spark: SparkSession, tmp_path: Path) -> None:
    times = spark.sql("select timestamp '2026-03-01 10:00:00.123456Z' at, timestamp_ntz '2026-03-01 10:00:00.000007' n")
    times.write.parquet(str(tmp_path / "in"))
    columns = {"event_name": "'seen'", "event_ts": "at", "identifiers": {"user_id": "null"}}
    web = {"name": "web", "format": "parquet", "path": str(tmp_path / "in"), "columns": columns}
    (row,) = _conform(spark, settings(tmp_path, web))
    assert json.loads(row[RAW_JSON]) == {"at": "2026-03-01T10:00:00.123456Z", "n": "2026-03-01T10:00:00.000007"}


def test_an_event_has_the_columns_of_the_contract(refused: dict[str, Row]) -> None:
    got = refused["e1"].asDict()
    expected: dict[str, Any] = {
        "event_id": "e1",
        "event_name": "purchase",
        "event_ts": datetime(2026, 3, 1, 10),
        "received_ts": None,
        "event_date": date(2026, 3, 1),
        "source": "shop",
        "platform": None,
        "identifiers": {"user_id": "u1"},
        "session_key": None,
        "amount": Decimal("5.0000"),
        "currency": None,
        "properties": {"quantity": "2"},
        "weight": None,
        "is_bot": False,
        "is_test": False,
        REASONS: [],
        WARNINGS: [],
        RAW_JSON: None,
        PERSONAL: None,
    }
    assert got == expected
    assert refused["e2"]["amount"] == Decimal("-5.0000")
    assert refused["e3"]["amount"] is None


def test_a_token_stands_for_its_value_in_a_repaired_row_and_what_is_hidden_is_said(
    spark: SparkSession, tmp_path: Path
) -> None:
    token = token_of(KEY, "name", "ann lee")
    lines = [line(1, email=token), line(2, email=f"Ann {token}"), line(3, quantity="(e-mail)"), line(4, email="A Lee")]
    path = write_csv(tmp_path / "a.csv", [*lines, line(5, email=f"{token} {token}")])
    names = {"identifiers": {"user_id": "uid", "name": "email"}}
    configured = settings(tmp_path, source(path, columns=names))
    identity = {"identifiers": {"user_id": {}, "name": {"describes": True}}}
    configured = Settings.model_validate({**configured.model_dump(exclude_unset=True), "identity": identity})
    found = {row["event_id"]: row for row in _conform(spark, configured, KEY, is_masked=True)}
    assert {event: row[REASONS] for event, row in found.items() if row[REASONS]} == {
        "e2": ["masked_value"],
        "e3": ["bad_amount", "masked_value"],
    }
    own = token_of(KEY, "name", found["e4"][PERSONAL][0]["value"])
    assert [found[event]["identifiers"]["name"] for event in ("e1", "e5", "e4")] == [token, token, own]
    assert [len(found[event][PERSONAL]) for event in ("e1", "e5", "e4")] == [0, 0, 1]


def test_of_a_token_nothing_is_made_but_the_identifier_that_it_stands_for(spark: SparkSession, tmp_path: Path) -> None:
    token = token_of(KEY, "email", "ann@example.com")
    path = write_csv(tmp_path / "a.csv", [line(1, email=token), line(2, email="bob@example.com"), line(3, email="")])

    rules: list[dict[str, Any]] = []

    def found(kinds: dict[str, Any], **columns: Any) -> list[Row]:
        configured = settings(tmp_path, source(path, columns=columns, rules=rules))
        identity = {"identifiers": {"user_id": {}, "email": {}, **kinds}}
        changed = Settings.model_validate({**configured.model_dump(exclude_unset=True), "identity": identity})
        return _conform(spark, changed, KEY, is_masked=True)

    emails = {"user_id": "uid", "email": "email"}
    rules.append({"column": "identifiers.email", "required": True, "pattern": ".+@example.com"})
    needed = found({}, identifiers=emails)
    assert [row[REASONS] for row in needed] == [[], [], ["email_missing"]]
    rules.clear()
    kept = found({}, identifiers=emails)
    assert [row[REASONS] for row in kept] == [[], [], []]
    assert kept[0]["identifiers"] == {"user_id": "u1", "email": token}
    hashed = found({"email_sha": {}}, identifiers={**emails, "email_sha": "sha2(lower(email), 256)"})
    domain = found({}, identifiers=emails, properties={"domain": "split_part(email, '@', 2)"})
    either = found({"phone": {}}, identifiers={**emails, "phone": "email"})
    for rows in (hashed, domain, either):
        assert [row[REASONS] for row in rows] == [["masked_value"], [], []]
    assert "phone" not in either[0]["identifiers"]


def test_where_null_is_an_answer_it_is_no_lost_amount(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1, event="view", price="x"), line(2, price="x"), line(3)])
    columns = {"amount": "case when event = 'purchase' then price end"}
    found = {
        row["event_id"]: row[REASONS] for row in _conform(spark, settings(tmp_path, source(path, columns=columns)))
    }
    assert found == {"e1": [], "e2": ["bad_amount"], "e3": []}


def test_without_a_word_on_it_events_are_not_of_before_1990(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1, ts="1989-12-31 23:59:59"), line(2, ts="1990-01-01 00:00:00")])
    found = {row["event_id"]: row[REASONS] for row in _conform(spark, settings(tmp_path, source(path)))}
    assert found == {"e1": ["event_too_old"], "e2": []}
    found = {
        row["event_id"]: row[REASONS] for row in _conform(spark, settings(tmp_path, source(path, oldest="1900-01-01")))
    }
    assert found == {"e1": [], "e2": []}


def test_a_devices_clock_is_corrected_where_it_can_be(spark: SparkSession, tmp_path: Path) -> None:
    # The columns price and quantity have the times of sending and of receipt.
    lines = [
        line(1, price="2026-03-01 10:30:00", quantity="2026-03-01 08:30:01"),
        line(2, price="", quantity="2026-03-01 08:30:01"),
        line(3, price="2026-03-01 10:30:00", quantity=""),
        line(4, price="yesterday", quantity="2026-03-01 08:30:01"),
        line(5, ts="x", price="2026-03-01 10:30:00", quantity="2026-03-01 08:30:01"),
    ]
    path = write_csv(tmp_path / "a.csv", lines)
    columns = {
        "amount": None,
        "properties": None,
        "sent_ts": "to_timestamp(price)",
        "received_ts": "to_timestamp(quantity)",
    }
    found = _conform(spark, settings(tmp_path, source(path, columns=columns, clock="device")))
    assert {row["event_id"]: row["event_ts"] for row in found} == {
        "e1": datetime(2026, 3, 1, 8, 0, 1),
        "e2": datetime(2026, 3, 1, 10),
        "e3": datetime(2026, 3, 1, 10),
        "e4": datetime(2026, 3, 1, 10),
        "e5": None,
    }
    assert found[0]["event_date"] == date(2026, 3, 1)


def test_rules_refuse_or_warn_and_only_for_their_events(spark: SparkSession, tmp_path: Path) -> None:
    rules = [
        {"column": "amount", "events": ["purchase"], "required": True, "min": 0},
        {"column": "event_name", "allowed": ["purchase", "cancellation"]},
        {
            "column": "properties.quantity",
            "name": "odd_quantity",
            "pattern": "-?[0-9]+",
            "max": 100,
            "severity": "warn",
        },
        {"column": "identifiers.cookie", "events": ["view"], "required": True},
    ]
    lines = [
        line(1),
        line(2, quantity="-1"),
        line(3, quantity="-1", event="cancellation"),
        line(4, price=""),
        line(5, event="view", price=""),
        line(6, quantity="1.5"),
        line(7, quantity="101"),
        line(8, quantity=""),
    ]
    path = write_csv(tmp_path / "a.csv", lines)
    found = _conform(spark, settings(tmp_path, source(path, rules=rules)))
    assert {row["event_id"]: (row[REASONS], row[WARNINGS]) for row in found} == {
        "e1": ([], []),
        "e2": (["amount_below_min"], []),
        "e3": ([], []),
        "e4": (["amount_missing"], []),
        "e5": (["event_name_not_allowed", "cookie_missing"], []),
        "e6": ([], ["odd_quantity"]),
        "e7": ([], ["odd_quantity"]),
        "e8": (["amount_missing"], []),
    }


def test_what_is_no_number_breaks_a_range_and_times_have_ranges_of_days(spark: SparkSession, tmp_path: Path) -> None:
    rules = [
        {"column": "properties.quantity", "min": 0, "max": 9},
        {"column": "event_ts", "min": "2026-03-01", "max": "2026-03-02"},
    ]
    lines = [
        line(1, ts="2026-03-02 23:59:59"),
        line(2, price="", quantity="two"),
        line(3, price="", quantity="NaN"),
        line(4, price="", quantity=""),
        line(5, ts="2026-02-28 23:59:59"),
        line(6, ts="2026-03-03 00:00:00"),
    ]
    path = write_csv(tmp_path / "a.csv", lines)
    found = _conform(spark, settings(tmp_path, source(path, rules=rules)))
    assert {row["event_id"]: row[REASONS] for row in found} == {
        "e1": [],
        "e2": ["quantity_below_min", "quantity_above_max"],
        "e3": ["quantity_below_min", "quantity_above_max"],
        "e4": [],
        "e5": ["event_ts_below_min"],
        "e6": ["event_ts_above_max"],
    }


def test_rules_on_personal_identifiers_see_the_value_and_nobody_else_does(spark: SparkSession, tmp_path: Path) -> None:
    rules = [
        {"column": "identifiers.email", "pattern": "[a-z]+@example\\.com", "required": True},
        {"column": "identifiers.email", "events": ["login"], "allowed": ["anna@example.com"], "name": "other_login"},
    ]
    lines = [
        line(1, email="Anna@example.com", event="login"),
        line(2, email="bob@example.org"),
        line(3, email="bob@example.com", event="login"),
        line(4, email=""),
    ]
    path = write_csv(tmp_path / "a.csv", lines)
    columns = {"identifiers": {"email": "email", "user_id": "uid"}}
    found = _conform(spark, settings(tmp_path, source(path, columns=columns, rules=rules)), KEY)
    assert {row["event_id"]: row[REASONS] for row in found} == {
        "e1": [],
        "e2": ["email_malformed"],
        "e3": ["other_login"],
        "e4": ["email_missing"],
    }
    assert not any("bob" in (row[RAW_JSON] or "") for row in found)


def test_composed_and_decomposed_are_one_and_a_look_alike_is_nobody(spark: SparkSession, tmp_path: Path) -> None:
    lines = [
        line(1, email="rene\u0301@example.com"),
        line(2, email="ren\u00e9@example.com"),
        line(3, email="ann\u0430@example.com"),
    ]
    path = write_csv(tmp_path / "a.csv", lines)
    columns = {"identifiers": {"email": "email", "user_id": "uid"}}
    found = {row["event_id"]: row for row in _conform(spark, settings(tmp_path, source(path, columns=columns)), KEY)}
    token = token_of(KEY, "email", "ren\u00e9@example.com")
    assert [found[one]["identifiers"].get("email") for one in ("e1", "e2", "e3")] == [token, token, None]
    assert [found[one][WARNINGS] for one in ("e1", "e2", "e3")] == [[], [], ["look_alike_identifier"]]


def test_rows_in_another_encoding_are_refused_until_the_source_says_which(spark: SparkSession, tmp_path: Path) -> None:
    text = "\n".join([HEADER, line(1), line(2, uid="Ren\u00e9"), line(3, email="zo\u00eb@example.com")])
    (tmp_path / "a.csv").write_bytes(text.encode("iso-8859-1"))
    found = _conform(spark, settings(tmp_path, source(tmp_path / "a.csv")))
    assert {row["event_id"]: row[REASONS] for row in found} == {
        "e1": [],
        "e2": ["bad_encoding"],
        "e3": ["bad_encoding"],
    }
    assert all(json.loads(row[RAW_JSON])["email"] == "(e-mail)" for row in found if row[REASONS])

    said = source(tmp_path / "a.csv", options={"encoding": "ISO-8859-1"})
    found = _conform(spark, settings(tmp_path, said))
    assert {row["event_id"]: row["identifiers"]["user_id"] for row in found if not row[REASONS]} == {
        "e1": "u1",
        "e2": "Ren\u00e9",
        "e3": "u3",
    }


def test_personal_values_are_tokens_everywhere_but_for_the_vault(spark: SparkSession, tmp_path: Path) -> None:
    columns = {"identifiers": {"email": "email", "user_id": "uid"}}
    lines = [
        line(1, email=" Anna@Example.com "),
        line(2, email="anna@example.com", ts="x"),
        line(3, email="anna at example", ts="x"),
        "e4,purchase,Bob Straße 5",
        line(5, email="test@test.com", event="mail bob@example.org"),
    ]
    path = write_csv(tmp_path / "a.csv", lines)
    found = {
        str(n): row for n, row in enumerate(_conform(spark, settings(tmp_path, source(path, columns=columns)), KEY), 1)
    }
    token = token_of(KEY, "email", "anna@example.com")
    assert found["1"]["identifiers"] == {"user_id": "u1", "email": token}
    assert [tuple(entry) for entry in found["1"][PERSONAL]] == [(token, "email", "anna@example.com")]
    assert json.loads(found["2"][RAW_JSON])["email"] == token
    assert json.loads(found["3"][RAW_JSON])["email"] == "(a value that is no identifier)"
    assert json.loads(found["4"][RAW_JSON]) == {"broken_row": "x9,xxxxxxxx,xxx xxxxxx 9"}
    assert (found["5"]["identifiers"], found["5"][PERSONAL]) == ({"user_id": "u5"}, [])


def test_without_an_id_the_content_is_the_id(spark: SparkSession, tmp_path: Path) -> None:
    columns = {
        "event_id": "nullif(id, '')",
        "received_ts": "to_timestamp(email)",
        "identifiers": {"user_id": "uid"},
        "properties": {"price": "price", "quantity": "quantity"},
    }
    same = {"id": "", "uid": "u", "email": "2026-03-02"}
    lines = [
        line(1, **same),
        line(1, **{**same, "email": "2026-03-05"}),
        line(1, **{**same, "price": "5", "quantity": "1"}),
        line(1, **{**same, "price": "", "quantity": "2.502"}),
        line(1, **{**same, "price": "2.502", "quantity": ""}),
        line(1, **{**same, "ts": "2026-03-01 10:00:00.000001"}),
        line(1, **{**same, "uid": "v"}),
        line(1, **{**same, "id": "own"}),
    ]
    path = write_csv(tmp_path / "a.csv", lines)
    ids = [row["event_id"] for row in _conform(spark, settings(tmp_path, source(path, columns=columns)))]
    assert ids[0] == ids[1]
    assert len(set(ids[1:])) == len(ids) - 1
    assert ids[-1] == "own"
    assert all(len(found) == 64 for found in ids[:-1])


def test_times_without_a_zone_are_of_the_source_and_dates_are_utc(spark: SparkSession, tmp_path: Path) -> None:
    lines = [
        line(1, ts="2026-03-01 00:30:00"),
        line(2, ts="2026-07-01 00:30:00"),
        line(3, ts="2026-07-01T00:30:00Z"),
        line(4, ts="2026-03-29 02:30:00"),
    ]
    path = write_csv(tmp_path / "a.csv", lines)
    found = _conform(spark, settings(tmp_path, source(path, time_zone="Europe/Berlin")))
    assert {row["event_id"]: (row["event_ts"], row["event_date"].day) for row in found} == {
        "e1": (datetime(2026, 2, 28, 23, 30), 28),
        "e2": (datetime(2026, 6, 30, 22, 30), 30),
        "e3": (datetime(2026, 7, 1, 0, 30), 1),
        "e4": (datetime(2026, 3, 29, 1, 30), 29),  # an hour that daylight saving leaves out
    }
