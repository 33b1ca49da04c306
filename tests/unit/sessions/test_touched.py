"""Cutting what has changed gives what cutting everything gives, whatever has changed."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F
from tests.factories import event_rows, identity_values, table_rows

from segmentation.config.sessions import SessionSettings
from segmentation.contracts.behaviour import SESSIONS
from segmentation.sessions.attach import attach_persons
from segmentation.sessions.cut import cut_sessions
from segmentation.sessions.touched import (
    find_changes,
    find_windows,
    touched_by_events,
    touched_by_moves,
    touched_by_the_end,
    within_windows,
)

HOUSEHOLDS = 40
"""Each has people, identifiers and a history of its own, so that one query looks at them all."""

TRUST = ("user_id", "cookie")
START = datetime(2026, 3, 1)
THEN, NOW = date(2026, 3, 3), date(2026, 3, 4)

HOW: dict[str, dict[str, Any]] = {
    "as it comes": {"boundary": "same"},
    "by device, with ends": {"by": "device", "end_events": ["logout"], "passive_events": ["mail"], "max_hours": 2},
    "the source's own": {"trust_source": True, "max_hours": 1},
    "by campaign": {"campaign_property": "campaign"},
    "kept for a day": {"max_hours": 1},
}


def _event(draw: random.Random, house: int, number: int, batch: int) -> dict[str, Any]:
    # Around midnight, and the last of them behind the end of the first date.
    at = START + timedelta(days=draw.randrange(3 if batch == 1 else 4), hours=22, minutes=10 * draw.randrange(24))
    ids = {"user_id": f"{house}-u{draw.randrange(2)}", "cookie": f"{house}-c{draw.randrange(3)}"}
    return {
        "event_id": f"{house}-{number}",
        "event_name": draw.choice(["view", "view", "logout", "mail"]),
        "event_ts": at,
        "identifiers": {kind: ids[kind] for kind in draw.choice([["user_id"], ["cookie"], ["user_id", "cookie"]])},
        "amount": draw.choice([None, 1.5]),
        "platform": draw.choice([None, "web", "app"]),
        "session_key": draw.choice([None, None, "k1", "k2"]),
        "properties": {"campaign": draw.choice(["x", "y"])} if draw.random() < 0.3 else {},
        "batch_seq": batch,
    }


def _owner_rows(owners: dict[tuple[str, str], str], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `identity_map`, of the identifiers that the events have."""
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events:
        for one in event["identifiers"].items():
            seen.setdefault(one, []).append(event)
    rows = []
    for row in identity_values({one: who for one, who in owners.items() if one in seen}):
        of_it = seen[row["identifier_type"], row["identifier_value"]]
        times, batches = [event["event_ts"] for event in of_it], [event["batch_seq"] for event in of_it]
        rows.append({**row, "first_seen": min(times), "last_seen": max(times), "first_batch_seq": min(batches)})
    return rows


@pytest.mark.parametrize("how", HOW)
def test_cutting_what_has_changed_gives_what_cutting_everything_gives(spark: SparkSession, how: str) -> None:
    draw, params = random.Random(how), SessionSettings(**HOW[how])
    old: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    then: dict[tuple[str, str], str] = {}
    now: dict[tuple[str, str], str] = {}
    for house in range(HOUSEHOLDS):
        old += [_event(draw, house, number, 1) for number in range(draw.choice([5, 30]))]
        new += [_event(draw, house, 100 + number, 2) for number in range(draw.choice([0, 0, 1, 4]))]
        mine = {(k, f"{house}-{k[0]}{n}"): f"{house}-p{n % 2}" for k, n in [("user_id", n) for n in (0, 1)]}
        mine |= {("cookie", f"{house}-c{n}"): f"{house}-p{n % 2}" for n in range(3)}
        then |= mine
        for one in draw.sample(list(mine), draw.choice([0, 0, 1, 2])):
            mine[one] = f"{house}-p{draw.choice([0, 1, 'new'])}"
        now |= mine
    known = [event for event in old if event["event_ts"] < datetime(2026, 3, 4)]
    coming = [event for event in old if event not in known] + new
    owners_then = table_rows(spark, "identity_map", _owner_rows(then, old))
    owners_now = table_rows(spark, "identity_map", _owner_rows(now, old + new))

    is_kept, oldest = F.lit(True), None
    before = SESSIONS.conform(
        cut_sessions(
            attach_persons(event_rows(spark, known).drop("person_id"), owners_then, TRUST), params, THEN, TRUST
        )
    )
    if how == "kept for a day":
        before = before.where(F.col("session_start") >= F.lit(THEN - timedelta(days=1)))
        oldest = NOW - timedelta(days=1)
        is_kept = F.col("session_start") >= F.lit(oldest)
    events = attach_persons(event_rows(spark, known + coming).drop("person_id"), owners_now, TRUST)
    everything = SESSIONS.conform(cut_sessions(events, params, NOW, TRUST)).where(is_kept)
    arrived = attach_persons(event_rows(spark, coming).drop("person_id"), owners_now, TRUST)
    touched = (
        touched_by_events(arrived, params)
        .unionByName(touched_by_moves(owners_then, owners_now, 1))
        .unionByName(touched_by_the_end(before))
    )
    windows = find_windows(touched, before, params, oldest).localCheckpoint()
    cut = cut_sessions(within_windows(events, windows), params, NOW, TRUST).where(is_kept)
    changes = find_changes(cut, windows).localCheckpoint()

    def rows(frame: Any) -> list[Row]:
        return frame.orderBy("session_id").collect()

    was = {row["session_id"]: row for row in before.collect()}
    changed = before.where(is_kept).join(changes, "session_id", "left_anti").select(*SESSIONS.column_names)
    assert rows(changed.unionByName(changes.where("NOT gone").drop("gone"))) == rows(everything)
    now = changes.where("NOT gone").drop("gone").collect()
    assert not [row for row in now if was.get(row["session_id"]) == row], "what is as it was is none of the changes"
    if how in ("as it comes", "by device, with ends"):
        looked_at = windows.agg(F.sum(F.size("stale"))).collect()[0][0]
        assert looked_at < before.count() / 2
    assert len(now) > 50
    assert not changes.where("gone").isEmpty()
