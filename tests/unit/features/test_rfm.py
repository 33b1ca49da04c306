"""Scores of recency, frequency and money against NumPy, and the names of the grid."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession
from tests.factories import minimal_settings

from segmentation.config.audiences import check_audiences
from segmentation.config.features import FeatureSettings
from segmentation.config.rfm import RFM_GRID, RfmSettings
from segmentation.features.rfm import find_edges, score_people

AS_OF = date(2026, 3, 31)
METHODS = ["linear", "lower", "higher", "midpoint", "nearest"]


def _people(count: int) -> list[tuple[str, float, float, float]]:
    """Many with few purchases, so that quantiles fall between and upon ties."""
    draw = random.Random(9)
    return [
        (f"p{n:03}", float(draw.randrange(90)), float(int(draw.expovariate(0.5))), round(draw.expovariate(0.01), 2))
        for n in range(count)
    ]


def _frame(spark: SparkSession, rows: list[tuple[str, float, float, float]]) -> DataFrame:
    schema = "person_id string, as_of date, recency double, frequency double, monetary double"
    return spark.createDataFrame([(row[0], AS_OF, *row[1:]) for row in rows], schema)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 101])
def test_edges_are_the_quantiles_of_numpy(spark: SparkSession, count: int) -> None:
    rows = _people(count)
    values = _frame(spark, rows).repartition(3).persist()
    for method in METHODS:
        found = find_edges(values, RfmSettings.model_validate({"interpolation": method}))
        for place, name in enumerate(("recency", "frequency", "monetary"), start=1):
            column: Any = [row[place] for row in rows]
            expected = np.percentile(column, [20, 40, 60, 80], method=method)
            assert found[name] == pytest.approx(list(expected), rel=1e-12, abs=1e-12), (method, name)


def test_people_are_scored_among_those_who_bought(spark: SparkSession) -> None:
    rows = [(f"p{n}", float(n), float(n), float(10 * n)) for n in range(11)]
    scored = score_people(_frame(spark, [*rows, ("gap", 1.0, 1.0, None)]), RfmSettings())  # type: ignore[list-item]
    found = {row["person_id"]: tuple(row[2:]) for row in scored.collect()}
    assert found == {
        "p1": (5, 1, 1, "New"),
        "p2": (5, 1, 1, "New"),
        "p3": (4, 2, 2, "Potential loyalists"),
        "p4": (4, 2, 2, "Potential loyalists"),
        "p5": (3, 3, 3, "Need attention"),
        "p6": (3, 3, 3, "Need attention"),
        "p7": (2, 4, 4, "At risk"),
        "p8": (2, 4, 4, "At risk"),
        "p9": (1, 5, 5, "Cannot lose them"),
        "p10": (1, 5, 5, "Cannot lose them"),
    }, "p0 never bought, and of one the money is not known"
    assert score_people(_frame(spark, rows[:1]), RfmSettings()).count() == 0


def test_who_never_bought_is_scored_by_what_they_do(spark: SparkSession) -> None:
    rows = [(f"p{n}", AS_OF, 0.0, float(30 - n), float(n), float(2 * n)) for n in range(6)]
    columns = "person_id string, as_of date, frequency double, inactivity double, days_active double, engagement double"
    engagement = RfmSettings.model_validate({"engagement": {}}).engagement
    assert engagement is not None
    found = {
        row["person_id"]: tuple(row[2:])
        for row in score_people(spark.createDataFrame(rows, columns), engagement).collect()
    }
    assert found == {
        "p1": (1, 1, 1, "Hibernating"),
        "p2": (2, 2, 2, "Hibernating"),
        "p3": (3, 3, 3, "Need attention"),
        "p4": (4, 4, 4, "Loyal"),
        "p5": (5, 5, 5, "Champions"),
    }, "p0 did nothing"


@pytest.mark.parametrize(("belongs", "expected"), [("below", [1, 1, 2, 3]), ("above", [1, 2, 3, 3])])
def test_an_edge_of_ones_own_belongs_where_it_is_said_to(
    spark: SparkSession, belongs: str, expected: list[int]
) -> None:
    rows = [(f"p{n}", 1.0, float(n), 1.0) for n in (1, 2, 4, 9)]
    settings = {"scores": 3, "edges": {"frequency": [2, 4]}, "edge_belongs": belongs}
    scored = score_people(_frame(spark, rows), RfmSettings.model_validate(settings)).orderBy("person_id").collect()
    assert [row["frequency_score"] for row in scored] == expected
    assert {row["rfm_segment"] for row in scored} == {None}, "the names are of a grid of five"
    assert len({row["monetary_score"] for row in scored}) == 1, "who has the same has the same score"


def test_the_grid_has_a_name_for_every_cell() -> None:
    cells = [cell for named in RFM_GRID.values() for cell in named]
    assert sorted(cells) == [f"{recency}{frequency}" for recency in range(1, 6) for frequency in range(1, 6)]


@pytest.mark.parametrize(
    ("rfm", "said"),
    [
        ({"edges": {"monetary": [1, 2]}}, "edges.monetary has 2 values, and 5 scores have 4"),
        ({"edges": {"monetary": [1, 2, 2, 3]}}, "must rise"),
        ({"frequency": "days_activ"}, "rfm scores 'days_activ', which is no feature here"),
    ],
)
def test_what_does_not_fit_is_said(rfm: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FeatureSettings.model_validate({"rfm": rfm})


def test_an_audience_of_the_grid_needs_the_grid() -> None:
    with pytest.raises(ValidationError, match=r"the grid has no 'Champion'.* did you mean 'Champions'"):
        minimal_settings(audiences=[{"name": "best", "who": {"rfm": "Champion"}}])
    raw: dict[str, Any] = {"audiences": [{"name": "best", "who": {"rfm": ["Champions", "Loyal"]}}]}
    assert [str(problem) for problem in check_audiences(raw)] == [
        "audiences.0.who.rfm: needs `features.rfm`, with 5 scores"
    ]
    assert check_audiences({**raw, "features": {"rfm": {}}}) == []
    engaged: dict[str, Any] = {"audiences": [{"name": "keen", "who": {"rfm_engagement": "Champions"}}]}
    assert [str(problem) for problem in check_audiences({**engaged, "features": {"rfm": {}}})] == [
        "audiences.0.who.rfm_engagement: needs `features.rfm.engagement`, with 5 scores"
    ]
    assert check_audiences({**engaged, "features": {"rfm": {"engagement": {}}}}) == []


def test_scores_are_no_features() -> None:
    plain, scored = FeatureSettings(), FeatureSettings.model_validate({"rfm": {}})
    assert plain.names() == scored.names()
    assert plain.definitions == scored.definitions
