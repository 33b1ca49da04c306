"""What the people of each arm did since they were assigned to it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from pyspark.sql import SparkSession
from tests.factories import event_rows, table_rows

from segmentation.experiments.lift import Arm
from segmentation.experiments.outcomes import Outcomes, read_outcomes, sum_outcomes


def test_only_what_came_after_the_assignment_counts(spark: SparkSession) -> None:
    assigned = [
        ("p1", "treated", "s-1", 1),
        ("p2", "treated", "s-1", 10),
        ("p3", "control", "s-1", 1),
        ("p4", "control", "s-2", 1),
        ("p5", "treated", "s-1", 1),
    ]
    holdouts = table_rows(
        spark,
        "holdouts",
        [
            {"audience": "a", "person_id": who, "arm": arm, "stratum": stratum, "assigned_as_of": date(2026, 3, day)}
            for who, arm, stratum, day in assigned
        ]
        # In another audience the same person has another arm, from another day on.
        + [
            {"audience": "b", "person_id": "p1", "arm": "control", "stratum": "s-1"}
            | {"assigned_as_of": date(2026, 3, 2)}
        ],
    )
    bought = [
        ("p1", 2, 10),
        ("p1", 3, 2.5),
        ("p1", 1, 99),
        ("p2", 10, 99),
        ("p3", 5, None),
        ("else", 5, 99),
        ("p5", 2, 4),
        # Ninety days before the assignment of p3, and so too early to tell anything.
        ("p3", -90 + 1, 99),
    ]
    purchases = event_rows(
        spark,
        [
            {"person_id": who, "event_ts": datetime(2026, 2, 28, 12) + timedelta(days=day), "amount": sum_}
            for who, day, sum_ in bought
        ],
    )
    found = read_outcomes(sum_outcomes(holdouts, purchases))
    assert found["a"] == Outcomes(
        date(2026, 3, 1),
        {
            "s-1": {"treated": Arm(3, 2, 16.5, 172.25, 198, 19602, 1237.5), "control": Arm(1, 1, 0, 0)},
            "s-2": {"control": Arm(1, 0, 0, 0)},
        },
    )
    groups = found["a"].groups["s-1"]["treated"]
    assert len(groups) == 3, "three people in three of two hundred groups"
    assert sum(groups, Arm(0, 0, 0, 0)) == found["a"].arms["s-1"]["treated"]
    assert found["b"] == Outcomes(date(2026, 3, 2), {"s-1": {"control": Arm(1, 1, 2.5, 6.25, 109, 11881, 272.5)}})
