"""Records without a shared identifier: what is compared, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession
from tests.factories import event_rows

from segmentation.config.identity import IdentitySettings, MatchingSettings
from segmentation.contracts.errors import InputError
from segmentation.identity.matching import check_blocks, find_initials, list_records, match_records, reveal_values
from segmentation.identity.observations import name_node

KINDS = ["name", "address", "postcode", "city"]
MATCHING = {
    "records": ["crm_id"],
    "compare": ["name", "address"],
    "blocking": [["postcode"], ["name", "city"], ["address", "city"]],
}
DESCRIBES = {kind: {"describes": True, "personal": True} for kind in KINDS}


def settings(**matching: Any) -> IdentitySettings:
    identifiers = {"user_id": {"max_per_person": 1}, "crm_id": {}, **DESCRIBES}
    return IdentitySettings.model_validate({"identifiers": identifiers, "matching": {**MATCHING, **matching}})


def wanted(**matching: Any) -> MatchingSettings:
    found = settings(**matching).matching
    assert found is not None
    return found


def test_a_record_is_what_was_said_of_it_last(spark: SparkSession) -> None:
    said = [(1, {"name": "Old, Name"}), (3, {"name": "Zoë  O'Brien"}), (2, {"city": "Ashland", "name": ""})]
    rows = [{"event_ts": datetime(2026, 3, day), "identifiers": {"crm_id": "c", **words}} for day, words in said]
    events = event_rows(spark, [*rows, {"identifiers": {"user_id": "u", "name": "no record"}}])
    found = list_records(events, wanted())
    vault = spark.createDataFrame([(v, v) for v in ("Zoë  O'Brien", "Ashland")], "token string, value string")
    (row,) = reveal_values(found, vault, settings()).collect()
    assert (row.type, row.value, row["name"], row.city, row.postcode) == (
        "crm_id",
        "c",
        "BBrien OO ZZoe",
        "AAshland",
        None,
    )


def test_the_initials_of_a_record_are_those_of_the_name_that_came_with_it(spark: SparkSession) -> None:
    said = {
        "twice": [(2, 1, "Bob Other"), (1, 3, "Smith, Zoë"), (1, 2, "Old Name"), (1, 4, "")],
        "unnamed at first": [(1, 1, ""), (2, 1, "Ann Smith")],
        "of three words": [(1, 1, "Ann Mary Smith")],
    }
    rows = [
        {"batch_seq": seq, "event_ts": datetime(2026, 3, day), "identifiers": {"crm_id": record, "name": name}}
        for record, names in said.items()
        for seq, day, name in names
    ]
    types = {"crm_id": {"told_apart_by": "name"}, **DESCRIBES}
    told_apart = IdentitySettings.model_validate({"identifiers": types})
    clear = {name for names in said.values() for _, _, name in names if name}
    vault = spark.createDataFrame([(name, name) for name in clear], "token string, value string")
    names = dict(_nodes(spark, said))
    found = {row.node: row.initials for row in find_initials(event_rows(spark, rows), vault, told_apart).collect()}
    assert found == {names["twice"]: "SZ"}


def _nodes(spark: SparkSession, records: Iterable[str]) -> list[tuple[str, int]]:
    frame = spark.createDataFrame([("crm_id", record) for record in records], "type string, value string")
    return [(row.value, row.node) for row in frame.withColumn("node", name_node("type", "value")).collect()]


def test_a_blocking_rule_that_makes_a_large_block_is_refused(spark: SparkSession) -> None:
    rows = [(f"n{i}", None if i % 3 else "a", "12345" if i < 60 else None, "x") for i in range(90)]
    records = spark.createDataFrame(rows, "name string, address string, postcode string, city string")
    check_blocks(records, wanted(max_block=60))
    with pytest.raises(InputError) as raised:
        check_blocks(records, wanted(max_block=59))
    assert "identity.matching.blocking.0 (postcode) makes a block of 60 records, which are 1,770 pairs" in str(
        raised.value
    )
    assert "12345" not in str(raised.value)


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_too_few_records_to_learn_from_are_not_matched(spark: SparkSession, count: int) -> None:
    rows = [(f"n{i}", "crm_id", f"c{i}", f"name {i}", f"street {i}", f"{i}", f"town {i}") for i in range(count)]
    columns = "node string, type string, value string, name string, address string, postcode string, city string"
    assert match_records(spark.createDataFrame(rows, columns), wanted()) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"blocking": [["name"], ["name", "city"]]}, "every blocking rule names 'name'"),
        ({"blocking": [["postcode"], ["crm_id"]]}, "matching.blocking takes identifier types with `describes: true`"),
        ({"records": ["name"]}, "matching.records takes identifier types without `describes: true`, not 'name'"),
        (
            {"compare": ["city", ["name", "address"]], "blocking": [["address", "name"], ["name", "address"]]},
            "'name, addr",
        ),
        ({"compare": ["name", ["address", "name"]]}, "compare names 'name' twice: it would count for two"),
        ({"compare": ["name", ["address"]]}, "compare.1"),
        ({"compare": ["name", "user_id"]}, "matching.compare takes identifier types with `describes: true`"),
        ({"join_at": 0.6}, "suggest_at must not be above join_at"),
    ],
)
def test_settings_that_cannot_be_learned_from_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**change)


@pytest.mark.parametrize("names", ["user_id", "nickname"])
def test_records_are_told_apart_by_what_describes_them(names: str) -> None:
    types = {"user_id": {}, "crm_id": {"told_apart_by": names}, **DESCRIBES}
    with pytest.raises(ValidationError, match=f"crm_id.told_apart_by takes a type with .* not '{names}'"):
        IdentitySettings.model_validate({"identifiers": types})
