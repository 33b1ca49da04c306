"""Whom each destination has: `export_members`, to which a delivery adds only what it changed.

Now and then one has everyone again, so that who reads it never has much more to read than there are people.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.changes import HASHES, is_forgotten
from segmentation.activation.log import LastDelivery
from segmentation.config.exports import PERSON_ID
from segmentation.contracts.table import check_columns

MOST_CHANGES = 0.25
"""Rows of changes, as a share of the people, above which a delivery writes everyone."""


def read_held(rows: DataFrame, destination: str, last: LastDelivery) -> DataFrame:
    """Rows of `export_members` -> whom a destination has since its last delivery: `person_id`, `told`, `found_by`."""
    check_columns(rows, ("destination", "delivery", PERSON_ID, *HASHES, "gone"), "the table 'export_members'")
    own = rows.where((F.col("destination") == destination) & (F.col("delivery") <= last.delivery))
    everyone = own.where(F.col("delivery") == last.everyone).select(PERSON_ID, *HASHES)
    if last.everyone == last.delivery:
        return everyone
    later = own.where(F.col("delivery") > last.everyone)
    newest = later.groupBy(PERSON_ID).agg(F.max_by(F.struct(*HASHES, "gone"), "delivery").alias("newest"))
    return _put_over(everyone, newest.select(PERSON_ID, "newest.*"))


def who_has_forgotten(rows: DataFrame) -> set[str]:
    """Rows of `export_members` -> destinations that were told of somebody who was erased, taken out there or not yet:
    an erasure deleted all files that were for them."""
    return {row["destination"] for row in rows.where(is_forgotten()).select("destination").distinct().collect()}


def list_changed(changes: DataFrame) -> DataFrame:
    """What changed at a destination, as of `compare_members` -> rows of `export_members` but for whose they are:
    `person_id`, `told`, `found_by`, `gone`."""
    gone = F.col("kind") == "removed"
    told, found_by = (F.when(gone, F.col(f"was_{name}")).otherwise(F.col(name)).alias(name) for name in HASHES)
    return changes.select(PERSON_ID, told, found_by, gone.alias("gone"))


def list_everyone(held: DataFrame | None, changed: DataFrame) -> DataFrame:
    """Whom a destination had (None: nobody yet) and what changed, as of `list_changed` -> the same of all whom it has
    now."""
    everyone = changed.where("NOT gone") if held is None else _put_over(held, changed)
    return everyone.select(PERSON_ID, *HASHES, F.lit(False).alias("gone"))


def _put_over(held: DataFrame, changed: DataFrame) -> DataFrame:
    staying = held.join(changed.select(PERSON_ID), PERSON_ID, "left_anti")
    return staying.unionByName(changed.where("NOT gone").select(PERSON_ID, *HASHES))
