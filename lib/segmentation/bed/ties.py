"""Which identifiers of one person the events tie together: no stitching by exact identifiers can find more."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.bed.rows import IDENTIFIERS
from segmentation.bed.truth import tell_identity
from segmentation.contracts.table import check_columns


def tie_identifiers(sightings: DataFrame) -> DataFrame:
    """One row an identifier: `identifier_type`, `identifier_value`, `owner` (null: nobody's), `kind`, `component`.

    In: `truth.tell_sightings`, with identifiers as the warehouse names them. Identifiers of one owner have the same
    `component` where a chain of that owner's own rows ties them together.
    """
    check_columns(sightings, {"person", "rows", "last", "device_kind", *IDENTIFIERS}, "the sightings")
    identity = (
        tell_identity(sightings)
        .withColumnRenamed("person", "owner")
        .select("identifier_type", "identifier_value", "owner", "kind")
    )
    each = F.array(
        *(F.struct(F.lit(n).alias("identifier_type"), F.col(n).alias("identifier_value")) for n in IDENTIFIERS)
    )
    seen = (
        sightings.select("person", F.xxhash64("person", *IDENTIFIERS).alias("sighting"), F.inline(each))
        .where("identifier_value is not null")
        .join(identity.where("owner is not null"), ["identifier_type", "identifier_value"])
        .where(F.col("person") == F.col("owner"))
    )
    together = seen.groupBy("owner", "sighting").agg(F.collect_set(_node()).alias("nodes"))
    chains = (
        together.groupBy("owner")
        .agg(F.collect_list("nodes").alias("sets"))
        .select("owner", F.explode(_merge_overlapping(F.col("sets"))).alias("nodes"))
        .select("owner", F.explode("nodes").alias("node"), F.array_min("nodes").alias("component"))
    )
    return (
        identity.withColumn("node", _node())
        .join(chains, ["owner", "node"], "left")
        .select(
            "identifier_type", "identifier_value", F.col("owner").cast("string").alias("owner"), "kind", "component"
        )
    )


def _node() -> Column:
    return F.concat_ws(":", "identifier_type", "identifier_value")


def _merge_overlapping(sets: Column) -> Column:
    """Sets that share an element, directly or through others, become one; a person has few, so a fold will do."""

    def absorb(merged: Column, found: Column) -> Column:
        touching = F.filter(merged, lambda part: F.arrays_overlap(part, found))
        apart = F.filter(merged, lambda part: ~F.arrays_overlap(part, found))
        return F.concat(apart, F.array(F.array_union(F.flatten(touching), found)))

    return F.aggregate(sets, F.array().cast("array<array<string>>"), absorb)
