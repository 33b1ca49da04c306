"""Rows and settings for tests: a base, and what the test wants different."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from segmentation.config.settings import Settings
from segmentation.contracts.catalogue import CATALOGUE

Mode = Literal["overwrite", "append"]


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
    """Rows of `events` with the `person_id` that identity gives them (`event_values`)."""
    schema = StructType([*CATALOGUE["events"].schema.fields, StructField("person_id", StringType())])
    return spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in event_values(rows)], schema)


def event_values(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events, each a page view of one person, and what differs.

    `event_id` is the row's number unless it is given; `event_date` follows `event_ts`; `amount` may be a number.
    """
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
    for number, row in enumerate(rows):
        event = {"event_id": f"e{number:04}", **base, **row}
        event["event_date"] = event["event_ts"].date()
        if event.get("amount") is not None:
            event["amount"] = Decimal(str(event["amount"]))
        yield event


def table_rows(spark: SparkSession, name: str, rows: Iterable[dict[str, Any]]) -> DataFrame:
    """Rows of a table of the contract; columns that a row does not name are null."""
    schema = CATALOGUE[name].schema
    return spark.createDataFrame([tuple(row.get(column) for column in schema.names) for row in rows], schema)


def identity_rows(spark: SparkSession, owners: dict[tuple[str, str], str]) -> DataFrame:
    """Rows of `identity_map` from (type, value) -> person."""
    return table_rows(spark, "identity_map", identity_values(owners))


def identity_values(owners: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Rows of `identity_map` from (type, value) -> person."""
    rest = {"confidence": 1.0, "since": datetime(2026, 1, 1)}
    return [
        {"identifier_type": kind, "identifier_value": value, "person_id": who, **rest}
        for (kind, value), who in owners.items()
    ]


def write_table(root: str, name: str, rows: Iterable[dict[str, Any]], mode: Mode = "overwrite") -> None:
    """Makes a table of the warehouse `root` have these rows and no others, or these too with the mode `append`; columns
    that a row does not name are null.

    By delta-rs: a commit of Spark's takes more than a second, and there are hundreds of tables that a test only reads.
    """
    table = CATALOGUE[name]
    schema = to_arrow_schema(table.schema, timezone="UTC")
    full = [{field.name: _arrow_value(field.type, row.get(field.name)) for field in schema} for row in rows]
    write_deltalake(
        f"{root}/{name}",
        pa.Table.from_pylist(full, schema),
        mode=mode,
        partition_by=list(table.partition_by) or None,
        configuration=table.delta_properties,
    )


def _arrow_value(kind: pa.DataType, value: Any) -> Any:
    return list(value.items()) if isinstance(value, dict) and pa.types.is_map(kind) else value
