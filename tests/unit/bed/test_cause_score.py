"""Whether the causes that are told are those of the world: cases by hand."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, SparkSession

from segmentation.bed.cause_score import CauseScore, score_causes

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


def _score(spark: SparkSession, moves: list[tuple[str, str | None, str | None, str]], *days: date) -> CauseScore:
    """Of people 1 to 6 the profiles are p1 to p6; 1 changed in March, 2 on its first day, 3 and 4 have late rows, of 4
    and 5 the identifiers are regrouped."""

    def one_column(name: str, *values: str) -> DataFrame:
        return spark.createDataFrame([(value,) for value in values], f"{name} string")

    return score_causes(
        spark.createDataFrame(moves, "person_id string, from_segment_id string, to_segment_id string, cause string"),
        spark.createDataFrame([(str(n), f"p{n}") for n in range(1, 7)], "owner string, person_id string"),
        spark.createDataFrame([(1, date(2026, 3, 2)), (2, MARCH), (3, None)], "person int, changed_on date"),
        one_column("owner", "3", "4", "3"),
        one_column("person_id", "p4", "p5"),
        (days[0], days[-1]),
    )


def test_who_changed_between_the_dates_moved_by_behaviour(spark: SparkSession) -> None:
    moves = [
        ("p1", "s", "t", "behaviour"),
        ("p2", "s", "t", "refit"),
        ("p3", "s", "t", "late_data"),
        ("p9", "s", "t", "refit"),
    ]
    assert _score(spark, moves, MARCH, APRIL) == CauseScore(1, 1.0), "of the others nothing is known"
    assert _score(spark, [("p1", "s", "t", "identity")], MARCH, APRIL) == CauseScore(1, 0.0)
    assert _score(spark, [("p1", None, "t", "new"), ("p1", "s", None, "left")], MARCH, APRIL) == CauseScore(0, 0.0)


def test_on_one_day_nobody_behaved_otherwise(spark: SparkSession) -> None:
    moves = [
        ("p1", "s", "t", "behaviour"),  # wrong
        ("p3", "s", "t", "late_data"),
        ("p4", "s", "t", "identity"),
        ("p5", "s", "t", "late_data"),  # wrong
        ("p6", "s", "t", "refit"),
    ]
    assert _score(spark, moves, APRIL) == CauseScore(5, 3 / 5)
    assert _score(spark, [("p3", "s", "t", "behaviour"), ("p4", "s", "t", "late_data")], APRIL) == CauseScore(2, 0.5)
    assert _score(spark, [("p6", "s", "t", "late_data"), ("p1", "s", "t", "rule")], APRIL) == CauseScore(2, 0.5)
