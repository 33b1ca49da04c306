"""`segmentation sessions`: events and the identity map → `sessions`."""

from __future__ import annotations

from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour
from segmentation.sessions.cut import cut_sessions


def run(context: StageContext) -> Outcome:
    """Cuts all events up to the date into sessions, and replaces the table."""
    settings = context.settings
    trust = list(settings.identity.identifiers)
    events = context.read("events")
    behaviour = keep_behaviour(events, context.as_of, settings.traffic.leave_out)
    owned = attach_persons(behaviour, context.read("identity_map"), trust)
    sessions = cut_sessions(owned, settings.sessions, context.as_of, trust)
    written = context.warehouse.replace("sessions", sessions)
    return Outcome(rows_in=events.count(), rows_out=written.rows)


STAGE = Stage(
    name="sessions",
    help="Cut each person's events into sessions.",
    reads=("events", "identity_map"),
    writes=("sessions",),
    run=run,
    depends_on=lambda settings: (settings.sessions, settings.traffic.leave_out, tuple(settings.identity.identifiers)),
)
