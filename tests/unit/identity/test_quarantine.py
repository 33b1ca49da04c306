"""Values that too many others were seen with."""

from __future__ import annotations

from pyspark.sql import SparkSession
from tests.unit.identity.graphs import identity_settings

from segmentation.identity.quarantine import find_hubs

TYPES = ["account", "user_id", "crm_id", "loyalty_id", "email", "phone", "device_id", "cookie"]


def test_hubs_of_many_types_are_told_by_one_flat_expression(spark: SparkSession) -> None:
    settings = identity_settings(
        identifiers={name: {"max_per_person": 1} if name == "account" else {} for name in TYPES},
        max_links=3,
        max_strong_links=2,
    )
    edges = [(f"account {n}", "account", "shared cookie", "cookie") for n in range(3)]
    edges += [(f"email {n}", "email", "wide phone", "phone") for n in range(4)]
    edges += [(f"cookie {n}", "cookie", "own phone", "phone") for n in range(3)]
    names = "left_node string, left_type string, right_node string, right_type string"
    found = find_hubs(spark.createDataFrame(edges, names), settings)
    assert {row["node"]: row["hub_reason"] for row in found.collect()} == {
        "shared cookie": "seen with more than 2 values of account: nobody's identifier",
        "wide phone": "seen with more than 3 other values: nobody's identifier",
    }
    # In each other, as many as there are pairs of types, Spark would not end in making code of them.
    plan = found._jdf.queryExecution().optimizedPlan().toString()
    assert plan.count("coalesce(") <= 2
