"""`assign`: from features and a model to a candidate version of the segments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.fitted import FittedModel, choose_rows, newest_model
from segmentation.clustering.scorer import Scorer, load_scorer
from segmentation.config.segments import Gates, SegmentSettings
from segmentation.config.settings import Settings
from segmentation.features.catalogue import feature_catalogue
from segmentation.profiles.naming import SegmentName, name_segments
from segmentation.profiles.rows import profile_rows
from segmentation.profiles.rules import find_rules
from segmentation.profiles.statistics import profile_segments
from segmentation.runtime.plans import settled
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.segments.baseline import Baseline, carry_on, found_names, kept_names
from segmentation.segments.changes import Placing, Replay, explain_moves, find_moves
from segmentation.segments.checks import compare_groups, find_age, find_drift
from segmentation.segments.gates import judge, limits_of, opinion
from segmentation.segments.hindsight import Evidence, blame_hindsight
from segmentation.segments.measured import Measured
from segmentation.segments.membership import (
    count_flows,
    count_overlap,
    membership_rows,
    name_clusters,
    place_people,
    placed_by_model,
)
from segmentation.segments.metrics import version_metrics
from segmentation.segments.rules import count_decisions, decide_segments, emptied_segments, own_names, resolve_rules
from segmentation.segments.versions import (
    Version,
    draft_version,
    find_same,
    published,
    read_versions,
    version_rows,
)
from segmentation.stages.known_people import know

_PINNED = ("events", "identity_map", "persons", "sessions", "features", "models")

_CONSENT = ("consent", "identity_map")
"""What says who agreed to be segmented, where that is asked for."""


def run(context: StageContext) -> Outcome:
    """Scores everyone at `as_of` into the next version, which stays a candidate until it is published.

    The version's own row is written last: until then its number is free, and a run that is started again after a
    kill takes the same number and replaces the same slices. Option: `shadow`, for a version that is watched only; what
    the gates would say of it is kept as its reason.
    """
    shadow = context.options.get("shadow", False)
    versions = read_versions(context.read_or_empty("segment_versions"))
    model = newest_model(context.read("models"), context.as_of, shadow)
    draft = _draft(context, versions, model, shadow)
    if same := find_same(versions, draft):
        return _outcome(same, f"version {same.segment_version} has this already ({same.status})")
    settings = context.settings.segments
    baseline = _baseline(context, published(versions))
    features = choose_rows(context.read("features"), context.as_of, model)
    scorer = _load(context, model)
    context.tell("scoring")
    with settled(place_people(_know(context, features, model.attributes, context.as_of), scorer, settings)) as placed:
        before = _people(context, baseline)
        overlap = count_overlap(placed, placed_by_model(before), settings)
        continuity = carry_on(overlap, model, baseline, settings)
        segments = continuity.segments
        rules = resolve_rules(settings, segments.values(), _names_ever(context, settings))
        if rules:
            assigned = decide_segments(placed, segments, rules, settings)
        else:
            assigned = name_clusters(placed, segments, settings)
        flows = count_flows(assigned, before) if rules or (baseline and baseline.has_rules) else None
        unlimited = {*emptied_segments(rules, segments.values(), settings), settings.outliers.segment_id}
        # With models for parts the global one places whoever is left, however few.
        unlimited |= {segment for cluster, segment in segments.items() if model.parts and cluster not in model.part_of}
        parts = {segments[cluster]: part for cluster, part in model.part_of.items()}
        measured = version_metrics(
            overlap, continuity, settings.fallback.segment_id, baseline is not None, flows, unlimited, parts
        )
        measured |= Measured(count_decisions(assigned) if rules else {})
        own = own_names(rules, segments.values())
        kept, found = kept_names(baseline, own, settings), found_names(baseline, own, settings)
        named = _write_profiles(context, draft.segment_version, assigned, features, model, kept, parts, found)
        names = {segment_id: one.name for segment_id, one in named.items()}
        measured = measured.with_names({**kept, **names}) | _further_figures(context, assigned, model, baseline)
        context.tell("writing segments")
        rows = membership_rows(assigned, draft.segment_version, names, settings)
        context.warehouse.replace_slice("segments", rows, segment_version=draft.segment_version)
        now = Placing(scorer, segments)
        measured |= Measured(_write_changes(context, draft.segment_version, assigned, features, now, baseline))
    version, metrics = draft.with_results(measured, continuity), measured.figures
    if shadow:
        would_be = opinion(judge(metrics, settings.gates, measured.about))
        version = replace(version, reason=would_be, limits=limits_of(settings.gates))
    context.warehouse.replace_slice(
        "segment_versions", version_rows(context.spark, [version]), segment_version=version.segment_version
    )
    moved = f", {metrics['moved_share']:.1%} moved" if baseline else ""
    ruled = f", rules decide of {metrics['by_rule']:,.0f} people" if rules else ""
    return _outcome(
        version, f"version {version.segment_version} is a {version.status}{moved}{ruled}{_say_untrue(named)}"
    )


def _say_untrue(named: Mapping[str, SegmentName]) -> str:
    """What a message says of names in use that are not true any more; empty where all are."""
    untrue = [
        f"; '{one.name}' is not what they are any more: they would be called '{one.better}'"
        for _, one in sorted(named.items())
        if one.better
    ]
    return "".join([*untrue, "; set segments.names to change it"]) if untrue else ""


def _draft(context: StageContext, versions: Sequence[Version], model: FittedModel, shadow: bool) -> Version:
    purpose = context.settings.segments.purpose
    tables = ["features", *(["persons"] if model.attributes else []), *(_CONSENT if purpose else [])]
    pinned = [*_PINNED, *(_CONSENT if purpose else [])]
    return draft_version(
        versions,
        as_of=context.as_of,
        model_id=model.model_id,
        inputs={name: context.inputs[name] for name in pinned if name in context.inputs},
        created_ts=context.now,
        config_sha256=context.settings.sha256(),
        code_version=context.code_version,
        depends_on=[*map(context.warehouse.content, tables), repr(_depends_on(context.settings))],
        shadow=shadow,
    )


def _outcome(version: Version, message: str) -> Outcome:
    people = int(version.metrics["people"])
    return Outcome(people, people, {"segments": int(version.metrics["segments"])}, message=message)


def _load(context: StageContext, model: FittedModel) -> Scorer:
    return load_scorer(model, context.read("models"), context.warehouse.path)


def _baseline(context: StageContext, version: Version | None) -> Baseline | None:
    if version is None:
        return None
    own = F.col("segment_version") == version.segment_version
    named = context.read("segment_profiles").where(own).select("segment_id", "segment_name").collect()
    model = context.read("models").where(F.col("model_id") == version.model_id).first()
    assert model is not None, "rows of models are never taken away"
    by_model = F.coalesce("model_segment_id", "segment_id").alias("model_segment_id")
    people = context.read("segments").where(own).select("person_id", "segment_id", by_model)
    names = {row["segment_id"]: row["segment_name"] for row in named}
    return Baseline(version, FittedModel.from_row(model), people, names)


def _people(context: StageContext, baseline: Baseline | None) -> DataFrame:
    empty = context.warehouse.read_or_empty("segments").where(F.lit(False))
    return baseline.people if baseline else empty.select("person_id", "segment_id", "model_segment_id")


def _names_ever(context: StageContext, settings: SegmentSettings) -> dict[str, str]:
    """Segment id -> the newest name that it had in any version, where rules may name it: a few rows a version."""
    if not settings.rules:
        return {}
    profiles = context.read_or_empty("segment_profiles").select("segment_version", "segment_id", "segment_name")
    return {row["segment_id"]: row["segment_name"] for row in sorted(profiles.collect())}


def _write_profiles(
    context: StageContext,
    number: int,
    assigned: DataFrame,
    features: DataFrame,
    model: FittedModel,
    kept: Mapping[str, str],
    parts: Mapping[str, str],
    found: Collection[str],
) -> dict[str, SegmentName]:
    """Writes what each segment is, and returns the segments' names; `kept`: those that stay, `parts`: whose model
    a segment is of, by its id, `found`: the segments whose kept name is to be true."""
    context.tell("profiling segments")
    catalogue = feature_catalogue(context.settings.features)
    statistics = profile_segments(assigned, features)
    names = name_segments(statistics, catalogue, kept, parts, found)
    rules = find_rules(assigned, features, statistics, model.features)
    rows = profile_rows(context.spark, number, statistics, names, rules, catalogue)
    context.warehouse.replace_slice("segment_profiles", rows, segment_version=number)
    return names


def _write_changes(
    context: StageContext,
    number: int,
    assigned: DataFrame,
    features: DataFrame,
    now: Placing,
    baseline: Baseline | None,
) -> dict[str, float]:
    """Writes who moved and why (a first version moves nobody), and returns how many moved for each cause."""
    context.tell("explaining moves")
    settings = context.settings.segments
    moves = find_moves(assigned, _people(context, baseline)).where(F.lit(baseline is not None)).localCheckpoint()
    why = _why(context, features, now, baseline)
    changes = explain_moves(moves, why, settings).localCheckpoint()
    if evidence := _evidence(context, baseline):
        placing = now if isinstance(why, str) else why.before
        by_now = placing.model.attributes
        changes = blame_hindsight(
            changes,
            evidence,
            lambda measured: placing.place(_know(context, measured, by_now, context.as_of), settings),
            context.settings,
        ).localCheckpoint()
    rows = changes.withColumn("segment_version", F.lit(number).cast("bigint"))
    context.warehouse.replace_slice("segment_changes", rows, segment_version=number)
    return {f"cause_{row['cause']}": float(row["count"]) for row in changes.groupBy("cause").count().collect()}


def _why(context: StageContext, features: DataFrame, now: Placing, baseline: Baseline | None) -> Replay | str:
    if baseline is None or baseline.model.model_id == now.model.model_id:
        return "behaviour"
    if baseline.model.feature_set != now.model.feature_set:
        return "refit"
    before = baseline.version
    old = Placing(_load(context, baseline.model), before.segments)
    attributes = {*old.model.attributes, *now.model.attributes}
    former = context.warehouse.read("features", before.inputs["features"]).where(F.col("as_of") == F.lit(before.as_of))
    return Replay(
        before=old,
        now=now,
        features_before=_know(context, former, attributes, before.as_of, before.inputs),
        features_now=_know(context, features, attributes, context.as_of),
    )


def _know(
    context: StageContext,
    people: DataFrame,
    attributes: Collection[str],
    as_of: date,
    then: Mapping[str, int] | None = None,
) -> DataFrame:
    """The people with attributes that the model takes, and consent where it is asked for, as they are known now, or
    were `then`, at versions of tables."""

    def read(name: str) -> DataFrame:
        return context.warehouse.read_or_empty(name, (then or context.inputs).get(name))

    return know(people, read, attributes, context.settings.segments.purpose, as_of)


def _further_figures(
    context: StageContext, assigned: DataFrame, model: FittedModel, baseline: Baseline | None
) -> Measured:
    """What gates ask for beside who is where: of the inputs, the model, and groups of people."""
    settings, found = context.settings.segments, Measured()
    if settings.gates.min_stability is not None and (baseline is None or baseline.model.model_id != model.model_id):
        found |= Measured({"stability": model.stability} if model.stability is not None else {})
    if settings.gates.max_drift is not None:
        found |= find_drift(context.read_or_empty("feature_profiles"), context.as_of, model.features)
    if settings.gates.max_age_days is not None:
        found |= find_age(context.read("events"), context.as_of)
    if settings.fairness.attributes:
        found |= compare_groups(assigned, context.read("persons"), settings.fairness)
    return found


def _evidence(context: StageContext, baseline: Baseline | None) -> Evidence | None:
    """What tells people who behave differently from people of whom more is known; None where nothing more can be."""
    needed = ("events", "identity_map")
    before = baseline.version.inputs if baseline else {}
    if baseline is None or any(name not in before or name not in context.inputs for name in needed):
        return None
    if all(before[name] == context.inputs[name] for name in needed):
        return None
    read = context.warehouse.read
    newest = read("events", before["events"]).agg(F.max("batch_seq")).first()
    assert newest is not None, "an aggregate without groups has one row"
    return Evidence(
        events=context.read("events"),
        map_before=read("identity_map", before["identity_map"]),
        map_now=context.read("identity_map"),
        known_seq=newest[0] or 0,
        before_as_of=baseline.version.as_of,
        now_as_of=context.as_of,
    )


def _depends_on(settings: Settings) -> object:
    # A limit is asked at publication; that there is one, here, where its figure is measured.
    gates = settings.segments.gates
    measured = [name for name in ("min_stability", "max_drift", "max_age_days") if getattr(gates, name) is not None]
    features = settings.features.definitions, settings.features.words
    return settings.segments.model_copy(update={"gates": Gates()}), measured, *features


STAGE = Stage(
    name="assign",
    help="Score everyone into a candidate version of the segments.",
    reads=(*_PINNED, "feature_profiles", "consent"),
    writes=("segments", "segment_changes", "segment_profiles", "segment_versions"),
    state=("segments", "segment_profiles", "segment_versions"),
    run=run,
    depends_on=_depends_on,
    # What it does depends on which version is current, which a rollback changes; it sees itself when nothing is to do.
    reusable=False,
    options=(
        click.Option(
            ["--shadow"],
            is_flag=True,
            help="A version to be watched, never published: by the newest model of `train --shadow`, if there is one.",
        ),
    ),
)
