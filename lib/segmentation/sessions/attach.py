"""Whose an event is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.settings import Settings
from segmentation.contracts.events import strongest_type
from segmentation.contracts.table import check_columns
from segmentation.ingest.traffic import leave_out
from segmentation.sessions.money import check_rates, count_in_one_currency

LEADING = ("identifier_type", "identifier_value")
"""Columns that name an event's most trusted identifier."""
_OWNED = (*LEADING, "person_id")
_PLAIN = ("event_id", "event_name", "event_ts", "event_date", "is_bot", "is_test", "identifiers")


def end_of(as_of: date) -> datetime:
    """The first moment after `as_of`, UTC."""
    return datetime.combine(as_of + timedelta(days=1), time.min, UTC)


def keep_behaviour(events: DataFrame, as_of: date, settings: Settings) -> DataFrame:
    """Events that count: up to the end of `as_of`, received by then where `point_in_time` asks for it, and not flagged
    as what `traffic` leaves out, nor named in `identity.link_events`; their amounts in one currency, where `money`
    names it."""
    check_columns(events, _PLAIN, "the events")
    links = settings.identity.link_events
    return keep_statements(events.where(~F.col("event_name").isin(links)) if links else events, as_of, settings)


def keep_statements(events: DataFrame, as_of: date, settings: Settings) -> DataFrame:
    """The same and those named in `identity.link_events`: all that may say something of a person."""
    check_columns(events, _PLAIN, "the events")
    kept = leave_out(events.where(is_known(as_of, settings)), settings.traffic.leave_out)
    return count_in_one_currency(kept, settings.money, as_of) if settings.money else kept


def check_amounts(events: DataFrame, as_of: date, settings: Settings) -> None:
    """Raises `InputError` where `keep_behaviour` could not say what an amount is worth."""
    if settings.money:
        known = leave_out(events.where(is_known(as_of, settings)), settings.traffic.leave_out)
        check_rates(known, settings.money, as_of)


def behaviour_depends_on(settings: Settings) -> object:
    """The part of the configuration that decides which events count, whose they are, and what they are worth."""
    trust = tuple(settings.identity.identifiers)
    money = settings.money.content() if settings.money else None
    return settings.traffic.leave_out, settings.identity.link_events, trust, settings.point_in_time, money


def is_known(as_of: date, settings: Settings) -> Column:
    """Whether an event had happened by the end of `as_of`, and was received by then where that is asked for."""
    known = (F.col("event_date") <= F.lit(as_of)) & (F.col("event_ts") < F.lit(end_of(as_of)))
    if settings.point_in_time.events == "received":
        known &= F.coalesce("received_ts", "event_ts") < F.lit(end_of(as_of))
    return known


def map_then(identity_history: DataFrame, as_of: date) -> DataFrame:
    """Whose each identifier was held to be at the end of `as_of`. In: `identity_history`. Out: one identifier:
    `identifier_type`, `identifier_value`, `person_id`, since when (`since`), and what had brought it there: `change`,
    `reason`, `batch_seq`."""
    check_columns(identity_history, (*_OWNED, "valid_from", "valid_to"), "the history of identity")
    end = F.lit(end_of(as_of))
    held = (F.col("valid_from") < end) & (F.col("valid_to").isNull() | (F.col("valid_to") >= end))
    return identity_history.where(held).withColumnRenamed("valid_from", "since").drop("valid_to")


def owners_then(identity_history: DataFrame, as_of: date) -> DataFrame:
    """The same, with grain and columns as `attach_persons` needs them."""
    return map_then(identity_history, as_of).select(*_OWNED)


def attach_persons(events: DataFrame, identity_map: DataFrame, trust: Sequence[str]) -> DataFrame:
    """Adds `person_id`: the person of the event's most trusted identifier.

    Grain in and out: one event; events whose identifier nobody has are left out. `trust` names identifier types,
    strongest first. One identifier is chosen before the join, so an event meets at most one row of the map.
    """
    return own(name_leading(events, trust), identity_map).drop(*LEADING)


def name_leading(events: DataFrame, trust: Sequence[str]) -> DataFrame:
    """Adds `LEADING`: the event's most trusted identifier, by which it is somebody's. Grain in and out: one event."""
    check_columns(events, _PLAIN, "the events")
    kind, value = LEADING
    return events.withColumn(kind, strongest_type(trust)).withColumn(value, F.col("identifiers")[F.col(kind)])


def own(rows: DataFrame, identity_map: DataFrame) -> DataFrame:
    """Adds `person_id`: whose `LEADING` is. Grain in and out: the same; rows of nobody are left out."""
    check_columns(identity_map, _OWNED, "the identity map")
    return rows.join(identity_map.select(*_OWNED), list(LEADING), "inner")
