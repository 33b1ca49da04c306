"""What a platform's file says of each person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.factories import table_rows

from segmentation.activation.destinations import PLATFORMS
from segmentation.activation.records import (
    add_values,
    count_refusals,
    keep_found,
    list_refusals,
    make_records,
    needs_purposes,
)

FIELDS = {"email": "email", "phone": "phone", "mobile_ad_id": "idfa", "country": "attributes.country"}
FEEDS = FIELDS | {"external_id": "person_id"}


@pytest.fixture(scope="module")
def people(spark: SparkSession) -> DataFrame:
    """Seven people, and what is known of them."""
    owned: list[tuple[str, str, str, int]] = [
        ("p1", "email", "t-old", 1),
        ("p1", "email", "t-new", 2),
        ("p1", "email", "t-guessed", 3),
        ("p1", "idfa", "ABC", 1),
        ("p2", "phone", "t-phone", 1),
        ("p3", "email", "t-broken", 1),
        ("p4", "email", "t-broken", 2),
        ("p4", "phone", "t-phone", 1),
        ("p5", "email", "t-erased", 3),
        ("other", "email", "t-other", 1),
    ]
    clear = {"t-old": "old@example.com", "t-new": "test@example.com", "t-other": "other@example.com"}
    clear |= {"t-phone": "+16505551212", "t-broken": "a\nb@example.com", "t-guessed": "guessed@example.com"}
    owners: list[dict[str, Any]] = [
        {"person_id": who, "identifier_type": kind, "identifier_value": value}
        | {"confidence": 0.98 if value == "t-guessed" else 0.99}
        | {"since": datetime(2026, 1, since)}
        for who, kind, value, since in owned
    ]
    vault = [
        {"token": token, "value": value, "identifier_type": "?", "first_batch_id": "b"}
        for token, value in clear.items()
    ]
    persons = [
        {"person_id": who, "first_seen": datetime(2026, 1, 1), "last_seen": datetime(2026, 1, 1)}
        | {"identifier_count": 1, "attributes": {"country": where}}
        for who, where in (("p1", "DE"), ("p2", "us"), ("p3", "Atlantis"))
    ]
    rows = [(f"p{number}", "s-1", "Frequent") for number in range(1, 7)]
    return add_values(
        spark.createDataFrame(rows, "person_id string, segment_id string, segment_name string"),
        FEEDS,
        table_rows(spark, "identity_map", owners),
        table_rows(spark, "vault", vault),
        table_rows(spark, "persons", persons),
        ["email", "phone"],
        min_confidence=0.99,
    ).cache()


def test_fields_are_fed_from_the_vault_the_identifiers_and_the_attributes(people: DataFrame) -> None:
    found = {row.person_id: tuple(row)[3:] for row in people.collect()}
    assert found == {
        "p1": ("test@example.com", None, "ABC", "DE", "p1"),
        "p2": (None, "+16505551212", None, "us", "p2"),
        "p3": ("a\nb@example.com", None, None, "Atlantis", "p3"),
        "p4": ("a\nb@example.com", "+16505551212", None, None, "p4"),
        "p5": (None, None, None, None, "p5"),
        "p6": (None, None, None, None, "p6"),
    }, "the newest of each type that is sure enough; what the vault has no more is not there, and no token stands in"


def test_a_value_that_cannot_be_is_left_out_and_told(people: DataFrame) -> None:
    platform = PLATFORMS["google_customer_match"][0]
    records = make_records(people, platform, FIELDS)
    assert records.columns[:7] == ["person_id", "Email", "Phone", "First Name", "Last Name", "Country", "Zip"]
    found = {row.person_id: (row.found, row.reasons) for row in records.collect()}
    address = "email is no address of the form name@domain on one line"
    assert found == {
        "p1": (True, []),
        "p2": (True, []),
        "p3": (False, [address, "country is no code of two letters"]),
        "p4": (True, [address]),
        "p5": (False, []),
        "p6": (False, []),
    }
    assert count_refusals(list_refusals(records)) == {
        "country is no code of two letters": 1,
        address: 2,
        "record has nothing by which they could be found": 3,
    }
    assert sorted(row.person_id for row in keep_found(records).collect()) == ["p1", "p2", "p4"]


def test_files_have_the_columns_that_are_fed_or_the_whole_template(people: DataFrame) -> None:
    meta = make_records(people, PLATFORMS["meta"][0], FEEDS).drop("reasons", "found")
    assert meta.columns == ["person_id", "EXTERN_ID", "EMAIL", "PHONE", "MADID", "COUNTRY"]
    braze = make_records(people, PLATFORMS["braze"][0], ["email"])
    assert [tuple(row) for row in braze.where("person_id = 'p6'").collect()] == [
        ("p6", "p6", None, "s-1", "Frequent", [], True)
    ]
    linkedin = make_records(people, PLATFORMS["linkedin"][0], ["email"])
    assert linkedin.columns[1:-2] == [field.header for field in PLATFORMS["linkedin"][0].fields]


def test_purposes_hold_in_europe_and_wherever_nobody_knows(people: DataFrame) -> None:
    google = PLATFORMS["google_customer_match"][0]
    found = people.where(~needs_purposes(google, FIELDS)).collect()
    assert [row.person_id for row in found] == ["p2"]
    assert people.where(~needs_purposes(google, ["email"])).count() == 0
