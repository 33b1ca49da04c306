"""The rows of `export_log`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.activation.changes import Difference
from segmentation.activation.delivery import Shipment
from segmentation.contracts.activation import EXPORT_LOG
from segmentation.privacy.audit import Act

DELIVERED, FAILED = "delivered", "failed"


@dataclass(frozen=True)
class LastDelivery:
    """What a destination holds: the delivery's number, the version, the file's hash, and what segments are called.

    `people`: how many it has; `everyone`: the delivery whose rows of `export_members` have all of its people, and
    `changes`: how many rows have been added to these since.
    """

    delivery: int
    segment_version: int
    sha256: str | None
    fingerprint: str
    labels: Mapping[str, str] | None
    people: int
    everyone: int
    changes: int


@dataclass(frozen=True)
class Standing:
    """Where a destination stands: the number of its newest log row, and its last delivery that went well."""

    number: int = 0
    last: LastDelivery | None = None


def read_standings(log: DataFrame) -> dict[str, Standing]:
    """Destination -> where it stands: one row each comes to the driver."""
    held = F.struct(
        *("delivery", "segment_version", "sha256", "fingerprint", "labels"),
        (F.col("added") + F.col("unchanged") + F.col("changed")).alias("people"),
        F.coalesce("builds_on", "delivery").alias("everyone"),
        F.coalesce("changes_since", F.lit(0)).alias("changes"),
    )
    delivered = F.col("status") == DELIVERED
    rows = (
        log.groupBy("destination")
        .agg(
            F.max("delivery").alias("number"),
            F.max_by(F.when(delivered, held), F.when(delivered, F.col("delivery"))).alias("last"),
        )
        .collect()
    )
    return {
        row["destination"]: Standing(row["number"], LastDelivery(**row["last"].asDict()) if row["last"] else None)
        for row in rows
    }


def log_row(
    spark: SparkSession,
    shipment: Shipment,
    difference: Difference,
    run_id: str,
    now: datetime,
    outcome: Mapping[str, Any],
) -> DataFrame:
    """The row for one delivery; `outcome` has `status`, and `path`, `sha256`, `sent`, `confirmed` and
    what `export_members` has of it (`builds_on`, `changes_since`), or `reason`."""
    row = {
        "destination": shipment.export.name,
        "segment_version": shipment.segment_version,
        "added": difference.added,
        "removed": difference.removed,
        "unchanged": difference.unchanged,
        "changed": difference.changed,
        "run_id": run_id,
        "delivered_ts": now,
        "delivery": shipment.number,
        "segments": shipment.segment_ids,
        "fingerprint": shipment.fingerprint,
        "labels": dict(shipment.labels),
        **outcome,
    }
    return spark.createDataFrame([tuple(row.get(name) for name in EXPORT_LOG.column_names)], EXPORT_LOG.schema)


def list_deliveries(log: DataFrame, audit_log: DataFrame) -> list[Act]:
    """The deliveries since the newest that the audit log has: those of this run, and of one that was killed before."""
    known = audit_log.where(F.col("action") == "export").agg(F.max("acted_ts").alias("until"))
    new = log.join(F.broadcast(known), F.col("until").isNull() | (F.col("delivered_ts") >= F.col("until")))
    figures = ("segment_version", "added", "removed", "changed", "unchanged", "status", "sha256")
    acts = list[Act]()
    for row in new.select("destination", "delivery", "delivered_ts", "confirmed", *figures).collect():
        subject, done = f"{row['destination']}, delivery {row['delivery']}", row["delivered_ts"].astimezone(UTC)
        acts.append(Act("export", subject, done, {name: str(row[name]) for name in figures if row[name] is not None}))
        if row["confirmed"]:
            acts.append(
                Act("override", subject, done, {"accepted": "max_removed_share", "removed": str(row["removed"])})
            )
    return acts
