"""Made sources for tests of ingestion: files, settings, and running the stage on them without a command line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from segmentation.config.settings import Settings
from segmentation.runtime.stage import Outcome, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import ingest

HEADER = "id,event,ts,uid,email,price,quantity"
COLUMNS: dict[str, Any] = {
    "event_id": "id",
    "event_name": "event",
    "event_ts": "to_timestamp(ts)",
    "amount": "price * quantity",
    "identifiers": {"user_id": "uid"},
    "properties": {"quantity": "quantity"},
}
KEY = "0123456789abcdef" * 4


def line(number: int, **changes: str) -> str:
    """One line of a CSV file under `HEADER`: a purchase, and what differs."""
    base = {
        "id": f"e{number}",
        "event": "purchase",
        "ts": "2026-03-01 10:00:00",
        "uid": f"u{number}",
        "email": f"person{number}@example.com",
        "price": "2.50",
        "quantity": "2",
    }
    return ",".join({**base, **changes}.values())


def write_csv(path: Path, lines: Iterable[str], header: str = HEADER) -> Path:
    """A CSV file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\n" for text in [header, *lines]), encoding="utf-8")
    return path


def source(path: Path, **changes: Any) -> dict[str, Any]:
    """A source `shop` of CSV files, and what differs; `columns` are put over those of the base."""
    columns = {**COLUMNS, **changes.pop("columns", {})}
    columns = {name: text for name, text in columns.items() if text is not None}
    return {"name": "shop", "format": "csv", "path": str(path), "columns": columns, **changes}


def settings(warehouse: Path, *sources: dict[str, Any], **changes: Any) -> Settings:
    """The configuration of these sources."""
    identity = {"identifiers": {"user_id": {}, "email": {}, "cookie": {}}}
    return Settings.model_validate(
        {"warehouse": str(warehouse), "sources": list(sources), "identity": identity, **changes}
    )


def ingest_once(
    spark: SparkSession, configured: Settings, now: datetime = datetime(2026, 4, 1, tzinfo=UTC), **options: Any
) -> Outcome:
    """The stage as a run would call it."""
    warehouse = Warehouse(spark, configured.warehouse, run_id="run")
    names = (*ingest.STAGE.reads, *ingest.STAGE.state)
    versions = {name: warehouse.version(name) for name in names}
    context = StageContext(
        spark=spark,
        settings=configured,
        warehouse=warehouse,
        inputs={name: version for name, version in versions.items() if version is not None},
        now=now,
        tell=lambda _: None,
        code_version="test",
        options=options,
    )
    return ingest.STAGE.run(context)


def rows(spark: SparkSession, configured: Settings, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """A table's rows, in order."""
    df = Warehouse(spark, configured.warehouse).read(table).select(*(columns or ["*"]))
    return sorted((tuple(row) for row in df.collect()), key=repr)
