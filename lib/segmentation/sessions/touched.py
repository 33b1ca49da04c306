"""What has to be cut anew where only some events, or the owners of some identifiers, are new.

Sessions further apart than the timeout know nothing of each other. So around each stretch of a person's time in which
something changed lies a window, as wide as the sessions that it reaches reach themselves, and what is cut of the
events in it alone is what would be cut of all of them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.sessions import SessionSettings
from segmentation.contracts.behaviour import SESSIONS
from segmentation.contracts.table import check_columns

_NO_TIME, _END_OF_TIME = -(2**55), 2**55
"""Microseconds since 1970, before and after any event: a thousand years each way."""

_HELD = ("identifier_type", "identifier_value", "person_id", "first_seen", "last_seen", "first_batch_seq")
_TOUCHED = ("person_id", "from_us", "to_us")


def touched_by_events(events: DataFrame, params: SessionSettings) -> DataFrame:
    """Grain in: one event with its `person_id`, new or changed; out: one person on one day (UTC), with `from_us` and
    `to_us`, the first and last moment of the events, in microseconds since 1970."""
    check_columns(events, ("person_id", "event_date", "event_ts", "event_name"), "the new events")
    acts = events.where(~F.col("event_name").isin(params.passive_events)) if params.passive_events else events
    us = F.unix_micros("event_ts")
    days = acts.groupBy("person_id", "event_date").agg(F.min(us).alias("from_us"), F.max(us).alias("to_us"))
    return days.select(*_TOUCHED)


def touched_by_moves(then: DataFrame, now: DataFrame, newest_batch: int) -> DataFrame:
    """Grain in: one identifier with its person, then and now, and the time that its events span where that is known.
    Grain out: as `touched_by_events`, one row for each person that an identifier went from or to. An identifier that a
    batch after `newest_batch` brought has new events only, which say themselves whom they touch."""
    sides = [_held(frame, side) for frame, side in ((then, "then"), (now, "now"))]
    both = sides[0].join(sides[1], ["type", "value"], "full")
    known_then = F.col("then.person_id").isNotNull() | (F.coalesce("now.first_batch_seq", F.lit(0)) <= newest_batch)
    moved = both.where(~F.col("then.person_id").eqNullSafe(F.col("now.person_id")) & known_then)
    first = F.least("then.first_seen", "now.first_seen")
    last = F.greatest("then.last_seen", "now.last_seen")
    spans = moved.select(
        F.explode(F.array("then.person_id", "now.person_id")).alias("person_id"),
        F.coalesce(F.unix_micros(first), F.lit(_NO_TIME)).alias("from_us"),
        F.coalesce(F.unix_micros(last), F.lit(_END_OF_TIME)).alias("to_us"),
    )
    return spans.where("person_id IS NOT NULL")


def _held(owners: DataFrame, side: str) -> DataFrame:
    there = set(owners.columns)
    columns = {name: F.col(name) if name in there else F.lit(None) for name in _HELD}
    types = {"first_seen": "timestamp", "last_seen": "timestamp", "first_batch_seq": "long"}
    held = F.struct(*(column.cast(types.get(name, "string")).alias(name) for name, column in columns.items()))
    return owners.select(
        F.col("identifier_type").alias("type"), F.col("identifier_value").alias("value"), held.alias(side)
    )


def touched_by_the_end(sessions: DataFrame) -> DataFrame:
    """Sessions that were open at the end of a date, which a later date may close. Grain out: as `touched_by_events`."""
    spans = (F.unix_micros("session_start").alias("from_us"), F.unix_micros("session_end").alias("to_us"))
    return sessions.where("end_reason = 'open'").select("person_id", *spans)


def find_windows(
    touched: DataFrame, sessions: DataFrame, params: SessionSettings, oldest: date | None = None
) -> DataFrame:
    """Where to cut anew, and what was cut there before.

    Grain in: `touched_by_events` and the like, and one session as it is. Grain out: one window of one person, `from_us`
    to `to_us`, both within it, with `stale`, the sessions that it holds as an array of structs. Windows of a person
    do not overlap, and lie further apart than the timeout. What the source says is one session, and the last campaign,
    reach over any gap: a person's only window is then as wide as all that is known of the person.

    Sessions that began before the day `oldest` are not kept. A window that one of them may reach into begins before
    all that the person did.
    """
    check_columns(sessions, SESSIONS.column_names, "the sessions")
    reaches_far = params.trust_source or params.campaign_property is not None
    timeout = F.lit(round(params.timeout_minutes * 60 * 10**6))
    of_touched = sessions.join(touched.select("person_id").distinct(), "person_id", "left_semi").select(
        "person_id",
        F.unix_micros("session_start").alias("from_us"),
        F.unix_micros("session_end").alias("to_us"),
        F.struct(*SESSIONS.column_names).alias("session"),
    )
    stretches = of_touched.unionByName(touched, allowMissingColumns=True)
    if oldest is not None:
        longest = timedelta(hours=params.max_hours, minutes=params.timeout_minutes)
        last = round((datetime.combine(oldest, time.min, UTC) + longest).timestamp() * 10**6)
        is_reached = F.lit(reaches_far) | (F.col("from_us") <= F.lit(last))
        stretches = stretches.withColumn("from_us", F.when(is_reached, F.lit(_NO_TIME)).otherwise(F.col("from_us")))
    order = Window.partitionBy("person_id").orderBy("from_us", "to_us")
    reached = F.max("to_us").over(order.rowsBetween(Window.unboundedPreceding, -1))
    far = F.lit(False) if reaches_far else F.col("from_us") - F.col("reached") > timeout
    begins = F.col("reached").isNull() | far
    numbered = (
        stretches.withColumn("reached", reached)
        .withColumn("begins", begins.cast("int"))
        .withColumn("window", F.sum("begins").over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow)))
    )
    return (
        numbered.groupBy("person_id", "window")
        .agg(
            F.min("from_us").alias("from_us"),
            F.max("to_us").alias("to_us"),
            F.collect_list("session").alias("stale"),
            F.bool_or(F.col("session").isNull()).alias("touched"),
        )
        .where("touched")
        .drop("window", "touched")
    )


def within_windows(events: DataFrame, windows: DataFrame) -> DataFrame:
    """The events in the windows of their person. Grain in and out: one event with its `person_id`."""
    inside = F.unix_micros("event_ts").between(F.col("from_us"), F.col("to_us"))
    return events.join(windows.select(*_TOUCHED), "person_id").where(inside).drop("from_us", "to_us")


def find_changes(cut: DataFrame, windows: DataFrame) -> DataFrame:
    """What has to change in the table: sessions that are new or different, and, with `gone`, those that are no more.

    Grain in: one session as it is cut now, and `find_windows`; out: one session.
    """
    return SESSIONS.changes(windows.select(F.inline("stale")), cut)
