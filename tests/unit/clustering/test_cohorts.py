"""Features that count within a cohort: what makes the cohorts alike is taken away, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession

from segmentation.clustering.preparation import fit_preparation
from segmentation.config.clustering import CohortSettings, Transform


@pytest.fixture(scope="module")
def people(spark: SparkSession) -> DataFrame:
    """Two countries that spend otherwise, one too small to be told, and people of none."""
    random = np.random.default_rng(11)
    kinds = [("NL", 100.0, 10.0, 300), ("DE", 500.0, 80.0, 200), ("LU", 900.0, 5.0, 20), (None, 300.0, 30.0, 60)]
    rows = [
        (f"{country}{number}", float(random.normal(middle, width)), float(number), country)
        for country, middle, width, many in kinds
        for number in range(many)
    ]
    schema = "person_id string, spend double, tenure double, attribute_country string"
    return spark.createDataFrame(rows, schema).coalesce(1).localCheckpoint()


def prepared(people: DataFrame, names: list[str], **cohorts: object) -> pd.DataFrame:
    transform = Transform(winsorise=0, skewed="as_is", cohorts=CohortSettings.model_validate(cohorts))
    return PipelineModel(fit_preparation(people, names, transform).transformers()).transform(people).toPandas()


def test_cohorts_get_the_mean_and_deviation_of_everyone(people: DataFrame) -> None:
    found = prepared(people, ["spend"], attribute="country")
    everyone = (found["spend"] - found["spend"].min()) / found["spend"].std(ddof=0)
    by_country = found.groupby("attribute_country")["prepared_spend"]
    for country in ("NL", "DE"):
        own = by_country.get_group(country)
        assert own.mean() == pytest.approx(everyone.mean())
        assert own.std(ddof=0) == pytest.approx(1)
        of_country = found["attribute_country"] == country
        assert own.corr(found.loc[of_country, "spend"]) == pytest.approx(1), "the order within a cohort is what it was"
    rest = ~found["attribute_country"].isin(["NL", "DE"])
    assert found.loc[rest, "prepared_spend"].to_numpy() == pytest.approx(everyone[rest].to_numpy())


def test_edges_of_a_feature_make_cohorts_that_are_from_one_up_to_below_the_next(people: DataFrame) -> None:
    found = prepared(people, ["spend"], feature="tenure", edges=[100, 250], min_people=60)
    cohort = found["prepared_cohort"]
    assert cohort[found["tenure"] < 100].unique().tolist() == [1]
    assert cohort[(found["tenure"] >= 100) & (found["tenure"] < 250)].unique().tolist() == [2]
    assert cohort[found["tenure"] >= 250].unique().tolist() == [0], "50 people are too few"
    middle = found[cohort == 2]["prepared_spend"]
    everyone = (found["spend"] - found["spend"].min()) / found["spend"].std(ddof=0)
    assert middle.mean() == pytest.approx(everyone.mean())


def test_a_gap_in_the_feature_of_cohorts_is_in_none(spark: SparkSession, people: DataFrame) -> None:
    transform = Transform(cohorts=CohortSettings(feature="tenure", edges=[100]))
    pipeline = PipelineModel(fit_preparation(people, ["spend"], transform).transformers())
    gap = spark.createDataFrame(
        [("x", 1.0, None), ("y", 1.0, float("nan"))], "person_id string, spend double, tenure double"
    )
    assert [row["prepared_cohort"] for row in pipeline.transform(gap).collect()] == [0, 0]


def test_a_coordinate_goes_back_to_the_value_in_a_cohort_like_everyone(people: DataFrame) -> None:
    transform = Transform(winsorise=0, skewed="as_is", cohorts=CohortSettings(attribute="country"))
    (feature,) = fit_preparation(people, ["spend"], transform).features
    found = PipelineModel(fit_preparation(people, ["spend"], transform).transformers()).transform(people).toPandas()
    told = found["prepared_spend"].map(feature.original)
    assert told[found["attribute_country"] == "DE"].mean() == pytest.approx(found["spend"].mean())


@pytest.mark.parametrize(
    ("cohorts", "why"),
    [
        ({}, "either attribute, or feature"),
        ({"attribute": "country", "feature": "tenure", "edges": [1]}, "either attribute, or feature"),
        ({"feature": "tenure"}, "give both"),
        ({"attribute": "country", "edges": [1]}, "give both"),
        ({"feature": "tenure", "edges": [2, 1]}, "must rise"),
    ],
)
def test_cohorts_are_by_an_attribute_or_by_a_feature_with_edges(cohorts: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        CohortSettings.model_validate(cohorts)
