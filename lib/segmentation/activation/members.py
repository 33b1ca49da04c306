"""Who is delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.exports import PERSON_ID
from segmentation.contracts.table import check_columns


def current_members(members: DataFrame, audience: str) -> DataFrame:
    """Rows of `audience_members` -> `person_id` of those who are in an audience now."""
    check_columns(members, ("audience", PERSON_ID, "left_as_of"), "the table 'audience_members'")
    return members.where((F.col("audience") == audience) & F.col("left_as_of").isNull()).select(PERSON_ID)


def select_members(
    segments: DataFrame,
    segment_ids: Sequence[str] | None,
    columns: Sequence[str],
    as_of: date,
    labels: Mapping[str, str],
) -> DataFrame:
    """One row a person of one segment version -> `person_id`, then the `columns` of the file (`person_id` once).

    `segment_ids`: only these; None: all. `labels`: segment id -> what the destination calls it, where that is not its
    name.
    """
    needed = ["segment_id", *(column for column in {PERSON_ID, *columns} if column != "as_of")]
    check_columns(segments, needed, "the published segments")
    chosen = segments if segment_ids is None else segments.where(F.col("segment_id").isin(*segment_ids))
    return chosen.select(PERSON_ID, *(_column(name, as_of, labels) for name in columns if name != PERSON_ID))


def _column(name: str, as_of: date, labels: Mapping[str, str]) -> Column:
    if name == "segment_name" and labels:
        known = F.create_map(*(F.lit(text) for pair in sorted(labels.items()) for text in pair))
        return F.coalesce(F.element_at(known, F.col("segment_id")), F.col(name)).alias(name)
    return F.lit(as_of).alias(name) if name == "as_of" else F.col(name)
