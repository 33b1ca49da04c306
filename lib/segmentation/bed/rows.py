"""Rows: what happened, before it is disturbed and written in the form of its source."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

ROW: dict[str, str] = {
    "source": "string",
    "event_id": "string",
    "event_name": "string",
    "happened": "bigint",
    "person": "bigint",
    "visit": "string",
    "visitor": "string",
    "declared": "boolean",
    "device_kind": "string",
    "cookie": "string",
    "device_id": "string",
    "user_id": "string",
    "email": "string",
    "phone": "string",
    "card": "string",
    "crm_id": "string",
    "amount": "decimal(12,2)",
    "price": "decimal(12,2)",
    "quantity": "int",
    "category": "string",
    "coupon": "boolean",
    "page": "string",
    "user_agent": "string",
    "campaign": "string",
    "arm": "string",
    "purpose": "string",
    "name": "string",
    "street": "string",
    "city": "string",
    "postcode": "string",
}
"""Columns of a row. `happened` is true time in milliseconds since 1970 (UTC); `visitor` is person, bot or test;
`declared` says that a bot's user agent names it; `device_kind` is kiosk, home or recycled where a browser is not one
person's own; identifiers are as they were typed; null is absent."""

SOURCES = ("web", "app", "pos", "marketing", "crm", "consent")
"""The sources that a world writes; `marketing` has no ids of its own for its rows."""

IDENTIFIERS = ("user_id", "email", "phone", "card", "crm_id", "device_id", "cookie")
"""Columns of a row that are identifiers, strongest first."""


def complete_rows(df: DataFrame) -> DataFrame:
    """`df` with exactly the columns of a row, in order; those that it lacks are null."""
    return df.select(
        *((F.col(name) if name in df.columns else F.lit(None)).cast(kind).alias(name) for name, kind in ROW.items())
    )
