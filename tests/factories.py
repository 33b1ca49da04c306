"""Rows and settings for tests: a base, and what the test wants different."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from segmentation.config.settings import Settings
from segmentation.contracts.catalogue import CATALOGUE


def minimal_settings(**changes: Any) -> Settings:
    """Settings of one CSV source with a user id and a cookie; `changes` replace whole sections."""
    base: dict[str, Any] = {
        "warehouse": "warehouse",
        "sources": [
            {
                "name": "web",
                "format": "csv",
                "path": "web.csv",
                "columns": {
                    "event_name": "event",
                    "event_ts": "to_timestamp(ts)",
                    "identifiers": {"user_id": "uid", "cookie": "cookie"},
                },
            }
        ],
        "identity": {"identifiers": {"user_id": {"max_per_person": 1}, "cookie": {}}},
    }
    return Settings.model_validate({**base, **changes})


def event_rows(spark: SparkSession, rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Rows of `events` with the `person_id` that identity gives them: a page view of one person, and what differs.

    `event_id` is the row's number unless it is given; `event_date` follows `event_ts`; `amount` may be a number.
    """
    schema = StructType([*CATALOGUE["events"].schema.fields, StructField("person_id", StringType())])
    base = {
        "event_name": "page_view",
        "event_ts": datetime(2026, 3, 1, 12),
        "source": "web",
        "identifiers": {"user_id": "u"},
        "is_bot": False,
        "is_test": False,
        "batch_id": "b",
        "batch_seq": 1,
        "person_id": "p",
    }
    full = []
    for number, row in enumerate(rows):
        event = {"event_id": f"e{number:04}", **base, **row}
        event["event_date"] = event["event_ts"].date()
        if event.get("amount") is not None:
            event["amount"] = Decimal(str(event["amount"]))
        full.append(tuple(event.get(name) for name in schema.names))
    return spark.createDataFrame(full, schema)


def table_rows(spark: SparkSession, name: str, rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Rows of a table of the contract; columns that a row does not name are null."""
    schema = CATALOGUE[name].schema
    return spark.createDataFrame([tuple(row.get(column) for column in schema.names) for row in rows], schema)


def identity_rows(spark: SparkSession, owners: dict[tuple[str, str], str]) -> DataFrame:
    """Rows of `identity_map` from (type, value) -> person."""
    since = datetime(2026, 1, 1)
    return table_rows(
        spark,
        "identity_map",
        [
            {"identifier_type": kind, "identifier_value": value, "person_id": who, "confidence": 1.0, "since": since}
            for (kind, value), who in owners.items()
        ],
    )
