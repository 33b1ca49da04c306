"""`segmentation features`: events, the identity map and `sessions` → `features` at a date."""

from __future__ import annotations

from segmentation.contracts.errors import InputError
from segmentation.features.build import measure_features
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour, keep_sessions


def run(context: StageContext) -> Outcome:
    """Measures everyone at the end of the date, and replaces that date's rows.

    Raises `InputError` where the date is before all events.
    """
    settings, as_of = context.settings, context.as_of
    trust = list(settings.identity.identifiers)
    events = context.read("events")
    behaviour = keep_behaviour(events, as_of, settings.traffic.leave_out)
    if behaviour.isEmpty():
        raise InputError(f"No person did anything on or before {as_of}: choose a later date with --as-of.")
    owned = attach_persons(behaviour, context.read("identity_map"), trust)
    features = measure_features(owned, keep_sessions(context.read("sessions"), as_of), settings.features, as_of)
    written = context.warehouse.replace_slice("features", features, as_of=as_of)
    return Outcome(rows_in=events.count(), rows_out=written.rows, message=f"{len(settings.features.names())} features")


STAGE = Stage(
    name="features",
    help="Measure each person at the end of a date.",
    reads=("events", "identity_map", "sessions"),
    writes=("features",),
    run=run,
    depends_on=lambda settings: (settings.features, settings.traffic.leave_out, tuple(settings.identity.identifiers)),
)
