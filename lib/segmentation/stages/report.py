"""`report`: one page of HTML on one version of the segments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.folder import Folder
from segmentation.clustering.fitted import FittedModel
from segmentation.clustering.sql import is_known
from segmentation.config.paths import is_catalog
from segmentation.config.rfm import Grid
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.features.catalogue import feature_catalogue
from segmentation.features.journeys import list_journeys
from segmentation.features.people import own_behaviour
from segmentation.profiles.report.data import (
    Journeys,
    OwnJourneys,
    Profile,
    Provenance,
    ReportData,
    Rfm,
    TypicalPerson,
)
from segmentation.profiles.report.page import build_report
from segmentation.profiles.report.records import read_choice, read_movements, read_profiles, read_stage_runs
from segmentation.profiles.report.summaries import (
    read_journeys,
    summarise_activity,
    summarise_attributes,
    summarise_borders,
    summarise_decisions,
    summarise_identity,
    summarise_lifecycle,
    summarise_own_journeys,
    summarise_quality,
    summarise_rfm,
)
from segmentation.profiles.typical import find_typical
from segmentation.runtime.plans import counted, settled
from segmentation.runtime.stage import Earlier, Outcome, Stage, StageContext
from segmentation.segments.comparison import Change, find_flows, pair_people
from segmentation.segments.gates import gates_of, weigh
from segmentation.segments.versions import Version, published, read_versions
from segmentation.sessions.money import count_in_one_currency

FOLDER = "_reports"
"""Where reports are, beside the tables."""

SCORE = "identity_score.json"
"""In that folder: what a known truth says of who is who (figures of `bed.identity_score`), where there is one."""

_ORDER = {
    name: n for n, name in enumerate(("ingest", "identity", "sessions", "features", "train", "assign", "publish"))
}


def run(context: StageContext) -> Outcome:
    """Reports the published version, or the one that `--segment-version` names.

    Tables are read at the versions that the segments were made from. Raises `InputError` where there is no version,
    `ConfigError` where the one that is named does not exist.
    """
    versions = read_versions(context.read_or_empty("segment_versions"))
    version = _choose(versions, context.options.get("segment_version"))
    folder, file = _target(context, version)
    context.tell("summing up")
    before = next((one for one in versions if one.segment_version == version.compared_with), None)
    with counted(_segments(context, version)) as members:
        data = _collect(context, version, before, members)
    context.tell("writing the page")
    folder.write_text(file, build_report(data))
    people = sum(profile.size for profile in data.segments)
    told = f"{len(data.segments)} segments of version {version.segment_version}"
    return Outcome(people, 1, message=told, result=folder.path(file))


def _choose(versions: list[Version], number: int | None) -> Version:
    if not versions:
        raise InputError("There is no segment version to report on yet: run `segmentation assign` first.")
    if number is None:
        return published(versions) or versions[-1]
    found = next((version for version in versions if version.segment_version == number), None)
    if found is None:
        there = ", ".join(str(version.segment_version) for version in versions[-5:])
        raise ConfigError(f"--segment-version {number}: there is no such version (the newest are {there}).")
    return found


def _target(context: StageContext, version: Version) -> tuple[Folder, str]:
    if out := context.options.get("out"):
        path = Path(out).absolute()
        return Folder(context.spark, str(path.parent), "the report"), path.name
    if is_catalog(context.settings.warehouse):
        raise ConfigError("The warehouse is a catalog and has no folder for the report: give --out FILE.")
    return Folder(
        context.spark, context.warehouse.path(FOLDER), "the report"
    ), f"segments-v{version.segment_version}.html"


def _collect(context: StageContext, version: Version, before: Version | None, members: DataFrame) -> ReportData:
    """`members`: the version's rows of `segments`, which nearly every section is about."""
    settings = context.settings

    def read(name: str) -> DataFrame:
        """The table as it was when the segments were made, where they were made from it; else as it is now."""
        if name in version.inputs:
            return context.warehouse.read(name, version.inputs[name])
        return context.read_or_empty(name)

    gates = settings.segments.gates if version.limits is None else gates_of(version.limits)
    events = _in_one_currency(read("events"), settings, version.as_of)
    fallback = settings.segments.fallback.segment_id
    segments, fidelity = read_profiles(read("segment_profiles"), version.segment_version, fallback)
    choice, algorithm = read_choice(read("models"), version.model_id)
    measured = read("features").where(F.col("as_of") == F.lit(version.as_of))
    catalogue = feature_catalogue(settings.features)
    told = {name for segment in segments for name in segment.statistics}
    return ReportData(
        title=settings.report.title,
        notes=settings.report.notes,
        provenance=_provenance(context, version, algorithm),
        activity=summarise_activity(events, read("sessions"), version.as_of),
        segments=segments,
        features=[info for name, info in catalogue.items() if name in told],
        fidelity=fidelity,
        choice=choice,
        identity=summarise_identity(read("persons"), read("identity_map"), read("identity_edges"), _score(context)),
        quality=summarise_quality(read("ingest_batches")),
        checks=weigh(version.metrics, gates, version.about or {}) if version.metrics else (),
        movements=read_movements(read("segment_changes"), version.segment_version),
        change=_change(context, version, before, members) if before else None,
        borders=summarise_borders(members),
        decisions=summarise_decisions(members),
        typical=_typical(context, version, segments, measured, members),
        lifecycle=summarise_lifecycle(measured, members, settings.report.lifecycle),
        attributes=summarise_attributes(read("persons"), members, _attributes(settings)),
        **_grids(context, version, measured, members),
        journeys=_journeys(context, version, members) if settings.features.journeys else None,
    )


