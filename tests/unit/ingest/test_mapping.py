"""What is wrong with a mapping, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.deliveries import line, settings, source, write_csv

from segmentation.contracts.errors import Problem
from segmentation.ingest.deliveries import validate_sources


def test_every_problem_of_every_source_is_found(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1)])
    first = source(
        path,
        columns={
            "event_name": "evnt",
            "event_ts": "cast(quantity as bigint)",
            "received_ts": "to_timestamp(",
            "amount": "date_add(ts, 'x', 3)",
            "platform": "split(event, ',')",
            "session_key": "max(id)",
        },
    )
    gone = source(tmp_path / "gone.csv", columns={"event_name": "reflect('a', 'b')"})
    problems = validate_sources(spark, settings(tmp_path, first, {**gone, "name": "gone"}))
    assert {problem.key: (problem.value, problem.suggestion) for problem in problems} == {
        "sources.0.columns.event_name": ("evnt", "event"),
        "sources.0.columns.event_ts": ("cast(quantity as bigint)", None),
        "sources.0.columns.received_ts": ("to_timestamp(", None),
        "sources.0.columns.amount": ("date_add(ts, 'x', 3)", None),
        "sources.0.columns.platform": ("split(event, ',')", None),
        "sources.0.columns.session_key": ("max(id)", None),
        "sources.1.columns.event_name": ("reflect('a', 'b')", None),
    }
    by_key = {problem.key.rpartition(".")[2]: problem.message for problem in problems[:-1]}
    assert "no column 'evnt'" in by_key["event_name"]
    assert "timestamp_seconds" in by_key["event_ts"]
    assert "WRONG_NUM_ARGS" in by_key["amount"]
    assert "array<string>" in by_key["platform"]


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"event_id": "email"}, "event_id"),
        ({"session_key": "lower(trim(email))"}, "session_key"),
        ({"properties": {"contact": "cast(email as string)"}}, "properties.contact"),
        ({"identifiers": {"email": "email", "user_id": "email"}}, "identifiers.user_id"),
    ],
)
def test_a_personal_column_is_not_handed_on_in_clear(
    spark: SparkSession, tmp_path: Path, columns: dict[str, object], key: str
) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1)])
    configured = settings(tmp_path, source(path, columns={"identifiers": {"email": "email"}, **columns}))
    (problem,) = validate_sources(spark, configured)
    assert problem.key == f"sources.0.columns.{key}"
    assert "'email' in clear" in problem.message


def test_what_is_made_of_a_personal_column_may_stand_elsewhere(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1)])
    columns = {"identifiers": {"email": "email"}, "properties": {"provider": "split_part(email, '@', 2)"}}
    assert validate_sources(spark, settings(tmp_path, source(path, columns=columns))) == []


def test_a_column_of_source_and_reference_table_is_ambiguous_only_where_it_is_used(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1)])
    products = write_csv(tmp_path / "products.csv", ["e1,toys,3"], header="id,department,price")
    lookups = [{"format": "csv", "path": str(products), "on": ["id"]}]
    good = source(path, lookups=lookups, columns={"amount": None, "properties": {"department": "department"}})
    bad = {**source(path, lookups=lookups), "name": "bad"}
    assert validate_sources(spark, settings(tmp_path, good, bad)) == [
        Problem(
            "sources.1.columns.amount",
            "the column 'price' is in the source and in a reference table; rename one of them",
            "price * quantity",
        )
    ]
