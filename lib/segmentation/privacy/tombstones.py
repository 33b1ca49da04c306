"""Tombstones: what keeps people who were erased from coming back, without saying who they were."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.events import strongest_type
from segmentation.privacy.tokens import hmac_sha256, with_token_key, without_token_key

OF_THE_ERASED, BLOCKED = "_of_the_erased", "_blocked"


def tombstone_column(kind: Column, value: Column) -> Column:
    """The tombstone of an identifier, by its value as the tables have it (normalised; a token where personal), in a
    frame made by `with_token_key`. It is never the token of the same value."""
    return hmac_sha256(F.encode(F.concat(F.lit("tombstone\0"), kind, F.lit("\0"), value), "UTF-8"))


def mark_erased(
    rows: DataFrame, tombstones: DataFrame, kinds: Sequence[str], key: bytes, trust: Sequence[str]
) -> DataFrame:
    """`rows` with `_of_the_erased`, whether their most trusted identifier was erased, and `_blocked`, the types of all
    that were.

    Grain in and out: one row with a map `identifiers`; the rows are not shuffled. `kinds` are the types that have
    tombstones at all, `trust` names identifier types, strongest first.
    """
    marked = with_token_key(rows, key)
    for kind in kinds:
        erased = tombstones.where(F.col("identifier_type") == kind).select(
            F.col("tombstone").alias("_tombstone"), F.lit(kind).alias(f"_erased_{kind}")
        )
        tombstone = tombstone_column(F.lit(kind), F.col("identifiers")[kind])
        marked = marked.withColumn("_tombstone", tombstone).join(F.broadcast(erased), "_tombstone", "left")
    flags = [f"_erased_{kind}" for kind in kinds]
    blocked = F.array_compact(F.array(*flags))
    leading = F.coalesce(F.array_contains(blocked, strongest_type(trust)), F.lit(False))
    flagged = marked.withColumns({BLOCKED: blocked, OF_THE_ERASED: leading})
    return without_token_key(flagged).drop("_tombstone", *flags)
