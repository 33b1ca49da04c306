"""The CRM of a simulated town, in which some people stand twice with nothing shared but what describes them."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_values, minimal_settings, write_table

from segmentation.bed.knobs import World
from segmentation.bed.people import draw_people
from segmentation.bed.registers import extract_crm
from segmentation.contracts.events import VAULT
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import identity

DESCRIBED = {"name": "name", "address": "street", "postcode": "postcode", "city": "city"}
IDENTITY = {
    "identifiers": {
        "user_id": {"max_per_person": 1},
        "crm_id": {},
        **{kind: {"describes": True, "personal": True} for kind in DESCRIBED},
    },
    "matching": {
        "records": ["crm_id"],
        "compare": ["name", ["address", "postcode"]],
        "blocking": [["postcode"], ["name", "city"], ["address", "city"]],
    },
}
TWINS = {"name": "Ann Twin", "address": "1 Twin Street", "postcode": "00001", "city": "Twinford"}
NAMESAKE = {"name": "Sam Double", "address": "5 Double Road", "city": "Doubleton"}
"""Of whom there are two, in two parts of a town."""


class Town(NamedTuple):
    """The tables after one run, and whose each record is."""

    owner: dict[str, int]
    links: list[Row]
    edges: list[Row]
    mapped: dict[str, Row]


@pytest.fixture(scope="module")
def town(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Town:
    world = World(people=500, crm=1.0, crm_twice=0.3)
    register = extract_crm(draw_people(spark, world, 1), world).collect()
    said = [
        {"crm_id": row.crm_id, "user_id": row.user_id, **{kind: row[column] for kind, column in DESCRIBED.items()}}
        for row in register
    ]
    said += [{"crm_id": f"twin-{user}", "user_id": user, **TWINS} for user in ("ann", "anne")]
    said += [{"crm_id": f"sam-{code}", "user_id": None, **NAMESAKE, "postcode": code} for code in ("00002", "90009")]
    rows = [{"identifiers": {kind: _token(kind, value) for kind, value in row.items() if value}} for row in said]
    root = str(tmp_path_factory.mktemp("town") / "warehouse")
    warehouse = Warehouse(spark, root)
    write_table(root, "events", event_values(rows))
    clear = {(_token(kind, row[kind]), kind, row[kind], "b") for row in said for kind in DESCRIBED if row[kind]}
    write_table(root, "vault", (dict(zip(VAULT.column_names, row, strict=True)) for row in sorted(clear)))
    settings = minimal_settings(warehouse=root, identity=IDENTITY)
    run_stages(spark, settings, [identity.STAGE], Request(), Progress("json"))
    return Town(
        owner={row.crm_id: row.person for row in register},
        links=warehouse.read("identity_links").collect(),
        edges=warehouse.read("identity_edges").where(F.col("kind") == "probabilistic").collect(),
        mapped={row.identifier_value: row for row in warehouse.read("identity_map").collect()},
    )


def _token(kind: str, value: str) -> str:
    """Not the real one: what stands for a value has only to differ from it."""
    return f"{kind}:{value[::-1]}" if kind in DESCRIBED else value


def test_people_who_stand_twice_are_one_person(town: Town) -> None:
    joined = [edge for edge in town.edges if edge.status == "active"]
    known = [edge for edge in joined if edge.left_value in town.owner]
    right = [edge for edge in known if town.owner[edge.left_value] == town.owner[edge.right_value]]
    assert len(right) / len(known) >= 0.99
    records: dict[int, list[str]] = {}
    for record, person in town.owner.items():
        records.setdefault(person, []).append(record)
    twice = [two for two in records.values() if len(two) == 2]
    found = [one for one, two in twice if town.mapped[one].person_id == town.mapped[two].person_id]
    assert len(twice) > 100
    assert len(found) / len(twice) >= 0.9


def test_what_is_compared_as_one_value_differs_where_a_part_of_it_does(town: Town) -> None:
    assert town.mapped["sam-00002"].person_id != town.mapped["sam-90009"].person_id


def test_a_likely_link_says_how_likely_it_is(town: Town) -> None:
    for edge in town.edges:
        assert (edge.status == "active") == (edge.confidence >= 0.9) or edge.reason
        assert edge.observations == 0
    weakest = min((edge for edge in town.edges if edge.status == "active"), key=lambda edge: edge.confidence)
    ends = [town.mapped[value].confidence for value in (weakest.left_value, weakest.right_value)]
    assert sorted(ends) == [pytest.approx(weakest.confidence), 1.0]
    assert {row.confidence for value, row in town.mapped.items() if value in ("ann", "anne")} == {1.0}
    assert {(link.left_value, link.right_value) for link in town.links} == {
        (edge.left_value, edge.right_value) for edge in town.edges
    }


def test_what_a_guard_forbids_no_likeness_joins(town: Town) -> None:
    assert town.mapped["twin-ann"].person_id == town.mapped["ann"].person_id != town.mapped["anne"].person_id
    (link,) = [edge for edge in town.edges if edge.left_value == "twin-ann"]
    assert link.confidence >= 0.9
    assert (link.status, link.reason) == ("cut", "would give a person 2 user_id (at most 1)")


def test_nothing_is_left_in_clear_in_the_session(spark: SparkSession, town: Town) -> None:
    assert town.links
    assert spark.sql("SHOW VIEWS LIKE '__splink__*'").collect() == []


def test_what_describes_people_ties_nobody(town: Town) -> None:
    assert {row.identifier_type for row in town.mapped.values()} == {"user_id", "crm_id"}
