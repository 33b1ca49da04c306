"""`segmentation sessions`: events and the identity map → `sessions`."""

from __future__ import annotations

from segmentation.config.settings import Settings
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour
from segmentation.sessions.cut import cut_sessions


def run(context: StageContext) -> Outcome:
    """Cuts all events up to the date into sessions, and replaces the table."""
    settings = context.settings
    trust = list(settings.identity.identifiers)
    events = context.read("events")
    behaviour = keep_behaviour(events, context.as_of, settings)
    owned = attach_persons(behaviour, context.read_owners(), trust)
    sessions = cut_sessions(owned, settings.sessions, context.as_of, trust)
    written = context.warehouse.replace("sessions", sessions)
    return Outcome(rows_in=events.count(), rows_out=written.rows)


def _depends_on(settings: Settings) -> object:
    return settings.sessions, settings.traffic.leave_out, tuple(settings.identity.identifiers), settings.point_in_time


STAGE = Stage(
    name="sessions",
    help="Cut each person's events into sessions.",
    reads=("events", "identity_map", "identity_history"),
    writes=("sessions",),
    run=run,
    depends_on=_depends_on,
)
