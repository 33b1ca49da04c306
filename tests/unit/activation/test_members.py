"""Who is delivered, and what changed."""

from __future__ import annotations

from datetime import date

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from segmentation.activation.members import choose_segments, select_members
from segmentation.contracts.errors import ConfigError

NAMES = {"s-1": "High-value, lapsing", "s-2": "Occasional deal-seekers"}
SCHEMA = "person_id string, segment_id string, segment_version bigint"


def test_segments_are_chosen_by_id_or_name() -> None:
    assert choose_segments([], NAMES, "exports.0.segments") is None
    assert choose_segments(["occasional deal-seekers", "s-1", "s-2"], NAMES, "exports.0.segments") == ["s-1", "s-2"]
    with pytest.raises(ConfigError) as error:
        choose_segments(["High-value lapsing", "s-9"], NAMES, "exports.0.segments")
    assert [problem.suggestion for problem in error.value.problems] == ["High-value, lapsing", "s-2"]
    assert "exports.0.segments: no published segment has the id or name 'High-value lapsing'" in str(error.value)


def test_members_have_the_columns_of_the_file(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("p1", "s-1", 4), ("p2", "s-2", 4), ("p3", "s-1", 4)], SCHEMA)
    found = select_members(rows, ["s-1"], ["segment_version", "person_id", "as_of"], date(2026, 3, 1), {})
    expected = spark.createDataFrame(
        [("p1", 4, date(2026, 3, 1)), ("p3", 4, date(2026, 3, 1))],
        "person_id string, segment_version bigint, as_of date",
    )
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)
