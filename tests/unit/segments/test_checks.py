"""What gates judge beside who is where, on made rows."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import SparkSession

from segmentation.config.segments import Fairness
from segmentation.segments.checks import compare_groups, find_age, find_drift
from segmentation.segments.measured import Measured

DAY, BEFORE = date(2026, 3, 31), date(2026, 3, 24)


def test_drift_is_the_greatest_of_the_models_features_at_the_date(spark: SparkSession) -> None:
    rows = [
        (DAY, "recency", 0.1),
        (DAY, "monetary", 0.4),
        (DAY, "unused", 0.9),
        (DAY, "fresh", None),
        (BEFORE, "recency", 2.0),
    ]
    profiles = spark.createDataFrame(rows, "as_of date, feature string, stability_index double")
    assert find_drift(profiles, DAY, ["recency", "monetary", "fresh"]) == Measured(
        {"drift": 0.4}, {"drift": "monetary"}
    )
    assert find_drift(profiles, DAY, ["fresh"]) == Measured()


def test_age_is_counted_from_the_newest_event_by_the_date(spark: SparkSession) -> None:
    events = spark.createDataFrame([(date(2026, 3, 27),), (date(2026, 3, 1),), (date(2026, 4, 2),)], "event_date date")
    assert find_age(events, DAY) == Measured({"age_days": 4.0})
    assert find_age(events, date(2026, 2, 1)) == Measured()


def test_groups_are_compared_with_everyone(spark: SparkSession) -> None:
    # Of ten people six are in a and four in b; of the north's four all are in a; of the south's five, two.
    where = ["a", "a", "a", "a", "a", "a", "b", "b", "b", "b"]
    region = ["north"] * 4 + ["south", "south", None, "south", "south", "south"]
    people = [(f"p{n}", segment) for n, segment in enumerate(where)]
    attributes = [(f"p{n}", {"region": r} if r else {}) for n, r in enumerate(region)]
    assigned = spark.createDataFrame(people, "person_id string, segment_id string")
    persons = spark.createDataFrame(attributes, "person_id string, attributes map<string,string>")
    asked = Fairness(attributes=["region", "nowhere"], min_people=2)
    found = compare_groups(assigned, persons, asked)
    assert found.figures == {"difference_region": pytest.approx(0.4), "group_region": 4}
    assert found.about == {}, "four people: the value is not written down"
    larger = Fairness(attributes=["region"], min_people=5)
    found = compare_groups(assigned, persons, larger)
    assert found.figures == {"difference_region": pytest.approx(0.2), "group_region": 5}
    assert compare_groups(assigned, persons, Fairness(attributes=["region"], min_people=6)) == Measured()
    assert compare_groups(assigned, persons, Fairness()) == Measured()


def test_of_many_people_it_is_said_which_group_differs_most(spark: SparkSession) -> None:
    people = [(f"p{n}", "a" if n < 30 else "b", {"region": "north" if n < 20 else "south"}) for n in range(60)]
    rows = spark.createDataFrame(people, "person_id string, segment_id string, attributes map<string,string>")
    found = compare_groups(
        rows.drop("attributes"), rows.drop("segment_id"), Fairness(attributes=["region"], min_people=2)
    )
    assert found.figures == {"difference_region": pytest.approx(0.5), "group_region": 20}
    assert found.about == {"difference_region": "north"}
