"""`segmentation features`: events, the identity map and `sessions` → `features` and `feature_profiles` at a date, and
where they are declared `rfm`, `rfm_engagement`, `journey_steps`, `journey_paths` and `journey_vocabulary`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.point_in_time import PointInTime
from segmentation.config.rfm import GRIDS
from segmentation.config.settings import Settings
from segmentation.contracts.errors import InputError
from segmentation.features.attributes import known_attributes
from segmentation.features.build import FeaturePlan
from segmentation.features.journeys import count_paths, count_steps, keep_common_steps, list_journeys
from segmentation.features.people import own_behaviour, own_statements
from segmentation.features.profiles import profile_features, profile_rows, profiles_before
from segmentation.features.rfm import score_people
from segmentation.runtime.configured import configured
from segmentation.runtime.plans import settled
from segmentation.runtime.rebuild import FULL, tell_differences
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.sessions.attach import (
    behaviour_depends_on,
    check_amounts,
    end_of,
    keep_behaviour,
    own,
)
from segmentation.sessions.kept import cut_kept_sessions, keep_recent, oldest_kept, sessions_age
from segmentation.stages.feature_days import are_kept, drop_days, keep_days, read_days
from segmentation.stages.journey_vocabulary import choose_vocabulary

_SORTED = {"spark.sql.execution.replaceHashWithSortAgg": "true"}
"""Days lie in order already (`Measures.combine`), and need no table of people in memory to be added up."""

_TOLD = 3
"""Findings that are said on the terminal; `feature_profiles` has all of them."""


def run(context: StageContext) -> Outcome:
    """Measures everyone at the end of the date, replaces that date's rows, and looks for what is odd about them.

    Raises `InputError` where the date is before all events.
    """
    as_of, events, owners = context.as_of, context.read("events"), context.read_owners()
    count = events.count()
    if keep_behaviour(events, as_of, context.settings).isEmpty():
        raise InputError(f"No person did anything on or before {as_of}: choose a later date with --as-of.")
    context = choose_vocabulary(context)
    settings, rules = context.settings, context.settings.identity.attributes
    owned = own_behaviour(events, owners, settings, as_of)
    warehouse, plan, went_on = context.warehouse, FeaturePlan(settings.features, as_of, rules), False
    warehouse.ensure("feature_days")
    if are_kept(settings, count):
        context.tell("counting what is new")
        went_on = keep_days(context, plan.days)
        figures = plan.days.combine(own(read_days(context), owners))
    else:
        drop_days(context)
        check_amounts(events, as_of, settings)
        figures = plan.days.compute(owned)
    with configured(context.spark, _SORTED), _journeys(context, owned) as journeys:
        attributes = None
        if plan.needs_attributes:
            attributes = known_attributes(own_statements(events, owners, settings, as_of), rules)
        features = plan.measure(figures, _sessions(context, owned), journeys, attributes)
        written = warehouse.replace_slice("features", features, as_of=as_of)
        _tell_journeys(context, journeys)
    context.tell("profiling features")
    measured = warehouse.read("features").where(F.col("as_of") == F.lit(as_of))
    before = profiles_before(context.read_or_empty("feature_profiles"), as_of)
    profiles = profile_features(measured, context.read_or_empty("persons"), before, settings.features, rules)
    _tell_scores(context, measured)
    warehouse.replace_slice(
        "feature_profiles", profile_rows(context.spark, profiles, settings.features, as_of, rules), as_of=as_of
    )
    differences = tell_differences(context, "features", where=F.col("as_of") == F.lit(as_of))
    found = [f"{p.name}: {words}" for p in profiles for words in p.findings(settings.features.checks)]
    return Outcome(
        rows_in=count,
        rows_out=written.rows,
        figures={"findings": len(found)} if found else {},
        mode="incremental" if went_on else "full",
        message="; ".join(filter(None, [f"{len(profiles)} features", differences, *found[:_TOLD]])),
    )


def _tell_scores(context: StageContext, measured: DataFrame) -> None:
    """Writes the scores of recency, frequency and money, and of engagement, where they are declared."""
    for table in GRIDS:
        context.warehouse.ensure(table)
    for table, scored in context.settings.features.grids.items():
        context.tell("scoring recency, frequency and money")
        context.warehouse.replace_slice(table, score_people(measured, scored), as_of=context.as_of)


@contextmanager
def _journeys(context: StageContext, owned: DataFrame) -> Iterator[DataFrame | None]:
    """The journeys of all, where they are declared: found once, for features and tables."""
    if context.settings.features.journeys is None:
        yield None
        return
    with settled(list_journeys(owned, context.settings.features, context.as_of)) as journeys:
        yield journeys


def _tell_journeys(context: StageContext, journeys: DataFrame | None) -> None:
    """Writes what followed what, and the paths to the target and away, where journeys are declared."""
    for table in ("journey_steps", "journey_paths"):
        context.warehouse.ensure(table)
    settings = context.settings.features.journeys
    if journeys is None or settings is None:
        return
    context.tell("counting steps and paths")
    common, as_of = keep_common_steps(journeys, settings), context.as_of
    context.warehouse.replace_slice("journey_steps", count_steps(common, as_of).coalesce(1), as_of=as_of)
    context.warehouse.replace_slice("journey_paths", count_paths(common, settings, as_of).coalesce(1), as_of=as_of)


def _sessions(context: StageContext, owned: DataFrame) -> DataFrame:
    """The sessions that are kept at the date: the table's where it was cut at that date from the same events, else cut
    anew."""
    settings, as_of = context.settings, context.as_of
    table = context.read("sessions")
    cut_later = table.where(F.col("session_end") >= F.lit(end_of(as_of)))
    plain = settings.features.before is None and settings.point_in_time == PointInTime()
    if plain and cut_later.isEmpty() and not _lacks_days(table, owned, oldest_kept(settings, as_of)):
        return keep_recent(table, settings, as_of)
    return cut_kept_sessions(owned, settings, as_of)


def _lacks_days(table: DataFrame, owned: DataFrame, oldest: date | None) -> bool:
    """Whether days from `oldest` on are no longer in the table of sessions, which was then cut at a later date."""
    if oldest is None:
        return False
    first = table.agg(F.min(F.to_date("session_start"))).collect()[0][0]
    before = F.lit(True) if first is None else F.col("event_date") < F.lit(first)
    return not owned.where((F.col("event_date") >= F.lit(oldest)) & before).isEmpty()


def _depends_on(settings: Settings) -> object:
    behaviour = behaviour_depends_on(settings)
    return settings.features, settings.sessions, sessions_age(settings), settings.identity.attributes, behaviour


STAGE = Stage(
    name="features",
    help="Measure each person at the end of a date.",
    reads=("events", "identity_map", "identity_history", "persons", "sessions"),
    writes=(
        "features",
        "feature_days",
        "feature_profiles",
        "rfm",
        "rfm_engagement",
        "journey_steps",
        "journey_paths",
        "journey_vocabulary",
    ),
    state=("features", "feature_profiles"),
    many_dates=True,
    incremental=True,
    options=(FULL,),
    run=run,
    depends_on=_depends_on,
)
