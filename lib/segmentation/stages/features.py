"""`segmentation features`: events, the identity map and `sessions` → `features` and `feature_profiles` at a date."""

from __future__ import annotations

from pyspark.sql import functions as F

from segmentation.contracts.errors import InputError
from segmentation.features.build import measure_features
from segmentation.features.profiles import profile_features, profile_rows, profiles_before
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour, keep_sessions

_TOLD = 3
"""Findings that are said on the terminal; `feature_profiles` has all of them."""


def run(context: StageContext) -> Outcome:
    """Measures everyone at the end of the date, replaces that date's rows, and looks for what is odd about them.

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
    warehouse = context.warehouse
    written = warehouse.replace_slice("features", features, as_of=as_of)
    context.tell("profiling features")
    measured = warehouse.read("features").where(F.col("as_of") == F.lit(as_of))
    before = profiles_before(context.read_or_empty("feature_profiles"), as_of)
    profiles = profile_features(measured, context.read_or_empty("persons"), before, settings.features)
    warehouse.replace_slice(
        "feature_profiles", profile_rows(context.spark, profiles, settings.features, as_of), as_of=as_of
    )
    found = [f"{p.name}: {words}" for p in profiles for words in p.findings(settings.features.checks)]
    return Outcome(
        rows_in=events.count(),
        rows_out=written.rows,
        figures={"findings": len(found)} if found else {},
        message="; ".join([f"{len(profiles)} features", *found[:_TOLD]]),
    )


STAGE = Stage(
    name="features",
    help="Measure each person at the end of a date.",
    reads=("events", "identity_map", "persons", "sessions"),
    writes=("features", "feature_profiles"),
    state=("feature_profiles",),
    run=run,
    depends_on=lambda settings: (settings.features, settings.traffic.leave_out, tuple(settings.identity.identifiers)),
)
