"""The rows of `segment_profiles`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, SparkSession

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.contracts.segments import SEGMENT_PROFILES
from segmentation.profiles.naming import SegmentName
from segmentation.profiles.rules import SegmentRules, rules_json
from segmentation.profiles.statistics import SegmentStatistics


def profile_rows(
    spark: SparkSession,
    version: int,
    statistics: Sequence[SegmentStatistics],
    names: Mapping[str, SegmentName],
    rules: Mapping[str, SegmentRules],
    catalogue: Mapping[str, FeatureInfo],
) -> DataFrame:
    """One row a segment of `version`, as `segment_profiles` declares it; `rules` may lack segments."""
    rows = [
        {
            "segment_version": version,
            "segment_id": segment.segment_id,
            "segment_name": names[segment.segment_id].name,
            "description": names[segment.segment_id].description,
            "better_name": names[segment.segment_id].better,
            "size": segment.size,
            "share": segment.share,
            "rules": rules_json(rules[segment.segment_id], catalogue) if segment.segment_id in rules else None,
            "statistics": segment.features_json(),
            "revenue": segment.revenue,
            "revenue_share": segment.revenue_share,
        }
        for segment in statistics
    ]
    values = [tuple(row[name] for name in SEGMENT_PROFILES.column_names) for row in rows]
    return spark.createDataFrame(values, SEGMENT_PROFILES.schema)
