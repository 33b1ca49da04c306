"""Cutting each person's events into sessions.

One shuffle and one sort: events lie in order of (time, id); running counts and sums stand beside each, so that a
session is the difference between its last row and its first, and only those two are kept. This costs two thirds of
what a running session number and a group-by cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from segmentation.config.sessions import SessionSettings
from segmentation.contracts.events import strongest_type
from segmentation.contracts.table import MONEY, check_columns
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
    just after `as_of` would still belong to it. `trust` names identifier types, strongest first.
    """
    further = [("session_key", params.trust_source), ("source", params.trust_source)]
    further.append(("properties", params.campaign_property is not None))
    check_columns(events, [*_NEEDS, *(name for name, needed in further if needed)], "the events to cut")
    rows = prepare_rows(events, params, trust)
    order = Window.partitionBy(*lane_of(rows)).orderBy("event_ts", "event_id")
    marked = _mark_edges(_look_around(rows, params, order), params, order, end_of(as_of))
    return _join_edges(marked.where("starts or ends"), order)


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
    if params.campaign_property is not None:
        columns["campaign"] = F.col("properties")[params.campaign_property]
    plain = [name for name in _NEEDS if name != "identifiers"]
    if params.passive_events:
        events = events.where(~F.col("event_name").isin(params.passive_events))
    return events.select(*plain, *(column.alias(name) for name, column in columns.items()))


def lane_of(rows: DataFrame) -> list[str]:
    """The columns whose values tell apart what is never one session."""
    return [name for name in ("person_id", "lane") if name in rows.columns]


def _look_around(rows: DataFrame, params: SessionSettings, order: WindowSpec) -> DataFrame:
    """Adds what lies before and after each event, and running counts and sums up to it."""
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    columns = {
        "us_before": F.lag("us").over(order),
        "us_after": F.lead("us").over(order),
        "n": F.count(F.lit(1)).over(so_far),
        "n_amounts": F.count("amount").over(so_far),
        "sum_amounts": F.sum("amount").over(so_far),
        "n_platforms": F.count("platform").over(so_far),
        "last_platform": F.last("platform", ignorenulls=True).over(so_far),
        "n_conversions": F.count_if("converts").over(so_far),
    }
    columns["closed_before"] = F.lag("closes", 1, False).over(order) if params.end_events else F.lit(False)
    if params.campaign_property is not None:
        earlier = order.rowsBetween(Window.unboundedPreceding, -1)
        columns["campaign_before"] = F.last("campaign", ignorenulls=True).over(earlier)
        columns["campaign_so_far"] = F.last("campaign", ignorenulls=True).over(so_far)
        columns["campaign_after"] = F.lead("campaign").over(order)
    return rows.select("*", *(column.alias(name) for name, column in columns.items()))


def _mark_edges(rows: DataFrame, params: SessionSettings, order: WindowSpec, end: datetime) -> DataFrame:
    """Adds `starts`, `ends` and `end_reason`: whether an event is its session's first or last, and why the last."""
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
        F.when(whole, F.when(F.col("us_after").isNull(), "source"))
        .when(F.col("closes"), "end_event")
        .when(gap_after, F.when(F.col("us_after").isNull() & open_still, "open").otherwise("timeout"))
        .when(campaign_after, "campaign")
        .when(too_long_after, "max_length")
    )
    starts = run_starts | (~whole & (too_long | campaign_before))
    return runs.withColumns({"starts": starts, "end_reason": reason}).withColumn(
        "ends", F.col("end_reason").isNotNull()
    )


def _is_gap(before: Column, after: Column, params: SessionSettings) -> Column:
    timeout = F.lit(round(params.timeout_minutes * _MINUTE))
    return after - before >= timeout if params.boundary == "new" else after - before > timeout


def _stretch(us: Column, params: SessionSettings) -> Column:
    """How many times `max_hours` have begun since the run did; an event exactly on the mark is still within."""
    return F.greatest(F.ceil((us - F.col("run_us")) / F.lit(round(params.max_hours * _HOUR))), F.lit(1))


def _differs(value: str, earlier: str) -> Column:
    return F.col(value).isNotNull() & ~F.col(value).eqNullSafe(F.col(earlier))


def _join_edges(edges: DataFrame, order: WindowSpec) -> DataFrame:
    """One row a session from its first and last rows, which follow each other in order."""
    last = {
        name: F.when(F.col("ends"), F.col(name)).otherwise(F.lead(name).over(order)).alias(f"{name}_at_end")
        for name in (
            "event_ts",
            "event_name",
            "end_reason",
            "n",
            "n_amounts",
            "sum_amounts",
            "n_platforms",
            "last_platform",
            "n_conversions",
        )
    }
    before_first = {
        "n": F.lit(1),
        "n_amounts": F.col("amount").isNotNull().cast("long"),
        "n_platforms": F.col("platform").isNotNull().cast("long"),
        "n_conversions": F.col("converts").cast("long"),
    }
    within = {name: F.col(f"{name}_at_end") - F.col(name) + first for name, first in before_first.items()}
    zero = F.lit(0)
    amount = F.coalesce("sum_amounts_at_end", zero) - F.coalesce("sum_amounts", zero) + F.coalesce("amount", zero)
    return (
        edges.select("*", *last.values())
        .where("starts")
        .select(
            F.substring(F.sha2(F.concat(F.lit("session:"), "event_id"), 256), 1, 32).alias("session_id"),
            "person_id",
            F.col("event_ts").alias("session_start"),
            F.col("event_ts_at_end").alias("session_end"),
            F.floor((F.unix_micros("event_ts_at_end") - F.col("us")) / F.lit(10**6)).alias("duration_s"),
            within["n"].alias("events"),
            F.col("event_name").alias("entry_event"),
            F.col("event_name_at_end").alias("exit_event"),
            F.col("end_reason_at_end").alias("end_reason"),
            F.when(within["n_amounts"] > 0, amount).cast(MONEY).alias("amount"),
            F.coalesce("platform", F.when(within["n_platforms"] > 0, F.col("last_platform_at_end"))).alias("platform"),
            (within["n"] == 1).alias("is_bounce"),
            (within["n_conversions"] > 0).alias("converted"),
        )
    )
