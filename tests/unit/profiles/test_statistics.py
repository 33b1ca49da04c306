"""Figures of segments, against pandas on the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from segmentation.contracts.errors import InputError, MissingColumnsError
from segmentation.profiles.statistics import profile_segments


def _people(count: int = 600) -> pd.DataFrame:
    random = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "person_id": [f"p{i:04d}" for i in range(count)],
            "segment_id": random.choice(["s-a", "s-b", "s-c"], count, p=[0.2, 0.5, 0.3]),
            "monetary": np.round(random.lognormal(4, 1.5, count), 2),
            "recency_days": random.integers(0, 300, count).astype(float),
            "gap_days": np.where(random.random(count) < 0.3, np.nan, random.gamma(2, 10, count)),
            "constant": 3.0,
        }
    )


def test_figures_agree_with_pandas(spark: SparkSession) -> None:
    people = _people()
    rows = spark.createDataFrame(people)
    found = profile_segments(rows.select("person_id", "segment_id"), rows.drop("segment_id"))

    assert [s.segment_id for s in found] == list(people["segment_id"].value_counts().index)
    for segment in found:
        own = people[people["segment_id"] == segment.segment_id]
        assert segment.size == len(own)
        assert segment.share == pytest.approx(len(own) / len(people))
        assert segment.revenue == pytest.approx(own["monetary"].sum(), abs=0.005)
        assert segment.revenue_share == pytest.approx(own["monetary"].sum() / people["monetary"].sum())
        for name in ("monetary", "recency_days", "gap_days"):
            figures, everyone = segment.features[name], people[name]
            assert figures.known == own[name].count()
            assert figures.mean == pytest.approx(own[name].mean(), rel=1e-9)
            assert figures.standard_deviation == pytest.approx(own[name].std(ddof=0), rel=1e-7)
            assert figures.median == pytest.approx(own[name].median(), rel=0.005)
            assert figures.everyone_median == pytest.approx(everyone.median(), rel=0.005)
            effect = (own[name].mean() - everyone.mean()) / everyone.std(ddof=0)
            assert figures.effect_size == pytest.approx(effect, abs=1e-6)
        assert segment.features["recency_days"].median == own["recency_days"].median(), "small whole numbers are exact"
        constant = segment.features["constant"]
        assert (constant.mean, constant.standard_deviation, constant.effect_size) == (3.0, 0.0, 0.0)


def test_figures_are_the_same_bits_however_the_rows_lie(spark: SparkSession) -> None:
    people = _people(300)
    ordered, shuffled = (spark.createDataFrame(p) for p in (people, people.sample(frac=1, random_state=3)))
    first, second = (
        profile_segments(rows.select("person_id", "segment_id"), rows.drop("segment_id"))
        for rows in (ordered.coalesce(1), shuffled.repartition(7))
    )
    assert first == second


def test_people_without_features_count_but_bend_no_figure(spark: SparkSession) -> None:
    assigned = spark.createDataFrame(
        [("p1", "s-a"), ("p2", "s-a"), ("p3", "s-b"), ("p4", "s-none")], ["person_id", "segment_id"]
    )
    features = spark.createDataFrame(
        [("p1", 10.0), ("p2", float("nan")), ("p3", float("inf"))], "person_id string, visits double"
    )
    found = {s.segment_id: s for s in profile_segments(assigned, features)}
    assert (found["s-a"].size, found["s-a"].features["visits"].known, found["s-a"].features["visits"].mean) == (
        2,
        1,
        10.0,
    )
    assert found["s-none"].features["visits"].mean is None
    assert found["s-none"].features["visits"].times is None
    assert found["s-b"].revenue is None


def test_what_cannot_be_profiled_is_refused(spark: SparkSession) -> None:
    assigned = spark.createDataFrame([], "person_id string, segment_id string")
    features = spark.createDataFrame([("p1", 10.0)], "person_id string, visits double")
    with pytest.raises(InputError, match="Nobody is assigned"):
        profile_segments(assigned, features)
    with pytest.raises(MissingColumnsError, match="'segment_id'"):
        profile_segments(assigned.drop("segment_id"), features)
