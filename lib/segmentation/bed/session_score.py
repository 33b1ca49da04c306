"""How well sessions follow the true visits."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.bed.agreement import compare_partitions
from segmentation.contracts.table import check_columns


@dataclass(frozen=True)
class SessionScore:
    """Figures over the true visits that have an event in the warehouse."""

    visits: int
    sessions: int
    exactly_right: float
    """Share of visits that are one session, whole, with nothing else in it."""
    split: float
    """Share of visits whose events are in several sessions."""
    merging_sessions: float
    """Share of sessions that hold events of several visits."""
    events_without_session: int


def score_sessions(events: DataFrame, sessions: DataFrame, truth: DataFrame) -> SessionScore:
    """Compares sessions with true visits, event by event.

    In: `events` with the `person_id` to whom each belongs, `sessions`, and `truth.tell_sessions`. An event is in the
    session of its person that spans its time.
    """
    check_columns(events, {"event_id", "event_ts", "person_id"}, "the events")
    check_columns(sessions, {"session_id", "person_id", "session_start", "session_end"}, "the sessions")
    check_columns(truth, {"event_id", "visit"}, "the true visits")
    known = events.join(truth.select("event_id", "visit"), "event_id").select(
        "event_id", "event_ts", "person_id", "visit"
    )
    spans = sessions.select("session_id", F.col("person_id").alias("whose"), "session_start", "session_end")
    spanned = known.join(
        spans,
        (F.col("person_id") == F.col("whose"))
        & (F.col("event_ts") >= F.col("session_start"))
        & (F.col("event_ts") <= F.col("session_end")),
        "left",
    )
    # Where one session ends at the moment the next one starts, the event counts for the earlier.
    first = F.min_by("session_id", F.struct("session_start", "session_id")).alias("session")
    placed = spanned.groupBy("event_id", "visit").agg(first).localCheckpoint()
    found = compare_partitions(placed, "session", "visit")
    without = placed.where("session is null").count()
    return SessionScore(
        visits=found.true_groups,
        sessions=found.found_groups,
        exactly_right=found.group_recall,
        split=found.split_groups / found.true_groups if found.true_groups else 0.0,
        merging_sessions=found.mixed_groups / found.found_groups if found.found_groups else 0.0,
        events_without_session=without,
    )
