"""From features to a choice: known groups are found, whatever the order of rows; hopeless input is refused."""

from __future__ import annotations

from collections import Counter
from math import nan
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.people import feature_rows, grouped_people

from segmentation.clustering.agreement import adjusted_rand_index
from segmentation.clustering.choice import Choice
from segmentation.clustering.preparation import Preparation
from segmentation.clustering.saving import pipeline
from segmentation.clustering.scoring import score_people
from segmentation.clustering.selection import describe_population
from segmentation.clustering.training import Training, train_model
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import InputError

NAMES = ["frequency", "monetary", "recency"]


def _train(features: DataFrame, **settings: object) -> tuple[Preparation, Choice]:
    parts = {"k": {"min": 3, "max": 4}, "stability": {"finalists": 1, "refits": 1}, "max_iterations": 15, **settings}
    population = describe_population(features, NAMES)
    trained = train_model(features, NAMES, population, ClusteringSettings.model_validate(parts), lambda _: None)
    return trained.preparation, trained.choice


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return grouped_people()


@pytest.fixture(scope="module")
def trained(spark: SparkSession, people: pd.DataFrame) -> tuple[Preparation, Choice]:
    return _train(feature_rows(spark, people), algorithms=["bisecting_kmeans", "gaussian_mixture", "kmeans"])


def test_known_groups_are_found(spark: SparkSession, people: pd.DataFrame, trained: tuple[Preparation, Choice]) -> None:
    scored = score_people(
        feature_rows(spark, people), pipeline(Training(*trained), ClusteringSettings()), NAMES
    ).toPandas()
    both = scored.merge(people, on="person_id")
    assert adjusted_rand_index(Counter(zip(both["group"], both["cluster"], strict=True))) >= 0.95
    assert trained[1].chosen.k == 4
    assert trained[1].chosen.figures["stability"] >= 0.95


def test_every_candidate_is_kept_with_its_figures(trained: tuple[Preparation, Choice]) -> None:
    candidates = trained[1].candidates
    assert [(c.k, c.algorithm) for c in candidates] == [
        (k, algorithm) for k in (3, 4) for algorithm in ("bisecting_kmeans", "gaussian_mixture", "kmeans")
    ]
    for candidate in candidates:
        assert candidate.failure is None
        assert sum(candidate.sizes) == 240
        assert {"silhouette", "davies_bouldin", "calinski_harabasz"} <= set(candidate.figures)
        assert ("bic" in candidate.figures) == (candidate.algorithm == "gaussian_mixture")


def test_order_and_partitions_of_the_rows_change_nothing(
    spark: SparkSession, people: pd.DataFrame, trained: tuple[Preparation, Choice]
) -> None:
    shuffled = feature_rows(spark, people.sample(frac=1, random_state=8)).repartition(5)
    again = _train(shuffled, algorithms=["bisecting_kmeans", "gaussian_mixture", "kmeans"])
    assert again == trained, "to the last bit"


def test_candidates_are_fitted_on_earlier_dates_too(spark: SparkSession, people: pd.DataFrame) -> None:
    alike = grouped_people(seed=6)
    # There were two of the four kinds, of whom a fit makes four clusters that are none now.
    two = people[people["group"].isin(["regulars", "one-timers"])]
    few = people.head(100)
    settings = ClusteringSettings.model_validate(
        {"algorithms": ["kmeans", "gaussian_mixture"], "k": {"min": 4, "max": 4}, "stability": {"refits": 0}}
    )
    features = feature_rows(spark, people)
    population = describe_population(features, NAMES)

    def over_time(*earlier: pd.DataFrame) -> list[float]:
        before = [feature_rows(spark, each) for each in earlier]
        trained = train_model(features, NAMES, population, settings, lambda _: None, before)
        return [candidate.figures["stability_over_time"] for candidate in trained.choice.candidates]

    found = over_time(alike, few)
    assert min(found) >= 0.95, "what was of less than half as many people says nothing"
    assert max(over_time(alike, two)) < 0.95


