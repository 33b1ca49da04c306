"""What is mixed up in the arms of an audience."""

from __future__ import annotations

from datetime import date

from pyspark.sql import SparkSession
from tests.factories import table_rows

from segmentation.experiments.contamination import Contamination, count_contamination


def test_people_of_both_arms_and_controls_that_were_delivered_are_counted(spark: SparkSession) -> None:
    arms = [
        ("a", "p1", "control", None),
        ("a", "p2", "control", "treated"),
        ("a", "p3", "treated", "control"),
        ("a", "p4", "treated", None),
        ("b", "p1", "treated", None),
        ("c", "p1", "control", None),
    ]
    names = ("audience", "person_id", "arm", "other_arm")
    rest = {"stratum": "s-1", "assigned_as_of": date(2026, 3, 1)}
    holdouts = table_rows(spark, "holdouts", [dict(zip(names, row, strict=True)) | rest for row in arms])
    told = [("a", "p1"), ("a", "p1"), ("a", "p4"), ("b", "p1"), ("a", "in no arm")]
    delivered = spark.createDataFrame(told, "audience string, person_id string")
    assert count_contamination(holdouts, delivered) == {
        "a": Contamination(in_both_arms=2, controls_delivered=1),
        "b": Contamination(in_both_arms=0, controls_delivered=0),
        "c": Contamination(in_both_arms=0, controls_delivered=0),
    }
