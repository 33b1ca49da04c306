"""Names and addresses, which are nobody's own, leave the vault with the last who had them."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession
from tests.factories import event_values, write_table

from segmentation.runtime.warehouse import Warehouse
from segmentation.stages.erase import take_out_unsaid


def test_what_no_event_says_any_more_leaves_the_vault(spark: SparkSession, warehouse_path: Path) -> None:
    warehouse = Warehouse(spark, str(warehouse_path), "r")
    said = [{"user_id": "u1", "name": "t-ann", "city": "t-ashland"}, {"user_id": "u2", "city": "t-ashland"}]
    write_table(warehouse.root, "events", event_values({"identifiers": each} for each in said))
    kept = {"t-ann": "name", "t-bob": "name", "t-ashland": "city", "t-mail": "email"}
    vault = [
        {"token": token, "identifier_type": kind, "value": token, "first_batch_id": "b"} for token, kind in kept.items()
    ]
    write_table(warehouse.root, "vault", vault)
    assert take_out_unsaid(warehouse, ["name", "city"]) == 1
    assert {row.token for row in warehouse.read("vault").collect()} == {"t-ann", "t-ashland", "t-mail"}
    assert take_out_unsaid(warehouse, ["name", "city"]) == 0
