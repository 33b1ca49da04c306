"""`audiences`: who is in which audience at the end of a date → `audience_members`, and its control group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.audiences import (
    check_segments,
    describe_people,
    find_tops,
    judge_people,
    list_members,
    named_grids,
    named_purposes,
    single_conditions,
    update_members,
)
from segmentation.activation.consent import granted_purposes, keep_consenting
from segmentation.activation.funnel import Step, count_funnel
from segmentation.activation.membership_limits import limit_members
from segmentation.activation.sentences import describe_limits, describe_rule
from segmentation.config.audiences import AudienceSettings, PersonRule
from segmentation.config.rfm import GRIDS
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError, InputError, Problem
from segmentation.experiments.holdouts import assign_apart, assign_arms
from segmentation.experiments.merges import find_merged, follow_merges
from segmentation.features.catalogue import feature_catalogue
from segmentation.features.people import measure_people
from segmentation.privacy.key import load_key
from segmentation.runtime.plans import settled
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.segments.versions import Version, published, read_segment_names, read_versions
from segmentation.sessions.attach import attach_persons, behaviour_depends_on, end_of, keep_behaviour

_MEMBERS = "audience string, person_id string, segment_id string"


@dataclass(frozen=True)
class Explanation:
    """One audience in words and figures, at the end of a date and by one segment version."""

    audience: str
    sentence: str
    as_of: date
    segment_version: int
    people: int
    members: int
    steps: Sequence[Step]


def run(context: StageContext) -> Outcome:
    """Judges everyone by all audiences in one pass, and keeps since when each is a member.

    Raises `InputError` where nothing is published or no features are there for the date, and `ConfigError` with every
    segment that an audience names and that is not published.
    """
    audiences = context.settings.audiences
    shares = {audience.name: audience.holdout for audience in audiences if audience.holdout is not None}
    key = needed_key(context.settings) or b""
    found = meeting_rules(context) if audiences else context.spark.createDataFrame([], _MEMBERS)
    earlier = context.read_or_empty("audience_members")
    limited = limit_members(found, earlier, audiences, context.settings.entry_limit, context.as_of)
    with settled(limited) as now, settled(update_members(earlier, now, context.as_of)) as members:
        # Control groups first: nobody ever sees a member whose arm is not known yet.
        if context.settings.has_control_groups or not context.warehouse.exists("holdouts"):
            context.warehouse.replace("holdouts", _arms(context, now, shares, key))
        today = F.lit(context.as_of)
        counts = members.agg(
            F.count_if(F.col("left_as_of").isNull()).alias("members"),
            F.count_if(F.col("entered_as_of") == today).alias("entered"),
            F.count_if(F.col("left_as_of") == today).alias("left"),
        ).first()
        assert counts is not None, "a global aggregate has one row"
        written = context.warehouse.replace("audience_members", members)
    told = f"{len(audiences)} audience{'s'[: len(audiences) != 1]}, {counts['members']:,} memberships"
    return Outcome(
        rows_in=context.read("features").where(F.col("as_of") == today).count() if audiences else 0,
        rows_out=written.rows,
        figures=counts.asDict(),
        message=told if audiences else "no audiences are configured",
    )


def _arms(context: StageContext, members: DataFrame, shares: Mapping[str, float], key: bytes) -> DataFrame:
    """Rows of `holdouts` with everyone who is new in an arm, and one arm for people who turned out to be one."""
    before, universal = context.read_or_empty("holdouts"), context.settings.universal_control
    if not before.isEmpty():
        before = follow_merges(before, merged_people(context, before))
    live = [audience.name for audience in context.settings.audiences if audience.live]
    if universal is None:
        return assign_arms(before, members, shares, key, context.as_of, live)
    version = _published(context)
    own = F.col("segment_version") == version.segment_version
    people = context.read("features").where(F.col("as_of") == F.lit(context.as_of)).select("person_id")
    segments = context.read("segments").where(own).select("person_id", "segment_id")
    everyone = people.join(segments, "person_id", "left")
    return assign_apart(before, everyone, members, universal, shares, key, context.as_of, live)


def merged_people(context: StageContext, holdouts: DataFrame) -> DataFrame:
    """Who of `holdouts` has become whom, as of `find_merged`."""
    history, trust = context.read_or_empty("identity_history"), list(context.settings.identity.identifiers)
    return find_merged(holdouts, history, context.read_owners(), trust).localCheckpoint()


def _published(context: StageContext) -> Version:
    version = published(read_versions(context.read_or_empty("segment_versions")))
    if version is None:
        raise InputError(
            "No segment version is published, so there are no people to choose from: run `segmentation publish` first."
        )
    return version


def find_audience(settings: Settings, name: str) -> AudienceSettings:
    """The audience of this name; raises `ConfigError`, with those that there are."""
    found = {audience.name: audience for audience in settings.audiences}
    if name not in found:
        there = f"there are {', '.join(found)}" if found else "there are none under `audiences`"
        near = next(iter(get_close_matches(name, found, 1)), None)
        raise ConfigError([Problem("audiences", f"there is no audience '{name}' ({there})", suggestion=near)])
    return found[name]


def find_members(context: StageContext, audience: AudienceSettings) -> DataFrame:
    """Who is in one audience, be it configured or only tried -> one row a person: `person_id`, `segment_id`."""
    return meeting_rules(_beside(context, audience)).where(F.col("audience") == audience.name).drop("audience")


def explain(context: StageContext, audience: AudienceSettings) -> Explanation:
    """What an audience means, how many people meet it, and where each condition loses the others."""
    context = _beside(context, audience)
    settings = context.settings
    labels = {info.name: info.label for info in feature_catalogue(settings.features).values()}
    conditions = list(single_conditions(audience.who))
    judged, version = _judge(context, conditions)
    people, steps = count_funnel(judged, conditions, labels)
    return Explanation(
        audience=audience.name,
        sentence=" ".join([describe_rule(audience.who, labels), *describe_limits(audience)]),
        as_of=context.as_of,
        segment_version=version,
        people=people,
        members=steps[-1].left,
        steps=steps,
    )


def _beside(context: StageContext, audience: AudienceSettings) -> StageContext:
    """The context with this audience among the others, which its rule may name."""
    others = [other for other in context.settings.audiences if other.name != audience.name]
    return replace(context, settings=context.settings.model_copy(update={"audiences": [*others, audience]}))


def meeting_rules(context: StageContext, among: DataFrame | None = None) -> DataFrame:
    """Who meets which audience's rule and granted its purpose: `audience`, `person_id`, `segment_id`.

    `among`: only these people (`person_id`), by their features as they are now, and among the places that the newest
    measured features give (`top_share`, grids of scores); None: everyone, by the features of the date.
    """
    judged, _ = _judge(context, among=among)
    members = list_members(judged, context.settings.audiences)
    purposes = {audience.name: audience.purpose for audience in context.settings.audiences if audience.purpose}
    if not purposes:
        return members
    consent, owners = context.read_or_empty("consent"), context.read_owners()
    return keep_consenting(members, purposes, consent, owners, end_of(context.as_of))


def _judge(
    context: StageContext, conditions: Sequence[PersonRule] = (), among: DataFrame | None = None
) -> tuple[DataFrame, int]:
    """One row a person as of `judge_people`, and the segment version that it goes by."""
    settings, as_of = context.settings, context.as_of
    version = _published(context)
    names = read_segment_names(context.read("segment_profiles"), version.segment_version)
    if problems := check_segments(settings.audiences, names):
        raise ConfigError(problems)
    measured_at = as_of if among is None else _newest_features(context)
    features = context.read("features").where(F.col("as_of") == F.lit(measured_at))
    if among is None and features.isEmpty():
        raise InputError(f"No features are there for {as_of}: run `segmentation features --as-of {as_of}` first.")
    segments = context.read("segments").where(F.col("segment_version") == version.segment_version)
    at = F.col("as_of") == F.lit(measured_at)
    scores = {grid: context.read_or_empty(grid).where(at) for grid in named_grids(settings.audiences)}
    if any(rows.isEmpty() for rows in scores.values()):
        raise InputError(f"Nobody is scored at {measured_at}: run `segmentation features --as-of {measured_at}` first.")
    moved = context.read_or_empty("segment_changes").where(F.col("segment_version") == version.segment_version)
    tops = find_tops(features, settings.audiences)
    behaviour, owners = keep_behaviour(context.read("events"), as_of, settings), context.read_owners()
    if among is not None:
        owners = owners.join(among, "person_id", "left_semi")
        named = any(rule.feature for audience in settings.audiences for _, rule in audience.who.walk(""))
        features = measure_people(context.read("events"), owners, settings, as_of) if named else among
    consent, purposes = context.read_or_empty("consent"), named_purposes(settings.audiences)
    granted = granted_purposes(consent, owners, purposes, end_of(as_of))
    people = describe_people(features, segments, moved, scores, granted, settings.audiences)
    owned = attach_persons(behaviour, owners, list(settings.identity.identifiers))
    judged = judge_people(people, owned, settings.audiences, names, tops, as_of, conditions)
    return judged, version.segment_version


def _newest_features(context: StageContext) -> date:
    known = context.read("features").where(F.col("as_of") <= F.lit(context.as_of))
    row = known.agg(F.max("as_of").alias("newest")).first()
    if row is None or row["newest"] is None:
        raise InputError(f"No features are there up to {context.as_of}: run `segmentation features` first.")
    found: date = row["newest"]
    return found


def needed_key(settings: Settings) -> bytes | None:
    """The key by which arms are drawn, where there are control groups. Raises `ConfigError` when it is missing."""
    return load_key(what="Control groups (`holdout`)") if settings.has_control_groups else None


def _depends_on(settings: Settings) -> object:
    whom = settings.audiences, settings.entry_limit, settings.universal_control
    return *whom, behaviour_depends_on(settings)


STAGE = Stage(
    name="audiences",
    help="Find who is in which audience at the end of a date.",
    reads=(
        "events",
        "identity_map",
        "identity_history",
        "consent",
        "features",
        *GRIDS,
        "segment_versions",
        "segments",
        "segment_changes",
        "segment_profiles",
    ),
    writes=("audience_members", "holdouts"),
    state=("audience_members", "holdouts"),
    run=run,
    depends_on=_depends_on,
    needs=needed_key,
)
