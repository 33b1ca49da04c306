"""Rules that stand in for the model."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.rules import Condition, Rule, SegmentRules, describe_rule, find_rules, rules_json
from segmentation.profiles.statistics import profile_segments

CATALOGUE = {
    "monetary": FeatureInfo("monetary", "Spend", "money", "", "value", "high-value", "low-value"),
    "recency": FeatureInfo("recency", "Days since last visit", "days", "", "loyalty", "lapsing", "recent"),
}


def _people() -> pd.DataFrame:
    random = np.random.default_rng(5)
    people = pd.DataFrame(
        {
            "person_id": [f"p{i:04d}" for i in range(800)],
            "monetary": np.round(random.uniform(0, 1000, 800), 2),
            "recency": random.integers(0, 100, 800).astype(float),
            "noise": random.normal(size=800),
        }
    )
    rich = np.where(people["recency"] > 49.5, "lapsing", "loyal")
    people["segment_id"] = np.where(people["monetary"] > 700, rich, "low")
    return people


def _find(spark: SparkSession, people: pd.DataFrame) -> dict[str, SegmentRules]:
    rows = spark.createDataFrame(people)
    assigned, features = rows.select("person_id", "segment_id"), rows.drop("segment_id")
    return find_rules(assigned, features, profile_segments(assigned, features), ["monetary", "noise", "recency"])


def test_segments_cut_by_conditions_are_found_by_these(spark: SparkSession) -> None:
    people = _people()
    found = _find(spark, people)
    assert {rules.fidelity for rules in found.values()} == {found["low"].fidelity}
    assert found["low"].fidelity > 0.995
    (loyal,) = found["loyal"].rules
    bounds = {(c.feature, c.operator): c.value for c in loyal.conditions}
    assert bounds.keys() == {("monetary", ">"), ("recency", "<=")}
    assert bounds["monetary", ">"] == pytest.approx(700, abs=10)
    assert bounds["recency", "<="] == pytest.approx(49.5, abs=1.5)
    meant = people[(people["monetary"] > bounds["monetary", ">"]) & (people["recency"] <= bounds["recency", "<="])]
    assert (loyal.people, loyal.right) == (len(meant), (meant["segment_id"] == "loyal").sum())
    assert found["loyal"].recall == pytest.approx(loyal.right / (people["segment_id"] == "loyal").sum())
    assert _find(spark, people.sample(frac=1, random_state=1)) == found, "rows in another order grow the same tree"


def test_rules_that_find_as_many_stand_in_the_order_of_their_conditions(spark: SparkSession) -> None:
    spent = np.arange(600, dtype=float)
    people = pd.DataFrame({"person_id": [f"p{i}" for i in range(600)], "monetary": spent, "recency": 1.0, "noise": 0.0})
    people["segment_id"] = np.where((spent >= 200) & (spent < 400), "middle", "edges")
    rules = _find(spark, people)["edges"].rules
    assert [(rule.right, [c.operator for c in rule.conditions]) for rule in rules] == [(200, ["<="]), (200, [">"])]


def test_one_segment_needs_no_condition(spark: SparkSession) -> None:
    people = _people().assign(segment_id="all")
    (rules,) = _find(spark, people).values()
    assert (rules.rules, rules.fidelity, rules.recall) == ((Rule((), 800, 800),), 1.0, 1.0)


def test_rules_are_told_in_words_and_as_json() -> None:
    rule = Rule(
        (Condition("monetary", ">", 1200.0), Condition("recency", ">", 3.0), Condition("recency", "<=", 14)), 90, 81
    )
    text = "Spend more than 1,200 and days since last visit between 3 and 14 days"
    assert describe_rule(rule, CATALOGUE) == text
    assert json.loads(rules_json(SegmentRules((rule,), 0.91234567, 0.9, 0.5), CATALOGUE)) == {
        "fidelity": 0.9123,
        "precision": 0.9,
        "recall": 0.5,
        "any_of": [
            {
                "all_of": [
                    {"feature": "monetary", "operator": ">", "value": 1200.0},
                    {"feature": "recency", "operator": ">", "value": 3.0},
                    {"feature": "recency", "operator": "<=", "value": 14},
                ],
                "people": 90,
                "right": 81,
                "text": text,
            }
        ],
    }
