"""What events say about identifiers: of what is kept of it, what concerns some of them."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import SparkSession

from segmentation.contracts.identity import IDENTITY_SIGHTINGS
from segmentation.identity.observations import carrying, name_node

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_of_what_was_seen_whole_rows_are_found_once_each(spark: SparkSession) -> None:
    seen = [
        (1, {"cookie": "c", "email": "e"}, 1),
        (1, {"cookie": "c", "email": "e"}, 2),
        (2, {"cookie": "c"}, 1),
        (3, {"email": "c"}, 1),
        (4, {"cookie": "d", "user_id": "u"}, 2),
    ]
    rows = [(number, names, batch, "web", 1, AT, AT) for number, names, batch in seen]
    sightings = spark.createDataFrame(rows, IDENTITY_SIGHTINGS.schema).repartition(3)
    wanted = spark.createDataFrame([("cookie", "c"), ("email", "e"), ("cookie", "x")], "type string, value string")
    found = carrying(sightings, wanted.select(name_node("type", "value").alias("node")))
    assert found.columns == sightings.columns
    of = {(row["combination"], row["batch_seq"]): row["identifiers"] for row in found.collect()}
    assert len(of) == found.count() == 3
    assert of == {(1, 1): seen[0][1], (1, 2): seen[1][1], (2, 1): seen[2][1]}