def _in_one_currency(events: DataFrame, settings: Settings, as_of: date) -> DataFrame:
    if settings.money is None:
        return events
    until = events.where(F.col("event_date") <= F.lit(as_of))
    return count_in_one_currency(until, settings.money, as_of).withColumn("currency", F.lit(settings.money.currency))


def _attributes(settings: Settings) -> list[str]:
    """Those whose groups are judged; where none are, all that persons have."""
    return settings.segments.fairness.attributes or list(settings.identity.attributes)


def _grids(context: StageContext, version: Version, measured: DataFrame, members: DataFrame) -> dict[Grid, Rfm | None]:
    """The grids of scores that there are, by their tables."""
    at = F.col("as_of") == F.lit(version.as_of)
    return {
        table: summarise_rfm(context.read_or_empty(table).where(at), measured, members, scored.features)
        for table, scored in context.settings.features.grids.items()
    }


def _segments(context: StageContext, version: Version) -> DataFrame:
    return context.read_or_empty("segments").where(F.col("segment_version") == version.segment_version)


def _change(context: StageContext, version: Version, before: Version, members: DataFrame) -> Change:
    pairs = pair_people(_segments(context, before), members)
    return Change(before, version, find_flows(pairs))


def _journeys(context: StageContext, version: Version, members: DataFrame) -> Journeys | None:
    settings, as_of = context.settings.features.journeys, F.col("as_of") == F.lit(version.as_of)
    assert settings is not None, "only where journeys are declared"
    steps, paths = (context.read_or_empty(name).where(as_of) for name in ("journey_steps", "journey_paths"))
    found = read_journeys(steps, paths, settings)
    return replace(found, segments=_own_journeys(context, version, members)) if found else None


def _own_journeys(context: StageContext, version: Version, members: DataFrame) -> dict[str, OwnJourneys]:
    """Tables tell of everyone together: what the people of a segment do is found in the events that made it."""
    settings, then = context.settings, Earlier(version.inputs, version.as_of)
    assert settings.features.journeys is not None, "only where journeys are declared"
    if not {"events", "identity_map"} <= set(version.inputs):
        return {}
    context.tell("following the people of each segment")
    events = context.warehouse.read("events", version.inputs["events"])
    owned = own_behaviour(events, context.read_owners(then), settings, version.as_of)
    with settled(list_journeys(owned, settings.features, version.as_of)) as found:
        return summarise_own_journeys(found, members, settings.features.journeys)


def _typical(
    context: StageContext, version: Version, segments: Sequence[Profile], measured: DataFrame, members: DataFrame
) -> list[TypicalPerson]:
    row = context.read_or_empty("models").where(F.col("model_id") == version.model_id).first()
    if row is None:
        return []
    told = [name for name in FittedModel.from_row(row).features if name in measured.columns]
    statistics = {segment.segment_id: segment.statistics for segment in segments if not segment.is_fallback}
    found = find_typical(members, measured, statistics, told, context.settings.report.typical_people)
    shown = sorted({name for known in statistics.values() for name in known})
    ids = [person for people in found.values() for person in people]
    known = (F.expr(f"CASE WHEN {is_known(name)} THEN `{name}` END").alias(name) for name in shown)
    rows = measured.where(F.col("person_id").isin(ids)).select("person_id", *known).collect() if ids else []
    values = {row["person_id"]: row.asDict() for row in rows}
    return [
        TypicalPerson(segment, person, {name: values[person][name] for name in shown})
        for segment, people in found.items()
        for person in people
    ]


def _provenance(context: StageContext, version: Version, algorithm: str) -> Provenance:
    return Provenance(
        segment_version=version.segment_version,
        status=version.status,
        as_of=version.as_of,
        created=version.created_ts,
        published=version.published_ts,
        reason=version.reason,
        model_id=version.model_id,
        algorithm=algorithm,
        tables=dict(version.inputs),
        config_sha256=version.config_sha256,
        code_version=version.code_version,
        run_id=context.warehouse.run_id,
        stages=read_stage_runs(context.read_or_empty("runs"), _ORDER),
    )


def _score(context: StageContext) -> Mapping[str, float]:
    """Figures that the demo, or a test bed, left for the report."""
    if is_catalog(context.settings.warehouse):
        return {}
    text = Folder(context.spark, context.warehouse.path(FOLDER), "the report").read_text(SCORE)
    found: Mapping[str, float] = json.loads(text) if text else {}
    return found


def _depends_on(settings: Settings) -> object:
    features = settings.features
    shown = features.definitions, features.words, features.rfm, features.journeys
    return (
        settings.report,
        settings.segments.gates,
        _attributes(settings),
        *shown,
        settings.money and settings.money.content(),
    )


STAGE = Stage(
    name="report",
    help="Write an HTML report of a segment version; its path is the last line on standard output.",
    reads=(
        "ingest_batches",
        "events",
        "identity_edges",
        "identity_map",
        "identity_history",
        "persons",
        "sessions",
        "features",
        "rfm",
        "rfm_engagement",
        "journey_steps",
        "journey_paths",
        "models",
        "segment_versions",
        "segments",
        "segment_profiles",
        "segment_changes",
        "runs",
    ),
    writes=(),
    run=run,
    depends_on=_depends_on,
    reusable=False,
    options=(
        click.Option(
            ["--segment-version"], type=int, metavar="N", help="Default: the published version, else the newest."
        ),
        click.Option(["--out"], metavar="FILE", help="Default: `_reports/segments-vN.html` in the warehouse."),
    ),
)
