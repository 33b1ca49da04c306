"""Finding in a table, by the data map, what is held on people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.events import strongest_type
from segmentation.privacy.data_map import Held

IDENTIFIER = ("identifier_type", "identifier_value")


@dataclass(frozen=True)
class Subjects:
    """People looked for, few against the tables: `people` (`person_id`), and all their `identifiers`
    (`identifier_type`, `identifier_value` as the tables have it)."""

    people: DataFrame
    identifiers: DataFrame


def own_rows(table: DataFrame, held: Held, subjects: Subjects, trust: Sequence[str]) -> DataFrame:
    """The rows that are these people's own. `trust`: identifier types, strongest first.

    Of a pair of identifiers both have to be theirs: the other end of a shared device is somebody else's.
    """
    if held.identifier_map:
        return _led_by(table, held.identifier_map, subjects, trust)
    for pair in held.identifiers:
        table = table.join(F.broadcast(subjects.identifiers.toDF(*pair)), list(pair), "left_semi")
    if held.identifiers:
        return table
    assert held.person is not None, "a table that holds something says whose it is"
    return table.join(F.broadcast(subjects.people.toDF(held.person)), held.person, "left_semi")


def carried(table: DataFrame, column: str, types: Sequence[str]) -> DataFrame:
    """Identifiers of these types that the rows carry in a map type -> value. Grain out: one identifier."""
    found = table.select(F.explode(column).alias(*IDENTIFIER))
    return found.where(F.col("identifier_type").isin(list(types))).distinct()


def _led_by(table: DataFrame, column: str, subjects: Subjects, trust: Sequence[str]) -> DataFrame:
    leading = table.withColumn("_type", strongest_type(trust)).withColumn("_value", F.col(column)[F.col("_type")])
    owned = leading.join(F.broadcast(subjects.identifiers.toDF("_type", "_value")), ["_type", "_value"], "left_semi")
    return owned.drop("_type", "_value")
