"""Rules on top of the model, case by case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import KMeans
from pyspark.sql import DataFrame, SparkSession
from tests.people import scorer_of

from segmentation.clustering.preparation import fit_preparation
from segmentation.config.attributes import check_attributes
from segmentation.config.clustering import Transform
from segmentation.config.segments import SegmentSettings
from segmentation.contracts.errors import ConfigError, MissingColumnsError
from segmentation.segments.membership import place_people
from segmentation.segments.rules import count_decisions, decide_segments, emptied_segments, own_names, resolve_rules

SEGMENTS = {0: "low", 1: "middle", 2: "high"}
RICH = [{"feature": "money", "at_least": 100}]
NEW = [{"feature": "tenure", "at_most": 7}]
PEOPLE = [
    # person, cluster, clusters from the nearest on, money, tenure
    ("ann", 0, [0, 1, 2], 500.0, 100.0),
    ("bob", 0, [0, 2, 1], 5.0, 3.0),
    ("cat", 2, [2, 1, 0], 700.0, 2.0),
    ("dan", 1, [1, 0, 2], 1.0, 300.0),
    ("eve", None, None, None, 1.0),
]


def settings_of(*rules: Mapping[str, Any], **more: Any) -> SegmentSettings:
    return SegmentSettings.model_validate({"rules": list(rules), **more})


def decide(spark: SparkSession, settings: SegmentSettings) -> dict[str, tuple[str, str, str | None]]:
    """Person -> segment, method, rule."""
    return {r["person_id"]: (r["segment_id"], r["method"], r["rule"]) for r in decided(spark, settings).collect()}


def decided(spark: SparkSession, settings: SegmentSettings) -> DataFrame:
    rules = resolve_rules(settings, SEGMENTS.values(), {"low": "Seldom seen", "high": "Best"})
    rows = [
        (
            who,
            cluster,
            0.7 if cluster is not None else None,
            0.2,
            near and near[1],
            near,
            [met(rule, m, t) for rule in settings.rules],
        )
        for who, cluster, near, m, t in PEOPLE
    ]
    placed = spark.createDataFrame(
        rows,
        "person_id string, cluster int, probability double, margin double, nearest_other int, ranked array<int>, "
        "meets array<boolean>",
    )
    return decide_segments(placed, SEGMENTS, rules, settings)


def met(rule: Any, money: float | None, tenure: float | None) -> bool:
    values = {"money": money, "tenure": tenure}
    for c in rule.when:
        value = values[c.feature]
        if value is None or value < (c.at_least or value) or value > (c.at_most or value):
            return False
    return True


def test_the_first_rule_that_takes_a_person_in_decides(spark: SparkSession) -> None:
    settings = settings_of(
        {"name": "new_ones", "when": NEW, "into": "newcomers"}, {"name": "rich", "when": RICH, "into": "vip"}
    )
    assert decide(spark, settings) == {
        "ann": ("vip", "rule", "rich"),
        "bob": ("newcomers", "rule", "new_ones"),
        "cat": ("newcomers", "rule", "new_ones"),
        "dan": ("middle", "model", None),
        "eve": ("newcomers", "rule", "new_ones"),
    }


def test_who_may_not_be_in_a_segment_is_in_the_nearest_that_is_open(spark: SparkSession) -> None:
    settings = settings_of(
        {"name": "not_low", "when": [*RICH], "not_in": "low"},
        {"name": "not_high", "when": NEW, "not_in": "Best"},
        {"name": "nor_middle", "of": ["high"], "not_in": "middle"},
    )
    assert decide(spark, settings) == {
        "ann": ("middle", "rule", "not_low"),
        "bob": ("low", "model", None),
        # Not high, being new; not middle either, of those whom the model has in high; not low, with so much money.
        "cat": ("unassigned", "rule", "not_high"),
        "dan": ("middle", "model", None),
        "eve": ("unassigned", "fallback", None),
    }


def test_what_forbids_holds_for_the_rules_below_it_and_not_for_those_above(spark: SparkSession) -> None:
    forbids, takes = {"name": "no", "when": NEW, "not_in": "vip"}, {"name": "yes", "when": RICH, "into": "vip"}
    assert decide(spark, settings_of(forbids, takes))["cat"] == ("high", "model", None)
    assert decide(spark, settings_of(takes, forbids))["cat"] == ("vip", "rule", "yes")


def test_segments_are_merged_and_split(spark: SparkSession) -> None:
    settings = settings_of(
        {"name": "split", "of": ["Seldom seen"], "when": RICH, "into": "sleeping_giants"},
        {"name": "merge", "of": ["low", "middle"], "into": "middle"},
    )
    assert decide(spark, settings) == {
        "ann": ("sleeping_giants", "rule", "split"),
        "bob": ("middle", "rule", "merge"),
        "cat": ("high", "model", None),
        "dan": ("middle", "rule", "merge"),
        "eve": ("unassigned", "fallback", None),
    }
    assert settings.rules[1].merged == ["low"]
    assert settings.rules[0].merged == []
    resolved = resolve_rules(settings, SEGMENTS.values(), {"low": "Seldom seen"})
    assert emptied_segments(resolved, SEGMENTS.values(), settings) == {"low"}
    assert own_names(settings.rules, SEGMENTS.values()) == {"sleeping_giants": "Sleeping giants"}


def test_segments_of_rules_alone_lie_beside_the_models(spark: SparkSession) -> None:
    settings = settings_of({"name": "rich", "when": RICH, "into": "vip"}, placed_by="rules")
    rows = decided(spark, settings)
    found = {r["person_id"]: (r["segment_id"], r["method"], r["model_segment_id"]) for r in rows.collect()}
    assert found == {
        "ann": ("vip", "rule", "low"),
        "bob": ("unassigned", "fallback", "low"),
        "cat": ("vip", "rule", "high"),
        "dan": ("unassigned", "fallback", "middle"),
        "eve": ("unassigned", "fallback", "unassigned"),
    }
    assert emptied_segments(settings.rules, SEGMENTS.values(), settings) == {"low", "middle", "high"}
    counted = count_decisions(rows)
    assert (counted["by_rule"], counted["rule_rich"]) == (2, 2)
    # By hand: of 10 pairs 1 + 3 are together by the rules, 1 by the model (ann and bob), none by both.
    assert counted["model_agreement"] == pytest.approx((0 - 4 * 1 / 10) / ((4 + 1) / 2 - 4 * 1 / 10))


def test_what_the_model_is_sure_of_says_nothing_of_a_rule(spark: SparkSession) -> None:
    rows = decided(spark, settings_of({"name": "rich", "when": RICH, "into": "vip"}))
    found = {r["person_id"]: (r["probability"], r["margin"]) for r in rows.collect()}
    assert (found["ann"], found["bob"]) == ((None, None), (0.7, 0.2))


def test_conditions_and_nearest_segments_come_from_the_people(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(float(x),) for x in (1, 2, 50, 51, 90, 91)], "x double").coalesce(1)
    preparation = fit_preparation(rows, ["x"], Transform(winsorise=0))
    preparing = PipelineModel(preparation.transformers())
    model = KMeans(k=3, seed=1, featuresCol="prepared", predictionCol="cluster").fit(preparing.transform(rows))
    fitted = PipelineModel([*preparing.stages, model])
    people = spark.createDataFrame([("a", 1.0, 500.0), ("b", 60.0, None)], "person_id string, x double, money double")
    settings = settings_of({"name": "rich", "when": RICH, "into": "vip"})
    found = {r["person_id"]: r for r in place_people(people, scorer_of(fitted, ["x"]), settings).collect()}
    assert {who: row["meets"] for who, row in found.items()} == {"a": [True], "b": [False]}
    order = [round(float(centre[0]), 3) for centre in model.clusterCenters()]
    by_value = sorted(range(3), key=lambda number: order[number])
    assert found["a"]["ranked"] == by_value, "from the lowest to the highest"
    assert found["b"]["ranked"] == [by_value[1], by_value[2], by_value[0]]
    with pytest.raises(MissingColumnsError, match=r"segments\.rules.*'money'"):
        place_people(people.drop("money"), scorer_of(fitted, ["x"]), settings)


def test_a_segment_that_is_not_there_is_said_with_its_place() -> None:
    settings = settings_of(
        {"name": "a", "of": ["nowhere", "low"], "into": "vip"},
        {"name": "b", "when": RICH, "not_in": "Beast"},
        {"name": "c", "when": RICH, "into": "The best"},
        {"name": "d", "of": ["vip"], "into": "Seldom seen"},
    )
    with pytest.raises(ConfigError) as error:
        resolve_rules(settings, SEGMENTS.values(), {"low": "Seldom seen"})
    assert [problem.key for problem in error.value.problems] == [
        "segments.rules.0.of",
        "segments.rules.1.not_in",
        "segments.rules.2.into",
    ]


def test_a_name_means_the_segment_that_is_there() -> None:
    settings = settings_of({"name": "a", "of": ["Best"], "into": "vip"}, names={"low": "Ours"})
    names = {"dead": "Best", "high": "Best", "zombie": "Best", "low": "Seldom seen"}
    assert resolve_rules(settings, SEGMENTS.values(), names)[0].of == ["high"]
    ours = settings_of({"name": "a", "of": ["Ours"], "into": "vip"}, names={"low": "Ours"})
    assert resolve_rules(ours, SEGMENTS.values(), names)[0].of == ["low"]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([{"name": "a", "when": RICH}], "either into or not_in"),
        ([{"name": "a", "when": RICH, "into": "x", "not_in": "y"}], "either into or not_in"),
        ([{"name": "a", "into": "x"}], "about everyone"),
        ([{"name": "a", "when": RICH, "into": "x"}] * 2, "two rules are called 'a'"),
    ],
)
def test_rules_that_say_nothing_or_too_much_are_refused(rules: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings_of(*rules)


def test_rules_cannot_place_people_where_there_are_none() -> None:
    with pytest.raises(ValidationError, match="placed_by: rules needs rules"):
        settings_of(placed_by="rules")


def test_a_name_is_found_whatever_its_capitals_and_a_near_one_is_offered() -> None:
    settings = settings_of({"name": "a", "of": ["seldom SEEN"], "when": RICH, "not_in": "Bset"})
    names = {"low": "Seldom seen", "high": "Best"}
    with pytest.raises(ConfigError) as error:
        resolve_rules(settings, SEGMENTS.values(), names)
    assert [(problem.key, problem.suggestion) for problem in error.value.problems] == [
        ("segments.rules.0.not_in", "Best")
    ]


def test_a_gate_on_groups_says_whose() -> None:
    with pytest.raises(ValidationError, match=r"max_group_difference needs fairness\.attributes"):
        settings_of(gates={"max_group_difference": 0.2})
    declared = {"identity": {"attributes": {"country": {"from": "properties.country"}}}}
    asked = {**declared, "segments": {"fairness": {"attributes": ["country", "contry"]}}}
    assert [(problem.key, problem.suggestion) for problem in check_attributes(asked)] == [
        ("segments.fairness.attributes.1", "country")
    ]
    told = {**declared, "features": {"checks": {"proxies": {"attributes": ["countri"]}}}}
    assert [(problem.key, problem.suggestion) for problem in check_attributes(told)] == [
        ("features.checks.proxies.attributes.0", "country")
    ]
    encoded = {
        "attributes": {"contry": {}},
        "transform": {"cohorts": {"attribute": "plan"}},
        "parts": {"attribute": "x"},
    }
    assert [(problem.key, problem.suggestion) for problem in check_attributes({**declared, "clustering": encoded})] == [
        ("clustering.attributes.contry", "country"),
        ("clustering.transform.cohorts.attribute", None),
        ("clustering.parts.attribute", None),
    ]
    french = {"any": [{"field": "attributes.countrie", "equals": "FR"}]}
    defined = {"define": [{"table": "persons", "of": "attributes.age"}, {"table": "persons", "where": french}]}
    assert [(problem.key, problem.suggestion) for problem in check_attributes({**declared, "features": defined})] == [
        ("features.define.0.of", None),
        ("features.define.1.where.any.0.field", "country"),
    ]
    for malformed in ({}, {"segments": 3}, {"segments": {"fairness": {"attributes": "x"}}}, {"segments": None}):
        assert check_attributes(malformed) == []