@pytest.mark.parametrize("algorithm", ["kmeans", "bisecting_kmeans"])
def test_more_clusters_than_people_who_differ_fail_with_the_reason(
    spark: SparkSession, people: pd.DataFrame, algorithm: str
) -> None:
    few = feature_rows(spark, pd.concat([people.head(3)] * 20).assign(person_id=[f"p{i}" for i in range(60)]))
    _, choice = _train(few, algorithms=[algorithm], stability={"refits": 0}, k={"min": 3, "max": 8})
    assert choice.chosen.k == 3
    assert choice.candidates[1].failure == "only 3 people differ from each other"


@pytest.mark.parametrize(
    ("rows", "message"),
    [(1, "Only one person has features"), (60, "No feature tells people apart")],
)
def test_people_who_cannot_be_told_apart_are_refused(
    spark: SparkSession, people: pd.DataFrame, rows: int, message: str
) -> None:
    alike = pd.concat([people.head(1)] * rows).assign(person_id=[f"p{i}" for i in range(rows)])
    with pytest.raises(InputError, match=message):
        _train(feature_rows(spark, alike))


FAR_OUT = pd.DataFrame(
    [
        ("far", "far", 2.0, 70.0, 9e6),
        ("gap", "regulars", 3.0, None, 900.0),
        ("nan", "regulars", 3.0, nan, 900.0),
    ],
    columns=["person_id", "group", "recency", "frequency", "monetary"],
)


@pytest.mark.parametrize("always_in", [[], [{"feature": "monetary", "at_least": 1e6}]])
@pytest.mark.parametrize("placed", ["nearest", "apart"])
def test_who_is_far_out_is_not_fitted_on(
    spark: SparkSession, people: pd.DataFrame, placed: str, always_in: list[dict[str, Any]]
) -> None:
    features = feature_rows(spark, pd.concat([people, FAR_OUT]))
    settings = ClusteringSettings.model_validate(
        {"algorithms": ["kmeans"], "k": {"min": 4, "max": 4}, "stability": {"refits": 0}}
        | {"outliers": {"placed": placed}, "transform": {"skewed": "as_is"}, "always_in": always_in}
    )
    trained = train_model(features, NAMES, describe_population(features, NAMES), settings, lambda _: None)
    outliers = 0 if always_in else 1
    assert (trained.outliers, sum(trained.choice.chosen.sizes)) == (outliers, 243 - outliers)
    found = score_people(features, pipeline(trained, settings), NAMES).toPandas().set_index("person_id")
    assert (found.loc["far", "cluster"] == 4) == (placed == "apart" and not always_in)
    assert pd.isna(found.loc["far", "margin"]) == (placed == "apart" and not always_in)
    assert set(found.drop("far")["cluster"]) == {0, 1, 2, 3}, "a value that is missing is not far out"
    groups = found.join(people.set_index("person_id")["group"]).dropna(subset="group")
    assert adjusted_rand_index(Counter(zip(groups["group"], groups["cluster"], strict=True))) >= 0.95


def test_everyone_being_an_outlier_is_refused(spark: SparkSession) -> None:
    # Whoever is between the quartiles of one is beyond those of the other.
    recency, frequency = [1, 2, 3, 4, 5, 6, 7, 8], [4, 5, 1, 8, 2, 7, 3, 6]
    names = [f"p{number}" for number in range(8)]
    people = pd.DataFrame({"person_id": names, "recency": recency, "frequency": frequency, "monetary": 1.0})
    people = people.astype({"recency": float, "frequency": float})
    message = r"8 people are outliers, and the others are alike: set clustering\.outliers\.beyond higher"
    with pytest.raises(InputError, match=message):
        _train(feature_rows(spark, people), outliers={"beyond": 1e-9}, transform={"skewed": "as_is"})
