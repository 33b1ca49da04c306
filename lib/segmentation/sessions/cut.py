"""Cutting each person's events into sessions.

One shuffle: events lie in order of (time, id), each knows from its neighbours whether a session starts or ends with it,
and the running number of the session is what they are then grouped by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from segmentation.config.sessions import SessionSettings
from segmentation.contracts.events import strongest_type
from segmentation.contracts.table import LONG_MAP, MONEY, STRINGS, check_columns
from segmentation.sessions.attach import end_of

_NEEDS = ("person_id", "event_id", "event_name", "event_ts", "amount", "platform", "identifiers")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR = 60 * 10**6, 3600 * 10**6


def cut_sessions(events: DataFrame, params: SessionSettings, as_of: date, trust: Sequence[str]) -> DataFrame:
    """Sessions from events that carry `person_id`.

    Grain in: one event, not after the end of `as_of`; grain out: one session, with the columns of the table. Events
    at the same moment are ordered by `event_id`. A session ends

    - after a gap: longer than the timeout, or as long with `boundary: new`;
    - behind an end event;
    - before an event that is more than `max_hours`, or a further multiple of it, after the first event since the
      last gap or end event: no session is longer, and where the cut falls depends on no earlier cut;
    - before an event with another campaign than the last one, where `campaign_property` is set.

    Events that only happened to the person (`passive_events`) are no part of any session.

    With `trust_source`, events of one source with one `session_key` are one session, whatever lies between them.
    With `by: device`, each device of a person has sessions of its own. The last session is `open` while an event
    just after `as_of` would still belong to it, and one of the source's while it has been quiet for no longer than
    that. `trust` names identifier types, strongest first.
    """
    further = [("session_key", params.trust_source), ("source", params.trust_source)]
    further.append(("properties", any((params.campaign_property, params.channel_property, params.device_property))))
    check_columns(events, [*_NEEDS, *(name for name, needed in further if needed)], "the events to cut")
    rows = prepare_rows(events, params, trust)
    order = Window.partitionBy(*lane_of(rows)).orderBy("event_ts", "event_id")
    marked = _mark_edges(_look_around(rows, params, order), params, order, end_of(as_of))
    return _group(marked, lane_of(rows), params)


def prepare_rows(events: DataFrame, params: SessionSettings, trust: Sequence[str]) -> DataFrame:
    """The columns that cutting needs: `us` is the time, `whole` says that the source's own session counts, and `lane`
    tells apart what is never one session, where more than the person does."""
    columns = {
        "us": F.unix_micros("event_ts"),
        "closes": F.col("event_name").isin(params.end_events),
        "converts": F.col("event_name").isin(params.conversion_events),
        "whole": F.col("session_key").isNotNull() if params.trust_source else F.lit(False),
    }
    lanes = []
    if params.trust_source:
        lanes.append(F.when(columns["whole"], F.concat_ws("\0", F.lit("key"), "source", "session_key")))
    if params.by == "device":
        kind = strongest_type(params.device_identifiers or tuple(reversed(trust)))
        lanes.append(F.concat_ws("\0", F.lit("device"), kind, F.col("identifiers")[kind]))
    if lanes:
        columns["lane"] = F.coalesce(*lanes, F.lit(""))
    told = {"campaign": params.campaign_property, "channel": params.channel_property, "device": params.device_property}
    columns |= {name: F.col("properties")[key] for name, key in told.items() if key}
    plain = [name for name in _NEEDS if name != "identifiers"]
    if params.passive_events:
        events = events.where(~F.col("event_name").isin(params.passive_events))
    return events.select(*plain, *(column.alias(name) for name, column in columns.items()))


def lane_of(rows: DataFrame) -> list[str]:
    """The columns whose values tell apart what is never one session."""
    return [name for name in ("person_id", "lane") if name in rows.columns]


def _look_around(rows: DataFrame, params: SessionSettings, order: WindowSpec) -> DataFrame:
    """Adds what lies before and after each event, and its place in the order."""
    columns = {
        "us_before": F.lag("us").over(order),
        "us_after": F.lead("us").over(order),
        "place": F.row_number().over(order),
    }
    columns["closed_before"] = F.lag("closes", 1, False).over(order) if params.end_events else F.lit(False)
    if params.campaign_property is not None:
        earlier = order.rowsBetween(Window.unboundedPreceding, -1)
        columns["campaign_before"] = F.last("campaign", ignorenulls=True).over(earlier)
        so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
        columns["campaign_so_far"] = F.last("campaign", ignorenulls=True).over(so_far)
        columns["campaign_after"] = F.lead("campaign").over(order)
    return rows.select("*", *(column.alias(name) for name, column in columns.items()))


def _mark_edges(rows: DataFrame, params: SessionSettings, order: WindowSpec, end: datetime) -> DataFrame:
    """Adds `starts`, whether an event is its session's first, `session`, the number of that in the order, and where an
    event is the last of it, `end_reason`."""
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    no = F.lit(False)
    here, whole = F.col("us"), F.col("whole")
    if params.campaign_property is not None:
        campaign_before = _differs("campaign", "campaign_before")
        campaign_after = _differs("campaign_after", "campaign_so_far")
    else:
        campaign_before = campaign_after = no
    gap_before = _is_gap(F.col("us_before"), here, params)
    gap_after = F.col("us_after").isNull() | _is_gap(here, F.col("us_after"), params)
    run_starts = F.col("us_before").isNull() | (~whole & (gap_before | F.col("closed_before")))
    runs = rows.withColumn("run_us", F.last(F.when(run_starts, here), ignorenulls=True).over(so_far))
    too_long = F.coalesce(_stretch(here, params) != _stretch(F.col("us_before"), params), no)
    too_long_after = F.coalesce(_stretch(here, params) != _stretch(F.col("us_after"), params), no)
    open_still = ~_is_gap(here, F.lit(round((end - _EPOCH).total_seconds()) * 10**6), params)
    reason = (
        F.when(whole, F.when(F.col("us_after").isNull(), F.when(open_still, "open").otherwise("source")))
        .when(F.col("closes"), "end_event")
        .when(gap_after, F.when(F.col("us_after").isNull() & open_still, "open").otherwise("timeout"))
        .when(campaign_after, "campaign")
        .when(too_long_after, "max_length")
    )
    starts = run_starts | (~whole & (too_long | campaign_before))
    edges = runs.withColumns({"starts": starts, "end_reason": reason})
    return edges.withColumn("session", F.count_if("starts").over(so_far))


def _is_gap(before: Column, after: Column, params: SessionSettings) -> Column:
    timeout = F.lit(round(params.timeout_minutes * _MINUTE))
    return after - before >= timeout if params.boundary == "new" else after - before > timeout


def _stretch(us: Column, params: SessionSettings) -> Column:
    """How many times `max_hours` have begun since the run did; an event exactly on the mark is still within."""
    return F.greatest(F.ceil((us - F.col("run_us")) / F.lit(round(params.max_hours * _HOUR))), F.lit(1))


def _differs(value: str, earlier: str) -> Column:
    return F.col(value).isNotNull() & ~F.col(value).eqNullSafe(F.col(earlier))


def _group(rows: DataFrame, lane: Sequence[str], params: SessionSettings) -> DataFrame:
    """One row a session."""
    names = F.col("names")
    told = {"channel": params.channel_property, "device": params.device_property}
    counts = F.transform(F.array_distinct(names), lambda name: F.struct(name, _occurrences(name, names)))
    in_order = F.sort_array(F.collect_list(F.struct("place", "event_name")))
    found = rows.groupBy(*lane, "session").agg(
        F.max(F.when(F.col("starts"), F.col("event_id"))).alias("first_id"),
        F.min("event_ts").alias("session_start"),
        F.max("event_ts").alias("session_end"),
        in_order["event_name"].alias("names"),
        F.max("end_reason").alias("end_reason"),
        F.sum("amount").cast(MONEY).alias("amount"),
        F.coalesce(F.max(F.when(F.col("starts"), F.col("platform"))), _said_by("platform", F.max_by)).alias("platform"),
        *(_said_by(name, F.min_by).alias(name) for name, key in told.items() if key),
        F.bool_or("converts").alias("converted"),
    )
    return found.select(
        F.substring(F.sha2(F.concat(F.lit("session:"), "first_id"), 256), 1, 32).alias("session_id"),
        "person_id",
        "session_start",
        "session_end",
        F.floor((F.unix_micros("session_end") - F.unix_micros("session_start")) / F.lit(10**6)).alias("duration_s"),
        F.size(names).cast("long").alias("events"),
        F.element_at(names, 1).alias("entry_event"),
        F.element_at(names, -1).alias("exit_event"),
        "end_reason",
        "amount",
        "platform",
        *(F.col(name) if key else F.lit(None).cast("string").alias(name) for name, key in told.items()),
        (F.size(names) == 1).alias("is_bounce"),
        "converted",
        F.slice(names, 1, params.path_events).cast(STRINGS).alias("path"),
        F.map_from_entries(counts).cast(LONG_MAP).alias("event_counts"),
    )


def _said_by(name: str, which: Callable[[Column, Column], Column]) -> Column:
    """The value of the event that has one and is the first of those, or the last."""
    return which(F.col(name), F.when(F.col(name).isNotNull(), F.col("place")))


def _occurrences(name: Column, names: Column) -> Column:
    return F.size(F.filter(names, lambda other: other == name))
