"""Who is delivered, and what changed."""

from __future__ import annotations

from datetime import date

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from segmentation.activation.members import select_members

SCHEMA = "person_id string, segment_id string, segment_version bigint"


def test_members_have_the_columns_of_the_file(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("p1", "s-1", 4), ("p2", "s-2", 4), ("p3", "s-1", 4)], SCHEMA)
    found = select_members(rows, ["s-1"], ["segment_version", "person_id", "as_of"], date(2026, 3, 1), {})
    expected = spark.createDataFrame(
        [("p1", 4, date(2026, 3, 1)), ("p3", 4, date(2026, 3, 1))],
        "person_id string, segment_version bigint, as_of date",
    )
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)
