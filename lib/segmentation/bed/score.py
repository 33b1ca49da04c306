"""The score of a warehouse against the world that it was made from: what could be measured, and what could not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.bed import folder
from segmentation.bed.cause_score import score_causes
from segmentation.bed.consent_score import score_consent
from segmentation.bed.identity_score import score_identity, score_records
from segmentation.bed.lift_score import score_lift
from segmentation.bed.names import name_columns_as_in_tables
from segmentation.bed.quality_score import SOURCES_WITHOUT_IDS, score_quality
from segmentation.bed.registers import PURPOSE
from segmentation.bed.rows import IDENTIFIERS
from segmentation.bed.segment_score import find_main_profiles, score_segments
from segmentation.bed.session_score import score_sessions
from segmentation.bed.steadiness import (
    find_regrouped,
    share_of_persons_changed_without_cause,
    share_of_segments_changed_without_cause,
)
from segmentation.bed.ties import tie_identifiers
from segmentation.bed.world import WORLD_FILE
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError
from segmentation.segments.versions import Version, published, read_versions
from segmentation.sessions.attach import attach_persons, end_of, keep_behaviour

Figures = dict[str, float]


@dataclass(frozen=True)
class Tables:
    """What the score reads of a warehouse."""

    read: Callable[[str], DataFrame | None]
    """A table by name, or None where there is none yet."""
    read_at: Callable[[str, int], DataFrame]
    """A table that is there, at one of its versions."""
    as_of: date | None = None
    """The date that the run was for; None: the newest event's."""


@dataclass
class Score:
    """Figures by area, and what was not measured with the reason."""

    world_id: str
    people: int
    measured: dict[str, Figures] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True)
class Truth:
    """The truth tables of one world."""

    spark: SparkSession
    folder: str
    said: dict[str, Any]

    @classmethod
    def open(cls, spark: SparkSession, place: str) -> Truth:
        """Raises `ConfigError` where `place` is not the truth of a world, or its simulation did not end."""
        place = place.rstrip("/")
        text = folder.read_text(spark, f"{place}/{WORLD_FILE}")
        if text is None:
            raise ConfigError(
                f"'{place}' is not the truth of a finished world ({WORLD_FILE} is missing): name the folder `truth` "
                "below what `segmentation simulate --dest` has written."
            )
        return cls(spark, place, json.loads(text))

    def read(self, name: str) -> DataFrame:
        return self.spark.read.parquet(f"{self.folder}/{name}")


def score_world(tables: Tables, truth: Truth, settings: Settings) -> Score:
    """Every figure that the tables allow.

    Raises `ConfigError` where the warehouse was not made from this world, or tokens need a key and there is none.
    """
    events = tables.read("events")
    newest = events.agg(F.max("event_date")).first() if events is not None else None
    if events is None or newest is None or newest[0] is None:
        raise ConfigError("The warehouse has no events yet: run `segmentation run` with this configuration first.")
    _check_belongs(events, truth)
    as_of = tables.as_of or newest[0]
    score = Score(truth.said["world_id"], truth.said["knobs"]["people"])
    sightings = name_columns_as_in_tables(truth.read("sightings"), IDENTIFIERS, settings.identity)
    # Cut off, here and below: what is only cached is planned with all that it was made of, each time that it is used.
    owners = tie_identifiers(sightings).localCheckpoint()
    _score_rows(score, tables, truth, events)
    _score_persons(score, tables, owners, settings)
    _score_visits(score, tables, truth, events, settings, as_of)
    _score_memberships(score, tables, truth, owners, as_of)
    _score_campaign(score, tables, truth, events, owners, settings, as_of)
    _score_consent(score, tables, truth, owners, as_of)
    return score


def _check_belongs(events: DataFrame, truth: Truth) -> None:
    """Event ids start with the id of their world, so a few of them tell; sources without ids do not count."""
    mine = F.col("event_id").startswith(f"{truth.said['world_id']}-")
    told = events.where(~F.col("source").isin(*SOURCES_WITHOUT_IDS))
    row = told.agg(F.count_if(mine).alias("mine"), F.count_if(~mine).alias("others")).first()
    if row is None or row["others"] or not row["mine"]:
        raise ConfigError(
            f"The truth of world {truth.said['world_id']} does not belong to this warehouse, whose events are of "
            "another world or of none: give --truth the folder that was written with these events."
        )


def _score_rows(score: Score, tables: Tables, truth: Truth, events: DataFrame) -> None:
    quarantine, batches = tables.read("events_quarantine"), tables.read("ingest_batches")
    if quarantine is None or batches is None:
        score.not_measured["rows"] = "there is no events_quarantine or no ingest_batches"
        return
    score.measured["rows"] = asdict(score_quality(events, quarantine, batches, truth.read("events")))


def _score_persons(score: Score, tables: Tables, owners: DataFrame, settings: Settings) -> None:
    now = tables.read("identity_map")
    if now is None:
        score.not_measured["identity"] = "there is no identity_map: the stage identity has not run"
        return
    score.measured["identity"] = score_identity(now, owners).as_dict()
    if matching := settings.identity.matching:
        is_record = F.col("identifier_type").isin(*matching.records)
        score.measured["records"] = score_records(now.where(is_record), owners.where(is_record))


