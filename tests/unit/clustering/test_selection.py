"""Which people and features a model is fitted on."""

from __future__ import annotations

from datetime import timedelta
from functools import reduce

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.people import AS_OF, feature_rows, grouped_people

from segmentation.clustering.selection import (
    choose_features,
    columns_beside,
    columns_to_fit,
    describe_population,
    earlier_dates,
    sample_people,
)
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import ConfigError, InputError

NAMES = ["frequency", "monetary", "recency"]


def test_all_features_enter_but_those_that_are_excluded_or_not_listed(spark: SparkSession) -> None:
    features = feature_rows(spark, grouped_people(4))
    assert choose_features(features, ClusteringSettings()) == NAMES
    assert choose_features(features, ClusteringSettings(exclude=["monetary"])) == ["frequency", "recency"]
    listed = ClusteringSettings(features=["recency", "monetary"], exclude=["monetary"])
    assert choose_features(features, listed) == ["recency"]


def test_a_feature_that_is_not_there_is_a_configuration_error_that_says_what_was_meant(spark: SparkSession) -> None:
    features = feature_rows(spark, grouped_people(4))
    with pytest.raises(ConfigError) as caught:
        choose_features(features, ClusteringSettings(features=["recensy"], exclude=["monetery"]))
    assert [(p.key, p.suggestion) for p in caught.value.problems] == [
        ("clustering.features", "recency"),
        ("clustering.exclude", "monetary"),
    ]
    with pytest.raises(ConfigError, match="leaves no feature"):
        choose_features(features, ClusteringSettings(exclude=NAMES))


def test_an_earlier_date_is_the_newest_of_the_same_features_so_many_days_before(spark: SparkSession) -> None:
    people = grouped_people(2)
    dates = [AS_OF - timedelta(days=days) for days in (0, 7, 27, 29, 40)]
    features = reduce(DataFrame.union, (feature_rows(spark, people, day) for day in dates))
    other = feature_rows(spark, people, AS_OF - timedelta(days=28)).withColumn("feature_set", F.lit("other"))

    def days(*before: int) -> list[int]:
        return [(AS_OF - day).days for day in earlier_dates(features.union(other), AS_OF, "set", before)]

    assert days(28) == [29]
    assert days(1, 7, 28, 41) == [7, 29], "one that several ask for comes once, and 41 days before there is none"
    assert days() == []


def test_the_fingerprint_sees_values_and_not_their_order(spark: SparkSession) -> None:
    people = grouped_people(20)
    one = describe_population(feature_rows(spark, people), NAMES)
    shuffled = feature_rows(spark, people.sample(frac=1, random_state=3)).repartition(3)
    assert describe_population(shuffled, NAMES) == one
    people.loc[3, "monetary"] += 1e-9
    assert describe_population(feature_rows(spark, people), NAMES).fingerprint != one.fingerprint
    assert one.people == 20


def test_nobody_and_mixed_definitions_are_errors(spark: SparkSession) -> None:
    features = feature_rows(spark, grouped_people(4))
    with pytest.raises(InputError, match="no rows for this date"):
        describe_population(features.where("1 = 0"), NAMES)
    mixed = features.withColumn("feature_set", F.col("person_id"))
    with pytest.raises(InputError, match="mixes two feature sets"):
        describe_population(mixed, NAMES)


def test_rare_people_who_matter_are_in_every_sample(spark: SparkSession) -> None:
    people = grouped_people(1000)
    features = feature_rows(spark, people)
    settings = ClusteringSettings.model_validate(
        {"sample": 100, "always_in": [{"feature": "monetary", "at_least": 1100}, {"feature": "recency", "at_most": 5}]}
    )
    matter = set(people.query("monetary >= 1100 and recency <= 5")["person_id"])
    with sample_people(features, ["recency"], describe_population(features, NAMES), settings) as sample:
        taken = {row["person_id"] for row in sample.collect()}
    assert 5 < len(matter) < 20
    assert matter <= taken
    assert 60 < len(taken - matter) < 140


def test_conditions_on_features_that_are_not_there_are_errors(spark: SparkSession) -> None:
    features = feature_rows(spark, grouped_people(4))
    settings = {"always_in": [{"feature": "monetry", "at_least": 1}]}
    with pytest.raises(ConfigError, match=r"clustering\.always_in: there is no feature 'monetry'.*monetary"):
        choose_features(features, ClusteringSettings.model_validate(settings))
    settings = {"always_in": [{"feature": "monetary", "at_least": 1}], "exclude": ["monetary"]}
    assert choose_features(features, ClusteringSettings.model_validate(settings)) == ["frequency", "recency"]
    with pytest.raises(ConfigError, match=r"always_in\.0: with outliers, 'monetary' has to be in the model"):
        choose_features(features, ClusteringSettings.model_validate({**settings, "outliers": {}}))


def test_a_sample_is_the_same_people_in_the_same_order_whatever_the_partitions(spark: SparkSession) -> None:
    people = grouped_people(1000)
    features = feature_rows(spark, people)
    settings = ClusteringSettings(sample=300)
    population = describe_population(features, NAMES)
    taken = []
    for rows in (features.coalesce(1), features.orderBy("monetary").repartition(7)):
        with sample_people(rows, NAMES, population, settings) as sample:
            assert sample.rdd.getNumPartitions() == 1
            taken.append([row["person_id"] for row in sample.collect()])
    assert taken[0] == taken[1]
    assert 240 < len(taken[0]) < 360
    more = feature_rows(spark, grouped_people(1100))
    with sample_people(more, NAMES, describe_population(more, NAMES), settings) as sample:
        again = {row["person_id"] for row in sample.collect()}
    assert len(again & set(taken[0])) > 0.85 * len(taken[0]), "a sample of tomorrow has the same people"


def test_columns_beside_the_features_are_attributes_the_feature_of_cohorts_and_for_fitting_the_averaged_ones() -> None:
    settings = ClusteringSettings.model_validate(
        {
            "attributes": {"plan": {}, "city": {"encode": "target", "target": "monetary"}},
            "transform": {"cohorts": {"feature": "tenure", "edges": [30, 90]}},
            "parts": {"attribute": "region"},
        }
    )
    beside = ["tenure", "attribute_city", "attribute_plan", "attribute_region"]
    assert columns_beside(["recency"], settings) == beside
    assert columns_beside(["recency", "tenure"], settings) == beside[1:]
    assert columns_to_fit(["recency"], settings) == [*beside, "monetary"]
    assert columns_to_fit(["monetary"], settings) == beside
    assert columns_beside(NAMES, ClusteringSettings()) == []


def test_an_attribute_is_averaged_over_a_feature_that_is_there(spark: SparkSession) -> None:
    features = feature_rows(spark, grouped_people(8))
    wrong = {"attributes": {"city": {"encode": "target", "target": "monetery"}}}
    with pytest.raises(ConfigError, match=r"clustering\.attributes\.city\.target.*'monetery'.*monetary"):
        choose_features(features, ClusteringSettings.model_validate(wrong))
    cohorts = {"transform": {"cohorts": {"feature": "tenur", "edges": [3]}}}
    with pytest.raises(ConfigError, match=r"clustering\.transform\.cohorts\.feature.*'tenur'"):
        choose_features(features, ClusteringSettings.model_validate(cohorts))
