"""Whose an event is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.traffic import Flagged
from segmentation.contracts.events import strongest_type
from segmentation.contracts.table import check_columns
from segmentation.ingest.traffic import leave_out

_PLAIN = ("event_id", "event_name", "event_ts", "event_date", "is_bot", "is_test", "identifiers")


def end_of(as_of: date) -> datetime:
    """The first moment after `as_of`, UTC."""
    return datetime.combine(as_of + timedelta(days=1), time.min, UTC)


def keep_behaviour(events: DataFrame, as_of: date, flagged: Sequence[Flagged]) -> DataFrame:
    """Events that count: up to the end of `as_of`, and not `flagged` as what is left out (`traffic.leave_out`)."""
    check_columns(events, _PLAIN, "the events")
    in_time = (F.col("event_date") <= F.lit(as_of)) & (F.col("event_ts") < F.lit(end_of(as_of)))
    return leave_out(events.where(in_time), flagged)


def attach_persons(events: DataFrame, identity_map: DataFrame, trust: Sequence[str]) -> DataFrame:
    """Adds `person_id`: the person of the event's most trusted identifier.

    Grain in and out: one event; events whose identifier nobody has are left out. `trust` names identifier types,
    strongest first. One identifier is chosen before the join, so an event meets at most one row of the map.
    """
    check_columns(events, _PLAIN, "the events")
    check_columns(identity_map, ("identifier_type", "identifier_value", "person_id"), "the identity map")
    owners = identity_map.select(
        F.col("identifier_type").alias("_type"), F.col("identifier_value").alias("_value"), "person_id"
    )
    kind = strongest_type(trust)
    return (
        events.withColumn("_type", kind)
        .withColumn("_value", F.col("identifiers")[F.col("_type")])
        .join(owners, ["_type", "_value"], "inner")
        .drop("_type", "_value")
    )


def keep_sessions(sessions: DataFrame, as_of: date) -> DataFrame:
    """Sessions that were over by the end of `as_of`: of the table as it was cut at that date, all."""
    check_columns(sessions, ("session_end",), "the sessions")
    return sessions.where(F.col("session_end") < F.lit(end_of(as_of)))