def _score_visits(
    score: Score, tables: Tables, truth: Truth, events: DataFrame, settings: Settings, as_of: date
) -> None:
    sessions, persons = tables.read("sessions"), tables.read("identity_map")
    if sessions is None or persons is None:
        score.not_measured["sessions"] = "there are no sessions: the stage sessions has not run"
    elif settings.sessions.by != "person":
        score.not_measured["sessions"] = "sessions of devices overlap in time, so events cannot be told to them"
    else:
        whose = attach_persons(keep_behaviour(events, as_of, settings), persons, list(settings.identity.identifiers))
        score.measured["sessions"] = asdict(score_sessions(whose, sessions, truth.read("sessions")))


def _score_memberships(score: Score, tables: Tables, truth: Truth, owners: DataFrame, as_of: date) -> None:
    current, persons = tables.read("segments_current"), tables.read("identity_map")
    if current is None or persons is None:
        score.not_measured["segments"] = "there is no published version: the stage publish has not run"
        return
    found = score_segments(current, persons, owners, truth.read("segments"), as_of)
    score.measured["segments"] = asdict(found)
    _score_changes(score, tables, truth, find_main_profiles(persons, owners))


def _score_changes(score: Score, tables: Tables, truth: Truth, mains: DataFrame) -> None:
    """Of what changed between the published version and the one that it was compared with."""
    kept, segments, changes = (tables.read(name) for name in ("segment_versions", "segments", "segment_changes"))
    events, history = tables.read("events"), tables.read("identity_history")
    assert kept is not None, "where somebody is in a segment, there are versions"
    assert segments is not None, "the same"
    assert changes is not None, "the same"
    assert events is not None, "the score has begun with events"
    assert history is not None, "there is an identity_map"
    versions = {version.segment_version: version for version in read_versions(kept)}
    now = published(list(versions.values()))
    before = versions.get(now.compared_with or 0) if now else None
    if now is None or before is None:
        score.not_measured["segments.cause_right"] = "one version only has been published"
        return
    was, is_now = (tables.read_at("identity_map", version.inputs["identity_map"]) for version in (before, now))
    own = changes.where(F.col("segment_version") == now.segment_version)
    score.measured["identity"]["changed_without_cause"] = share_of_persons_changed_without_cause(was, is_now, history)
    score.measured["segments"]["changed_without_cause"] = share_of_segments_changed_without_cause(
        segments.where(F.col("segment_version") == before.segment_version),
        segments.where(F.col("segment_version") == now.segment_version),
        own,
    )
    late = _came_late(tables, truth, events, before)
    days = (before.as_of, now.as_of)
    found = score_causes(own, mains, truth.read("segments"), late, find_regrouped(was, is_now), days)
    if not found.moves_of_known_cause:
        score.not_measured["segments.cause_right"] = "nobody moved of whom the world knows why"
        return
    score.measured["segments"] |= asdict(found)


def _came_late(tables: Tables, truth: Truth, events: DataFrame, before: Version) -> DataFrame:
    """True people (`owner`) with rows that happened by the date of a version, and came in after it was made."""
    newest = tables.read_at("events", before.inputs["events"]).agg(F.max("batch_seq")).first()
    known = newest[0] if newest and newest[0] is not None else 0
    came = events.where((F.col("batch_seq") > known) & (F.col("event_date") <= F.lit(before.as_of)))
    late = truth.read("events").join(came.select("event_id"), "event_id", "left_semi")
    return late.select(F.col("person").cast("string").alias("owner"))


def _score_campaign(
    score: Score, tables: Tables, truth: Truth, events: DataFrame, owners: DataFrame, settings: Settings, as_of: date
) -> None:
    persons, campaign = tables.read("identity_map"), truth.said["knobs"]["campaign"]
    if persons is None:
        score.not_measured["lift"] = "there is no identity_map: the stage identity has not run"
        return
    behaviour = keep_behaviour(events, as_of, settings)
    whose = attach_persons(behaviour, persons, list(settings.identity.identifiers))
    mains = find_main_profiles(persons, owners)
    found = score_lift(whose, mains, truth.read("campaign"), campaign["name"], campaign["window_days"])
    if found is None:
        score.not_measured["lift"] = "the events assign nobody to an arm of the campaign"
    else:
        score.measured["lift"] = asdict(found)


def _score_consent(score: Score, tables: Tables, truth: Truth, owners: DataFrame, as_of: date) -> None:
    consent, persons = tables.read("consent"), tables.read("identity_map")
    if consent is None or persons is None:
        score.not_measured["consent"] = "the configuration has no `consent`, or identity has not run"
        return
    found = score_consent(consent, persons, owners, truth.read("consent"), PURPOSE, end_of(as_of))
    if found is None:
        score.not_measured["consent"] = "nobody has decided on anything yet"
    else:
        score.measured["consent"] = asdict(found)
