"""Figures of identity: what they count, and when one of them is unusual."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from segmentation.identity.quality import Figure, judge_figures, measure_identity


def test_figures_count_what_is_there(spark: SparkSession) -> None:
    persons = spark.createDataFrame([(n,) for n in (1, 1, 2, 3, 5, 501)], "identifier_count long")
    kinds = ["cookie"] * 500 + ["email"] * 13
    identity_map = spark.createDataFrame([(kind,) for kind in kinds], "identifier_type string")
    rows = [
        ("active", None),
        ("active", None),
        ("cut", "would give a person 2 user_id (at most 1)"),
        ("cut", "would give a person 3 user_id (at most 1)"),
        ("removed", "dropped by override 0123abcd: a kiosk"),
    ]
    edges = spark.createDataFrame(rows, "status string, reason string")
    found = {(f.figure, f.of): (f.count, round(f.ratio, 4)) for f in measure_identity(persons, identity_map, edges)}
    assert found == {
        ("components", "1"): (2, 0.3333),
        ("components", "2"): (1, 0.1667),
        ("components", "3-5"): (2, 0.3333),
        ("components", "over 500"): (1, 0.1667),
        ("largest_component", ""): (501, round(501 / 513, 4)),
        ("identifiers", "cookie"): (500, round(500 / 6, 4)),
        ("identifiers", "email"): (13, round(13 / 6, 4)),
        ("edges_cut", "would give a person too many user_id (at most 1)"): (2, 0.4),
        ("edges_cut", "dropped by override"): (1, 0.2),
        ("edges_refused", ""): (3, 0.6),
    }


@pytest.mark.parametrize(
    ("earlier", "ratio", "unusual"),
    [
        ([0.2] * 4, 0.9, False),
        ([0.2] * 5, 0.9, True),
        ([0.2] * 5, 0.21, False),
        ([0.2] * 5, 0.17, True),
        ([0.20, 0.25, 0.15, 0.22, 0.18], 0.28, False),
        ([0.20, 0.25, 0.15, 0.22, 0.18], 0.30, True),
        ([0.0] * 5, 0.0009, False),
        ([0.2] * 20 + [0.9] * 100, 0.9, True),
    ],
)
def test_a_ratio_outside_the_band_of_earlier_runs_is_unusual(earlier: list[float], ratio: float, unusual: bool) -> None:
    past = [*(("edges_refused", "", one) for one in earlier), *[("edges_refused", "other", 0.9)] * 9]
    (judged,) = judge_figures([Figure("edges_refused", "", 1, ratio)], past)
    assert (judged.warning is not None) == unusual
    if unusual:
        assert judged.warning is not None
        assert judged.warning.startswith(f"edges refused is {ratio:.4g}, usually ")
