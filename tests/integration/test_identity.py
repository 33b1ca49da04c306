"""The identity stage on a warehouse: what its tables say, and that it says the same however it got there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, minimal_settings

from segmentation.contracts.errors import InputError
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import identity

TABLES = ("identity_edges", "identity_map", "identity_history", "persons")
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


HOUSEHOLD = [
    (1, {"user_id": "anna", "cookie": "tablet"}),
    (1, {"user_id": "anna", "cookie": "tablet"}),
    (1, {"user_id": "ben", "cookie": "tablet"}),
    (1, {"user_id": "ben", "email": "family"}),
    (1, {"user_id": "anna", "email": "family"}),
    (1, {"user_id": "ben", "email": "family"}),
    (1, {"cookie": "alone"}),
]


def test_people_who_share_a_tablet_and_an_address_stay_two(spark: SparkSession, warehouse_path: Path) -> None:
    figures = resolve(spark, warehouse_path, events(spark, HOUSEHOLD))
    warehouse = Warehouse(spark, str(warehouse_path))
    owner = {r.identifier_value: r.person_id for r in warehouse.read("identity_map").collect()}
    assert owner["tablet"] == owner["anna"] != owner["ben"] == owner["family"] != owner["alone"]
    cut = {
        (r.left_value, r.right_value): r.reason
        for r in warehouse.read("identity_edges").where("status = 'cut'").collect()
    }
    assert cut == {
        ("tablet", "ben"): "would give a person 2 user_id (at most 1)",
        ("family", "anna"): "would give a person 2 user_id (at most 1)",
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
