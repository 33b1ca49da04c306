"""`segmentation sessions`: events and the identity map → `sessions`."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.settings import Settings
from segmentation.runtime.plans import counted, settled
from segmentation.runtime.rebuild import FULL, is_full, tell_differences
from segmentation.runtime.stage import Earlier, Outcome, Stage, StageContext
from segmentation.sessions.attach import attach_persons, behaviour_depends_on, check_amounts, is_known, keep_behaviour
from segmentation.sessions.kept import cut_kept_sessions, oldest_kept, sessions_age
from segmentation.sessions.touched import (
    find_changes,
    find_windows,
    touched_by_events,
    touched_by_moves,
    touched_by_the_end,
    within_windows,
)

ROWS_A_FILE = 100_000
"""So that a day, which changes sessions of few dates, rewrites few files of a large table."""

FEWEST_EVENTS = 3_000_000
"""Of fewer, all are cut sooner than what has changed is found."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(context: StageContext) -> Outcome:
    """Cuts what has changed since the stage last ended, where that can be told, and all events up to the date else."""
    events = context.read("events")
    count = events.count()
    check_amounts(events, context.as_of, context.settings)
    earlier = None if is_full(context) else context.earlier
    if earlier is None or not _can_go_on(context, earlier, count):
        rows = _cut_all(context, events, count)
        return Outcome(rows_in=count, rows_out=rows, message=tell_differences(context, "sessions"))
    figures = _cut_changes(context, events, earlier)
    if oldest := oldest_kept(context.settings, context.as_of):
        context.warehouse.delete_older("sessions", "session_start", oldest)
    return Outcome(count, context.warehouse.read("sessions").count(), figures, mode="incremental")


def _cut_all(context: StageContext, events: DataFrame, count: int) -> int:
    """Replaces the table, and returns its rows."""
    behaviour = keep_behaviour(events, context.as_of, context.settings)
    owned = attach_persons(behaviour, context.read_owners(), _trust(context))
    cut = cut_kept_sessions(owned, context.settings, context.as_of)
    if count <= ROWS_A_FILE:
        return context.warehouse.replace("sessions", cut).rows
    # Without being kept they would be cut once more, to find where one file is to end and the next to begin.
    with settled(cut) as sessions:
        files = -(-sessions.count() // ROWS_A_FILE)
        return context.warehouse.replace("sessions", sessions.repartitionByRange(files, "session_start")).rows


def _can_go_on(context: StageContext, earlier: Earlier, events: int) -> bool:
    """Whether what has changed since can be found (events were added, or flagged; the owners of then are known), and
    whether that is worth it."""
    needed = ("events", _owners_table(context))
    if events < FEWEST_EVENTS or context.as_of < earlier.as_of or not set(needed) <= set(earlier.inputs):
        return False
    done = [context.warehouse.changes_since(table, earlier.inputs[table]) for table in needed]
    return None not in done and "other" not in (done[0] or ())


def _cut_changes(context: StageContext, events: DataFrame, earlier: Earlier) -> dict[str, int]:
    """Puts into the table what has changed, and returns figures of it."""
    settings, oldest = context.settings, oldest_kept(context.settings, context.as_of)
    behaviour = keep_behaviour(events, context.as_of, settings)
    owners, sessions = context.read_owners(), context.read("sessions")
    with ExitStack() as stack:
        touched = stack.enter_context(counted(_find_touched(context, behaviour, owners, sessions, earlier)))
        windows = stack.enter_context(counted(find_windows(touched, sessions, settings.sessions, oldest)))
        count, first_us, last_us = windows.agg(F.count("*"), F.min("from_us"), F.max("to_us")).collect()[0]
        if not count:
            return {"windows": 0, "changed": 0}
        near = behaviour.where(F.col("event_date").between(_date(first_us), _date(last_us)))
        theirs = stack.enter_context(counted(owners.join(windows.select("person_id").distinct(), "person_id")))
        inside = within_windows(attach_persons(near, theirs, _trust(context)), windows)
        cut = cut_kept_sessions(inside, settings, context.as_of)
        changes = stack.enter_context(settled(find_changes(cut, windows)))
        day = F.to_date("session_start")
        changed, first, last = changes.agg(F.count("*"), F.min(day), F.max(day)).collect()[0]
        if changed:
            context.warehouse.update("sessions", changes, "gone", {"session_start": (first, last)})
        return {"windows": count, "changed": changed}


def _find_touched(
    context: StageContext, behaviour: DataFrame, owners: DataFrame, sessions: DataFrame, earlier: Earlier
) -> DataFrame:
    """The stretches of people's time in which something is other than it was, see `touched_by_events`."""
    settings, warehouse = context.settings, context.warehouse
    trust, params = _trust(context), settings.sessions
    before = earlier.inputs["events"]
    newest = warehouse.read("events", before).agg(F.max("batch_seq")).collect()[0][0] or 0
    new = F.col("batch_seq") > newest
    if context.as_of > earlier.as_of:
        new |= ~is_known(earlier.as_of, settings)
    stretches = [touched_by_events(attach_persons(behaviour.where(new), owners, trust), params)]
    stretches.append(touched_by_moves(context.read_owners(earlier), owners, newest))
    if context.as_of > earlier.as_of:
        stretches.append(touched_by_the_end(sessions))
    if "bots" in settings.traffic.leave_out and "updated" in (warehouse.changes_since("events", before) or ()):
        # New events showed that earlier ones of the same days are a program's.
        bots = context.read("events").where(is_known(context.as_of, settings) & F.col("is_bot"))
        days = bots.where(F.col("batch_seq") > newest).select("event_date").distinct()
        flagged = bots.join(days, "event_date", "left_semi")
        stretches.append(touched_by_events(attach_persons(flagged, owners, trust), params))
    return reduce(DataFrame.unionByName, stretches)


def _trust(context: StageContext) -> list[str]:
    return list(context.settings.identity.identifiers)


def _owners_table(context: StageContext) -> str:
    return "identity_history" if context.settings.point_in_time.identity == "then" else "identity_map"


def _date(us: int) -> Column:
    """Of a moment, which may be a thousand years away. As text, since of a Python date before the year 1000 Spark makes
    none."""
    return F.lit((_EPOCH + timedelta(microseconds=us)).date().isoformat()).cast("date")


def _depends_on(settings: Settings) -> object:
    return settings.sessions, behaviour_depends_on(settings), sessions_age(settings)


STAGE = Stage(
    name="sessions",
    help="Cut each person's events into sessions.",
    reads=("events", "identity_map", "identity_history"),
    writes=("sessions",),
    state=("sessions",),
    run=run,
    depends_on=_depends_on,
    incremental=True,
    options=(FULL,),
)
