"""Who is who after one day more of ninety, which brings one pair in a hundred, all of them new; and who is who of
everybody at once, against who hangs together at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scripts.benchmarks import AS_OF
from scripts.benchmarks.inputs import copy_warehouse, whole
from scripts.benchmarks.one_day import context_of
from scripts.benchmarks.ours import connect

from segmentation.runtime.stage import Earlier, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import identity

_DAYS = 90
_SIGHTINGS = 3
"""Events that have both of a pair, on days of their own."""
_GROUP = 8
"""Pairs of one person."""
_CHAIN = 300
_SETTINGS = {"identifiers": {"user_id": {"max_per_person": 1}, "email": {}, "cookie": {}}}


def make_warehouse(spark: SparkSession, rows: int, path: Path) -> None:
    """A warehouse that knows who is who after 89 days, each a batch, to which then the events of one more day were
    added. `rows` are pairs: persons with a user id, two e-mails and five cookies, one pair in fifty of which ties two
    of them, a kiosk that one in five hundred used, and a chain."""
    warehouse = Warehouse(spark, str(path / "warehouse"), "benchmark")
    events = _make_events(spark, rows)
    for last in (False, True):
        arrived = events.where((F.col("batch_seq") == _DAYS) == F.lit(last))
        warehouse.append("events", arrived.repartitionByRange(4, "event_ts"))
        if not last:
            identity.STAGE.run(_context(spark, warehouse, None))


def _make_events(spark: SparkSession, rows: int) -> DataFrame:
    number, pair = F.col("id"), F.col("id") % rows
    home = F.floor(pair / _GROUP)
    other = whole(max(rows // _GROUP, 1), "away", pair)
    away = F.when(whole(50, "stray", pair) == 0, other).otherwise(home)
    left = whole(3, "left", pair)
    email = F.sha2(F.concat_ws("-", home, left), 256)
    cookie = F.md5(F.concat_ws("-", away, whole(5, "right", pair)))
    cookie = F.when(whole(500, "kiosk", pair) == 0, "kiosk").otherwise(cookie)
    chained = pair < _CHAIN
    links = [F.concat(F.lit("chain"), F.floor((pair + end) / 2).cast("string")) for end in (0, 1)]
    signs_in = (left == 0) & ~chained
    named = F.create_map(
        F.when(signs_in, "user_id").otherwise("email"),
        F.when(chained, links[0]).when(signs_in, F.concat(F.lit("u"), home.cast("string"))).otherwise(email),
        F.lit("cookie"),
        F.when(chained, links[1]).otherwise(cookie),
    )
    day = F.when(whole(100, "new", pair) == 0, _DAYS - 1).otherwise(whole(_DAYS - 1, "day", number))
    midnight = F.unix_seconds(F.to_timestamp(F.date_sub(F.lit(AS_OF), _DAYS - 1))) + 86_400 * day
    at = F.timestamp_seconds(midnight + whole(86_400, "second", number))
    said = {"event_name": "view", "source": "web", "batch_id": "web", "platform": "web"}
    unsaid = ("received_ts", "session_key", "currency", "amount", "properties", "weight")
    return spark.range(rows * _SIGHTINGS).select(
        F.md5(number.cast("string")).alias("event_id"),
        at.alias("event_ts"),
        F.to_date(at).alias("event_date"),
        named.alias("identifiers"),
        (day + 1).alias("batch_seq"),
        *(F.lit(False).alias(name) for name in ("is_bot", "is_test")),
        *(F.lit(value).alias(name) for name, value in said.items()),
        *(F.lit(None).alias(name) for name in unsaid),
    )


def make_graph(spark: SparkSession, rows: int, path: Path) -> None:
    """A warehouse with the same events in one batch, of whom nobody is known yet."""
    events = _make_events(spark, rows).withColumn("batch_seq", F.lit(1).cast("long"))
    Warehouse(spark, str(path / "warehouse"), "benchmark").append("events", events.repartitionByRange(4, "event_ts"))


def connect_everything(spark: SparkSession, source: Path, target: Path) -> None:
    """Plain GraphFrames on the pairs of the same events: neither guards, nor ids that stay, nor a history."""
    named = F.transform(F.map_entries("identifiers"), lambda e: F.xxhash64(e["key"], e["value"]))
    events = Warehouse(spark, str(source / "warehouse"), "benchmark").read("events")
    edges = events.select(F.array_sort(named).alias("ends")).selectExpr("ends[0] AS src", "ends[1] AS dst").distinct()
    connect(edges).write.format("delta").save(str(target / "identity_map"))


def resolve_the_day(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `identity`, going on from the day before."""
    _run(spark, source, target, Earlier({"events": 1}, AS_OF))


def resolve_everything(spark: SparkSession, source: Path, target: Path) -> None:
    """The stage `identity` with --full."""
    _run(spark, source, target, None)


def _run(spark: SparkSession, source: Path, target: Path, earlier: Earlier | None) -> None:
    copy_warehouse(source / "warehouse", target)
    identity.STAGE.run(_context(spark, Warehouse(spark, str(target), "benchmark"), earlier))


def _context(spark: SparkSession, warehouse: Warehouse, earlier: Earlier | None) -> StageContext:
    tables = (*identity.STAGE.reads, *identity.STAGE.state)
    return context_of(spark, warehouse, {"identity": _SETTINGS}, tables, AS_OF, earlier)


def count_identifiers(target: Path) -> dict[str, int]:
    """Identifiers: of how many are one person's, nothing that knows no guards could say the same."""
    return {"identifiers": DeltaTable(target / "identity_map").to_pyarrow_table(columns=["component"]).num_rows}


def count_people(target: Path) -> dict[str, int]:
    """Identifiers, and the people whose they are."""
    people = DeltaTable(target / "identity_map").to_pyarrow_table(columns=["person_id"])["person_id"]
    return {"identifiers": len(people), "people": int(pc.count_distinct(people).as_py())}
