"""The input of each stage, made by Spark: every value is a hash of the row's number and the seed.

So the rows are the same whatever the number of partitions, and a hundred million come from the same code as a thousand.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scripts.benchmarks import AS_OF

from segmentation.contracts.table import MONEY

SEED = 4

_DAYS = 90
_EVENTS_A_PERSON = 50
_BLOCK = 16
_VISIT_SECONDS = 20 * 60
_GROUP = 8
COORDINATES = tuple(f"x{number}" for number in range(20))
"""The features that clusters are looked for in."""

KINDS = 8
"""Of people, who overlap."""


def make_events(spark: SparkSession, rows: int, path: Path) -> None:
    """Events with `person_id`: visits of about eight within 20 minutes, on 90 days, of a fiftieth as many people."""
    people = max(rows // _EVENTS_A_PERSON, 1)
    block, place = F.floor(F.col("id") / _BLOCK), F.col("id") % _BLOCK
    # A block of events is two visits, cut at a place of its own, so that visits differ in length.
    visit = 2 * block + (place > whole(_BLOCK - 1, "split", block)).cast("long")
    # The square makes some people come far more often than others.
    person = F.floor(F.pow(_share("person", visit), 2) * people)
    second = whole(_DAYS * 86_400 - _VISIT_SECONDS, "start", visit) + whole(_VISIT_SECONDS, "within", F.col("id"))
    first_day = F.unix_seconds(F.to_timestamp(F.date_sub(F.lit(AS_OF), _DAYS - 1)))
    kind = whole(20, "event", F.col("id"))
    name = F.when(kind < 1, "purchase").when(kind < 4, "add_to_cart").when(kind < 7, "search").otherwise("view")
    platform = F.element_at(F.array(*map(F.lit, ("web", "ios", "android"))), (person % 3 + 1).cast("int"))
    at = F.timestamp_seconds(first_day + second)
    events = _numbers(spark, rows).select(
        F.concat(F.lit("p"), F.md5(person.cast("string"))).alias("person_id"),
        F.md5(F.col("id").cast("string")).alias("event_id"),
        name.alias("event_name"),
        at.alias("event_ts"),
        F.to_date(at).alias("event_date"),
        F.when(kind < 1, (whole(20_000, "amount", F.col("id")) + 1).cast(MONEY) / 100).cast(MONEY).alias("amount"),
        platform.alias("platform"),
    )
    events.write.parquet(str(path))


def make_edges(spark: SparkSession, rows: int, path: Path) -> None:
    """Edges of an identity graph: eight between eight names of one person, one in fifty to a name of another."""
    edge = F.col("id")
    home = F.floor(edge / _GROUP)
    away = F.when(whole(50, "strays", edge) == 0, whole(max(rows // _GROUP, 1), "away", edge)).otherwise(home)
    # Names are hashes, as those of identifiers are.
    left = F.xxhash64(F.lit(SEED), home * _GROUP + whole(_GROUP, "left", edge))
    right = F.xxhash64(F.lit(SEED), away * _GROUP + whole(_GROUP, "right", edge))
    edges = _numbers(spark, rows).select(left.alias("left_node"), right.alias("right_node"))
    edges.where("left_node != right_node").write.parquet(str(path))


def make_people(spark: SparkSession, rows: int, path: Path) -> None:
    """People with twenty coordinates: eight kinds that overlap."""
    row = F.col("id")
    kind = whole(KINDS, "kind", row)
    coordinates = [
        # The sum of three even draws is near enough to a bell.
        (
            3 * _share(f"middle {name}", kind)
            + sum((_share(f"{name} {draw}", row) for draw in range(3)), F.lit(0.0))
            - F.lit(1.5)
        ).alias(name)
        for name in COORDINATES
    ]
    people = _numbers(spark, rows).select(F.md5(row.cast("string")).alias("person_id"), *coordinates)
    people.write.parquet(str(path))


def copy_warehouse(source: Path, target: Path) -> None:
    """A warehouse that a round may change. Files of a table never do, so links will be enough."""
    shutil.copytree(source, target, copy_function=lambda of, to: Path(to).hardlink_to(of))


def _numbers(spark: SparkSession, rows: int) -> DataFrame:
    # Several files even for few rows, as tables have.
    return spark.range(0, rows, 1, numPartitions=4)


def whole(below: int, what: str, *of: Column) -> Column:
    """An even draw from 0 … below−1."""
    return F.pmod(F.xxhash64(F.lit(SEED), F.lit(what), *of), F.lit(below))


def _share(what: str, *of: Column) -> Column:
    """An even draw from 0 to 1."""
    return whole(1 << 30, what, *of) / F.lit(float(1 << 30))
