"""Whether people would have stayed, had less been known of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, identity_rows, minimal_settings

from segmentation.segments.hindsight import Evidence, blame_hindsight

BEFORE, NOW = date(2026, 3, 7), date(2026, 3, 14)
SETTINGS = minimal_settings(features={"library": ["frequency"], "purchase": {"event": "buy"}})


def _buys(cookie: str, *days: int, seq: int = 1) -> list[dict[str, Any]]:
    return [
        {"event_id": f"{cookie}-{day}", "event_name": "buy", "event_ts": datetime(2026, 3, day, 12), "batch_seq": seq}
        | {"identifiers": {"cookie": cookie}}
        for day in days
    ]


def _place(features: DataFrame) -> DataFrame:
    """Whoever bought three times is frequent."""
    segment = F.when(F.col("frequency") >= 3, "frequent").otherwise("rare")
    return features.select("person_id", segment.alias("segment_id"))


def test_a_move_is_blamed_on_what_became_known_where_the_person_would_have_stayed(spark: SparkSession) -> None:
    events = [
        # Both cookies turned out to be one person's.
        *_buys("ann-1", 1, 2),
        *_buys("ann-2", 3),
        # One of three came late.
        *_buys("bob", 1, 2),
        *_buys("bob", 3, seq=2),
        # Bought again since.
        *_buys("cy", 1, 2),
        *_buys("cy", 9, seq=2),
        # Both cookies are one person's too, but either alone would have moved.
        *_buys("dee-1", 1, 2),
        *_buys("dee-1", 9, seq=2),
        *_buys("dee-2", 3),
        # Came late, and would have moved without.
        *_buys("eve", 1, 2),
        *_buys("eve", 4, 10, seq=2),
    ]
    once = {"ann-1": "ann", "ann-2": "ann's other", "dee-1": "dee", "dee-2": "dee's other"}
    once |= {name: name for name in ("bob", "cy", "eve")}
    now = {cookie: person.split("'")[0] for cookie, person in once.items()}
    maps = [identity_rows(spark, {("cookie", c): p for c, p in owners.items()}) for owners in (once, now)]
    evidence = Evidence(event_rows(spark, events).drop("person_id"), *maps, 1, BEFORE, NOW)
    moves = [(who, "rare", "frequent", "behaviour") for who in sorted({*now.values()})]
    moves += [("fay", "rare", "frequent", "refit"), ("ann's other", "rare", None, "left")]
    changes = spark.createDataFrame(
        moves, "person_id string, from_segment_id string, to_segment_id string, cause string"
    )
    found = blame_hindsight(changes, evidence, _place, SETTINGS)
    assert found.columns == changes.columns
    assert {row.person_id: row.cause for row in found.collect()} == {
        "ann": "identity",
        "bob": "late_data",
        "cy": "behaviour",
        "dee": "behaviour",
        "eve": "behaviour",
        "fay": "refit",
        "ann's other": "left",
    }


def test_where_nothing_more_became_known_nothing_is_measured(spark: SparkSession) -> None:
    owners = identity_rows(spark, {("cookie", "cy"): "cy"})
    evidence = Evidence(event_rows(spark, _buys("cy", 1, 9)).drop("person_id"), owners, owners, 1, BEFORE, NOW)
    changes = spark.createDataFrame(
        [("cy", "rare", "frequent", "behaviour")],
        "person_id string, from_segment_id string, to_segment_id string, cause string",
    )

    def never(_: DataFrame) -> DataFrame:
        raise AssertionError("nobody has to be placed again")

    assert blame_hindsight(changes, evidence, never, SETTINGS).collect() == changes.collect()
