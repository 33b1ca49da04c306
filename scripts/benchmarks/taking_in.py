"""Taking events in: a source as a company has it, the stage with all rules on, and the same rows without them."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from scripts.benchmarks import AS_OF
from scripts.benchmarks.inputs import make_events

from segmentation.config.settings import Settings
from segmentation.runtime.stage import StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import ingest

_NOW = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) + timedelta(days=1)
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
_BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

_SOURCE = {
    "name": "web",
    "format": "parquet",
    "columns": {
        "event_id": "id",
        "event_name": "event",
        "event_ts": "to_timestamp(at)",
        "platform": "platform",
        "amount": "cast(price as decimal(18,4))",
        "currency": "'EUR'",
        "identifiers": {"user_id": "account", "email": "email", "cookie": "anon_id"},
        "properties": {"page": "url", "user_agent": "agent"},
    },
    "rules": [
        {"column": "amount", "events": ["purchase"], "required": True, "min": 0},
        {"column": "event_name", "allowed": ["purchase", "add_to_cart", "search", "view"]},
        {"column": "properties.page", "pattern": "/.*", "severity": "warn"},
    ],
    "volume": {"policy": "warn"},
}
_CONSENT = {"purpose": "marketing", "grants": {"event": "joined"}, "withdraws": {"event": "left"}}


def make_delivery(spark: SparkSession, rows: int, path: Path) -> None:
    """Files of a tag on a site: text for times and amounts, an account and an address on every fifth event."""
    make_events(spark, rows, path / "events")
    events = spark.read.parquet(str(path / "events"))
    person, place = F.col("person_id"), F.pmod(F.xxhash64("event_id"), F.lit(20))
    signed_in = place < 4
    events.select(
        F.col("event_id").alias("id"),
        F.col("event_name").alias("event"),
        F.date_format("event_ts", "yyyy-MM-dd HH:mm:ss").alias("at"),
        F.col("amount").cast("string").alias("price"),
        "platform",
        F.when(signed_in, person).alias("account"),
        F.when(signed_in, F.concat(F.substring(person, 1, 12), F.lit("@Example.com "))).alias("email"),
        F.concat(F.lit("c-"), F.md5(F.concat(person, F.lit("device")))).alias("anon_id"),
        F.concat(F.lit("/page/"), place.cast("string")).alias("url"),
        F.when(F.pmod(F.xxhash64("person_id"), F.lit(100)) == 0, _BOT).otherwise(_AGENT).alias("agent"),
    ).write.parquet(str(path / "delivery"))


def take_in(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `ingest`, with rules, tokens, duplicates, bots, volume and consent."""
    settings = Settings.model_validate(
        {
            "warehouse": str(target),
            "sources": [{**_SOURCE, "path": str(source / "delivery")}],
            "identity": {"identifiers": {"user_id": {}, "email": {}, "cookie": {}}},
            "traffic": {"bots": {"user_agent": "user_agent", "rates": {"per_minute": 60, "per_hour": 600}}},
            "consent": [_CONSENT],
        }
    )
    os.environ.setdefault("SEGMENTATION_KEY", "0" * 64)  # nobody's addresses are in it
    warehouse = Warehouse(spark, str(target), "benchmark")
    ingest.STAGE.run(StageContext(spark, settings, warehouse, {}, _NOW, lambda _: None, "benchmark"))


def write_as_they_are(spark: SparkSession, source: Path, target: Path) -> None:
    """The same rows, typed and written as Delta by Spark, and nothing looked at."""
    rows = spark.read.parquet(str(source / "delivery")).select(
        F.col("id").alias("event_id"),
        F.col("event").alias("event_name"),
        F.to_timestamp("at").alias("event_ts"),
        F.to_date(F.to_timestamp("at")).alias("event_date"),
        "platform",
        F.col("price").cast("decimal(18,4)").alias("amount"),
        F.create_map(*(part for kind in ("account", "email", "anon_id") for part in (F.lit(kind), F.col(kind)))).alias(
            "identifiers"
        ),
        F.create_map(F.lit("page"), "url", F.lit("user_agent"), "agent").alias("properties"),
    )
    rows.write.format("delta").save(str(target / "events"))


def count_events(target: Path) -> dict[str, int]:
    """Rows of the table of events."""
    return {"events": DeltaTable(target / "events").to_pyarrow_dataset().count_rows()}
