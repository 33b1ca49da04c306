"""Rows of `segment_profiles`, and what the report reads back from them."""

from __future__ import annotations

import json

from pyspark.sql import SparkSession

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.contracts.segments import SEGMENT_PROFILES
from segmentation.profiles.naming import SegmentName
from segmentation.profiles.rows import profile_rows
from segmentation.profiles.rules import Condition, Rule, SegmentRules
from segmentation.profiles.statistics import FeatureStatistics, SegmentStatistics


def test_a_row_holds_all_that_is_known_of_a_segment(spark: SparkSession) -> None:
    figures = FeatureStatistics(3, 2.5, 2.0, 1.5, 0.7, 1.25, 1.0)
    segments = [
        SegmentStatistics("s-1", 3, 0.75, {"visits": figures}, 300.5, 0.9),
        SegmentStatistics("s-2", 1, 0.25, {}),
    ]
    names = {"s-1": SegmentName("Frequent", "3 people.", "Occasional"), "s-2": SegmentName("Typical", "1 person.")}
    rules = {"s-1": SegmentRules((Rule((Condition("visits", ">", 2.0),), 3, 3),), 1.0, 1.0, 1.0)}
    catalogue = {"visits": FeatureInfo("visits", "Visits", "visits", "", "rhythm", "frequent", "occasional")}

    first, second = profile_rows(spark, 7, segments, names, rules, catalogue).collect()

    assert first.__fields__ == list(SEGMENT_PROFILES.column_names)
    assert (first.segment_version, first.segment_id, first.segment_name) == (7, "s-1", "Frequent")
    assert (first.size, first.share, first.revenue, first.revenue_share) == (3, 0.75, 300.5, 0.9)
    assert FeatureStatistics(**json.loads(first.statistics)["visits"]) == figures
    assert json.loads(first.rules)["any_of"][0]["text"] == "Visits more than 2 visits"
    assert (second.rules, second.revenue, second.statistics) == (None, None, "{}")
    assert (first.better_name, second.better_name) == ("Occasional", None)
