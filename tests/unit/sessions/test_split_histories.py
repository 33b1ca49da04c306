"""However a history comes, its sessions are those of the history: from the rows of a source to sessions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.factories import minimal_settings

from segmentation.config.sessions import SessionSettings
from segmentation.contracts.events import EVENTS
from segmentation.identity.batches import list_batches
from segmentation.identity.observations import combine_identifiers, list_identifiers, pair_identifiers
from segmentation.identity.overrides import plan_steps
from segmentation.identity.replay import replay_batches
from segmentation.ingest.conform import REASONS, conform_rows
from segmentation.ingest.duplicates import find_suspects, split_duplicates
from segmentation.ingest.mapping import check_mapping
from segmentation.ingest.reading import describe_rows
from segmentation.sessions.attach import attach_persons
from segmentation.sessions.cut import cut_sessions

SPLIT = minimal_settings(
    sources=[
        {
            "name": "web",
            "format": "csv",
            "path": "none",
            "columns": {
                "event_id": "id",
                "event_name": "name",
                "event_ts": "at",
                "amount": "paid",
                "identifiers": {"user_id": "uid", "cookie": "cookie"},
            },
        }
    ],
    identity={"identifiers": {"user_id": {}, "cookie": {}}},
)
Line = tuple[str, str, str, str | None, str | None, str | None]


def _history(draw: random.Random) -> list[Line]:
    """Some people, each with devices on which they sign in now and then, in bursts of events; some rows are broken."""
    lines: list[Line] = []
    for person in range(6):
        at = datetime(2026, 3, 1, 20)
        for number in range(40):
            at += timedelta(minutes=draw.choice([0, 0, 3, 10, 29, 30, 31, 300]))
            cookie = draw.choice([f"c{person}a", f"c{person}b", None])
            user = f"u{person}" if cookie is None or draw.random() < 0.4 else None
            when = "soon" if draw.random() < 0.05 else f"{at:%Y-%m-%d %H:%M:%S}"
            name = draw.choice(["view", "buy", "logout"])
            lines.append((f"e{person}-{number}", name, when, user, cookie, "1.5" if name == "buy" else None))
    return lines


def _sessions_of(spark: SparkSession, batches: Sequence[Sequence[Line]]) -> list[tuple[Any, ...]]:
    """What batches give that are taken in one after the other: sessions, and which of them are one person's."""
    source, identity = SPLIT.sources[0], SPLIT.identity
    taken: DataFrame | None = None
    for seq, lines in enumerate(batches, 1):
        columns = ", ".join(f"{name} string" for name in ("id", "name", "at", "uid", "cookie", "paid"))
        rows = describe_rows(spark, source, spark.createDataFrame(lines, columns))
        mapping, problems = check_mapping(spark, source, "sources.0.columns", identity, rows)
        assert not problems
        conformed = conform_rows(rows, mapping, identity, None, SPLIT.traffic, datetime(2026, 4, 1, tzinfo=UTC)).df
        good = conformed.where(F.size(REASONS) == 0).withColumns({"batch_id": F.lit(str(seq)), "batch_seq": F.lit(seq)})
        earlier = good.limit(0) if taken is None else taken
        new, _ = split_duplicates(good, earlier, find_suspects(good, earlier))
        new = new.select(*EVENTS.column_names)
        taken = (new if taken is None else taken.unionByName(new)).localCheckpoint()
    assert taken is not None
    seen = combine_identifiers(taken).persist()
    identifiers, pairs = list_identifiers(seen, identity).persist(), pair_identifiers(seen).persist()
    found = replay_batches(identifiers, pairs, plan_steps(list_batches(seen), []), identity).members
    owners = found.select(F.col("type").alias("identifier_type"), F.col("value").alias("identifier_value"), "person_id")
    params, trust = SessionSettings(end_events=["logout"], max_hours=2), list(identity.identifiers)
    sessions = cut_sessions(attach_persons(taken, owners, trust), params, date(2026, 3, 31), trust).collect()
    # Who came first is the older person, so their ids differ with the order; which sessions are theirs does not.
    named: dict[str, str] = {}
    for row in sorted(sessions):
        named.setdefault(row["person_id"], row["session_id"])
    return sorted(
        (named[row["person_id"]], *(row[name] for name in row.__fields__ if name != "person_id")) for row in sessions
    )


def test_a_history_in_batches_of_any_order_gives_the_sessions_of_the_sorted_whole(spark: SparkSession) -> None:
    draw = random.Random(5)
    lines = _history(draw)
    expected = _sessions_of(spark, [sorted(lines, key=lambda line: line[2])])
    assert len(expected) > 60
    assert len({session[0] for session in expected}) == 6
    sent = lines + draw.sample(lines, 60)
    draw.shuffle(sent)
    cuts = sorted(draw.sample(range(1, len(sent)), 3))
    batches = [sent[first:last] for first, last in pairwise([0, *cuts, len(sent)])]
    assert _sessions_of(spark, batches) == expected
