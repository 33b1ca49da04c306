"""`open_warehouse`, and what it opens; `simulate`, which makes what one can be filled from."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.api.story import Story, tell_story
from segmentation.bed.knobs import World, load_world
from segmentation.bed.score import Score, Truth
from segmentation.bed.world import simulate as write_world
from segmentation.clustering.training import train_model
from segmentation.config.audiences import AudienceSettings, read_rule
from segmentation.config.clustering import ClusteringSettings
from segmentation.config.paths import locate
from segmentation.config.settings import Settings, load_settings
from segmentation.config.spark import SparkSettings
from segmentation.contracts.errors import ConfigError
from segmentation.contracts.feature_info import FeatureInfo
from segmentation.experiments.attribution import Attribution
from segmentation.features.catalogue import feature_catalogue
from segmentation.features.sheets import FeatureSheet, find_users, write_sheets
from segmentation.identity.lookup import Identifier, find_person
from segmentation.privacy.audit import End
from segmentation.privacy.key import load_key
from segmentation.profiles.report.data import Activity, Choice, Identity, Profile
from segmentation.profiles.report.records import read_choice, read_profiles, tell_choice
from segmentation.profiles.report.summaries import (
    summarise_activity,
    summarise_identity,
)
from segmentation.runtime.audit import verify_log
from segmentation.runtime.browse import open_map, open_table
from segmentation.runtime.examination import Finding, examine
from segmentation.runtime.history import PastRun, read_newest_runs
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.record import RunRecord
from segmentation.runtime.runner import Request, open_context, run_stages
from segmentation.runtime.spark import get_spark, session_for
from segmentation.runtime.stage import Stage, StageContext
from segmentation.runtime.vocabulary import know_vocabulary
from segmentation.runtime.warehouse import Warehouse
from segmentation.segments.comparison import Comparison
from segmentation.segments.placement import Placement
from segmentation.segments.versions import Version, find_version, read_versions
from segmentation.stages import ingest, live, maintain
from segmentation.stages.access import hand_over
from segmentation.stages.attribution import READS as ATTRIBUTION_READS
from segmentation.stages.attribution import attribute_conversions, find_settings
from segmentation.stages.audiences import STAGE as AUDIENCES
from segmentation.stages.audiences import Explanation, explain, find_audience, find_members
from segmentation.stages.compare import compare_versions
from segmentation.stages.erase import Erasure
from segmentation.stages.explain_person import explain_person
from segmentation.stages.hand_out import write_refused
from segmentation.stages.identity_preview import READS as PREVIEW_READS
from segmentation.stages.identity_preview import Preview, preview
from segmentation.stages.measure import READS as MEASURE_READS
from segmentation.stages.measure import Measurement, find_held_out, measure
from segmentation.stages.measure_plan import DAYS, EFFECT, POWER, CampaignPlan, plan_audience
from segmentation.stages.measure_plan import READS as PLAN_READS
from segmentation.stages.pipeline import choose_stages
from segmentation.stages.publish import retire_version, roll_back
from segmentation.stages.score import score_warehouse
from segmentation.stages.suggest_journeys import READS as JOURNEYS_READS
from segmentation.stages.suggest_journeys import Vocabulary, look_at_journeys
from segmentation.stages.suggest_timeout import READS as GAPS_READS
from segmentation.stages.suggest_timeout import Gaps, look_at_gaps
from segmentation.stages.train import find_people

CONFIG = "SEGMENTATION_CONFIG"
"""Environment variable with the configuration of a notebook that names none."""

Which = int | date | str | None
"""A version: its number, a date (or `YYYY-MM-DD`), or None for the published one."""


def open_warehouse(
    config: str | Path | Settings | None = None, *, overrides: Sequence[str] = (), base: Path | None = None
) -> Segmentation:
    """Opens the warehouse of a configuration, in the Spark session that is there or in one of our own.

    `config` is a YAML file, or settings that are loaded already; without one it is the file that the environment
    variable `SEGMENTATION_CONFIG` names. `overrides` are `key.path=value`, as with `--set`; relative paths in the
    file count from `base`, by default the current folder. Raises `ConfigError` with every problem found.
    """
    if isinstance(config, Settings):
        settings = config
    else:
        path = config or os.environ.get(CONFIG)
        if not path:
            raise ConfigError(f"Name a configuration: open_warehouse('my.yml'), or set {CONFIG} to its path.")
        settings = load_settings(path, overrides, base)
    return Segmentation(settings)


def simulate(
    dest: str, knobs: str | Path | None = None, *, overrides: Sequence[str] = (), partitions: int | None = None
) -> World:
    """Writes a simulated world, and the truth below `dest`/truth, into a new or empty folder; returns its knobs.

    `knobs` is a YAML file (none: the defaults), `overrides` are `key.path=value`; the rows do not depend on
    `partitions`. Raises `ConfigError`.
    """
    world = load_world(None if knobs is None else Path(knobs), overrides)
    write_world(get_spark(SparkSettings()), world, dest, partitions)
    return world


class Segmentation:
    """One configuration and its warehouse. Reads see what is there when they are made; nothing is cached.

    Where a method takes a version, it takes its number, a date (`date` or `YYYY-MM-DD`: the version of that date, see
    `version`), or nothing: the published one.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.spark = session_for(settings)

    def __repr__(self) -> str:
        return f"Segmentation({self.settings.warehouse!r})"

    @property
    def features(self) -> Mapping[str, FeatureInfo]:
        """What each feature of the configuration is called and says, by its column."""
        return feature_catalogue(know_vocabulary(self.settings, self._warehouse()).features)

    def feature_sheets(self) -> list[FeatureSheet]:
        """What `segmentation features --docs` says of each feature; its figures are in `feature_profiles`."""
        settings = know_vocabulary(self.settings, self._warehouse())
        return write_sheets(settings.features, find_users(settings), settings.identity.attributes)

    def table(self, name: str, at: Which = None) -> DataFrame:
        """A table of the contract as it is now; with `at`, as that version of the segments saw it: input tables at the
        Delta version that it was made from, tables of versions with its own rows.

        Raises `ConfigError` for a table that there is not or that is not shown, or that has nothing to do with
        versions; `InputError` for one that no stage has written yet.
        """
        if at is None:
            return open_table(self._warehouse(), name)
        version = self.version(at)
        if name in version.inputs:
            return open_table(self._warehouse(), name, version.inputs[name])
        rows = open_table(self._warehouse(), name)
        if "segment_version" not in rows.columns:
            raise ConfigError(f"Version {version.segment_version} was not made from '{name}': read it without `at`.")
        return rows.where(F.col("segment_version") == version.segment_version)

    def versions(self) -> list[Version]:
        """All versions of the segments, oldest first; none where nothing was assigned yet."""
        return read_versions(self._warehouse().read_or_empty("segment_versions"))

    def version(self, which: Which = None) -> Version:
        """One version: by number; by date, the newest `as_of` up to it among the versions that were published and not
        rolled back from; else the published one. Raises `InputError` where there is none."""
        return find_version(self.versions(), _day(which) if isinstance(which, str) else which)

    def segments(self, version: Which = None) -> DataFrame:
        """Who is in which segment: one row a person, with the columns of `segments`."""
        return self.table("segments", at=self.version(version).segment_version)

    def profiles(self, version: Which = None) -> list[Profile]:
        """What each segment is, largest first: name, description, size, revenue, rules, statistics of each feature."""
        number = self.version(version).segment_version
        fallback = self.settings.segments.fallback.segment_id
        found, _ = read_profiles(self._warehouse().read("segment_profiles"), number, fallback)
        return sorted(found, key=lambda profile: (-profile.size, profile.segment_id))

    def person(self, person_id: str | None = None, /, **identifier: str) -> Story:
        """One person's story, by `person_id` or by one identifier: `person(email="ann@example.com")`.

        Raises `ConfigError` for neither or both, an identifier type that there is not, or a personal one without the
        key; `InputError` where there is nobody.
        """
        warehouse, identity = self._warehouse(), self.settings.identity
        if person_id is None or identifier:
            person_id = find_person(warehouse.read("identity_map"), identity, *_one(identifier, person_id))
        return tell_story(warehouse, identity, person_id)

    def placement(self, person_id: str, version: Which = None) -> Placement:
        """Why a person is in their segment in a version: what decided it, and what would move them to the nearest
        other. Raises `InputError` where the person or the version is not there."""
        number = self.version(version).segment_version
        return explain_person(self._warehouse(), self.settings.segments, person_id, number)

    def compare(self, before: Which = None, after: Which = None) -> Comparison:
        """Who went where from one version to another. `after` is the published one unless it is given, `before` the
        version that `after` was compared with when it was assigned.

        Raises `InputError` where a version is not there, or `after` is the first.
        """
        numbers = [None if which is None else self.version(which).segment_version for which in (before, after)]
        return compare_versions(self._warehouse(), *numbers)

    def activity(self, version: Which = None) -> Activity:
        """What people did, by month, as the report tells it of a version."""
        found = self.version(version)
        at = found.segment_version
        return summarise_activity(self.table("events", at), self.table("sessions", at), found.as_of)

    def identity(self) -> Identity | None:
        """Who is who now, in counts, as the report tells it; None before identities were resolved."""
        read = self._warehouse().read_or_empty
        return summarise_identity(read("persons"), read("identity_map"), read("identity_edges"), {})

    def choice(self, version: Which = None) -> Choice:
        """How a version's model was chosen: every candidate with its figures, and the reason in words."""
        model_id = self.version(version).model_id
        found, _ = read_choice(self._warehouse().read("models"), model_id)
        assert found is not None, "rows of models are never taken away"
        return found

    def try_clustering(self, as_of: date | str | None = None, **changes: Any) -> Choice:
        """What `train` would choose with other settings for everyone, parts aside; fits and measures the candidates,
        and writes nothing.

        `changes` are keys of `clustering`, such as `features=["recency", "frequency"]` or `k={"min": 2, "max": 6}`;
        `as_of` is the date of the features, by default the published version's. Raises as `train` does.
        """
        settings = ClusteringSettings.model_validate({**self.settings.clustering.model_dump(), **changes})
        day = self.version().as_of if as_of is None else _day(as_of)
        read_or_empty = self._warehouse().read_or_empty
        given = find_people(self.table("features"), read_or_empty, self.settings.segments, settings, day)
        trained = train_model(given.rows, given.names, given.population, settings, lambda _: None, given.earlier)
        chosen = trained.choice
        summaries = [candidate.summary() for candidate in chosen.candidates]
        return tell_choice(chosen.reason, summaries, chosen.chosen.algorithm, chosen.chosen.k, trained.comparisons)

    def suggest_timeout(self, as_of: date | str | None = None) -> Gaps:
        """How long the gaps between events are, and what `sessions.timeout_minutes` they support; writes nothing.

        Of the events up to `as_of`, by default all. Raises `InputError` before identities were resolved.
        """
        return look_at_gaps(self._context(GAPS_READS, as_of))

    def suggest_journeys(self, as_of: date | str | None = None) -> Vocabulary:
        """Which steps in a row would tell people apart best as features, and how to declare them; writes nothing.

        Of the journeys up to `as_of`, by default all. Raises `InputError` before identities were resolved.
        """
        return look_at_journeys(self._context(JOURNEYS_READS, as_of))

    def audience(self, who: str | Mapping[str, Any], as_of: date | str | None = None) -> Explanation:
        """Who an audience is, in words, how many there are, and where each condition loses people.

        `who` is the name of a configured audience, or a rule in the words of `audiences[].who`:
        `audience({"all": [{"segment": "Frequent"}, {"feature": "recency", "at_least": 30}]})`. `as_of` is by default
        the newest event's date. Writes nothing. Raises `ConfigError` with every problem of a rule.
        """
        return explain(self._context(AUDIENCES.reads, as_of), self._audience(who))

    def members(self, who: str | Mapping[str, Any], as_of: date | str | None = None) -> DataFrame:
        """The people of an audience or of a rule, as `audience` takes them: `person_id`, `segment_id`. Of a configured
        audience with a purpose, those who granted it. Writes nothing."""
        return find_members(self._context(AUDIENCES.reads, as_of), self._audience(who))

    def measure(self, audience: str | None = None, as_of: date | str | None = None) -> list[Measurement]:
        """What the campaigns of an audience add, or of every one that has a control group: treated people against it.

        Raises `ConfigError` where there is no control group, `InputError` where nobody is in one yet.
        """
        names = find_held_out(self.settings, audience)
        return measure(self._context(MEASURE_READS, as_of), names)

    def plan_campaign(
        self,
        audience: str,
        *,
        effect: float = EFFECT,
        power: float = POWER,
        rate: float | None = None,
        days: int = DAYS,
        as_of: date | str | None = None,
    ) -> CampaignPlan:
        """What a campaign of an audience needs before its effect can be told from chance, and what the audience of
        today can show; writes nothing.

        `effect`: by how much the share who buy is to rise, which is seen as often as `power` says. `rate`: that share
        without the campaign, by default of who bought in the last `days` days. Raises `ConfigError` where the audience
        has no control group, `InputError` where no such campaign can be planned.
        """
        find_held_out(self.settings, audience)
        return plan_audience(self._context(PLAN_READS, as_of), audience, effect, power, rate, days)

    def attribution(self, as_of: date | str | None = None) -> Attribution:
        """Which channels led people to convert, by seven methods, for everyone and for each segment; writes nothing.

        Raises `ConfigError` where the configuration has no `attribution`.
        """
        find_settings(self.settings)
        return attribute_conversions(self._context(ATTRIBUTION_READS, as_of))

    def identity_map(self, as_of: date | str) -> DataFrame:
        """Whose each identifier was held to be at the end of a past date, by `identity_history`, since when, and what
        had brought it there; of who is who now, it is the table `identity_map`."""
        return open_map(self._warehouse(), _day(as_of))

    def preview_identity(self, as_of: date | str | None = None) -> Preview:
        """What this configuration's identity rules would change in the warehouse as it is; writes nothing."""
        return preview(self._context(PREVIEW_READS, as_of))

    def run(self, *stages: str, as_of: date | str | None = None, **options: Any) -> list[StageReport]:
        """Runs stages in order (all, where none is named) and says what each did; what is done is not done again.

        `options` are those of the stages' commands: `run("publish", accept=["max_moved_share"], reason="new season")`.
        Raises `ConfigError` for a stage or an option that there is not, and what a stage raises.
        """
        chosen = choose_stages(stages or None)
        known = {option.name for stage in chosen for option in stage.options}
        if unknown := sorted(set(options) - known):
            raise ConfigError(f"There is no option '{unknown[0]}' of {', '.join(stage.name for stage in chosen)}.")
        return self._run(chosen, as_of, options)

    def replay(self, batch: str, rows: str | Path | None = None) -> list[StageReport]:
        """Takes a batch in again, by the mapping and the rules of now; or, of its refused rows, those in the file
        `rows`, repaired (`refused_rows`). Raises `ConfigError` for one that is not there."""
        repaired = {} if rows is None else {ingest.REPAIRED: locate(str(rows), Path.cwd())}
        return self._run([ingest.STAGE], None, {ingest.REPLAY: batch, **repaired})

    def refused_rows(self, batch: str, file: str | Path) -> int:
        """Writes the refused rows of a batch that nobody has repaired, as JSON to be edited, a line each, to a file
        that is not there yet; returns how many."""
        return write_refused(self._warehouse(), batch, Path(file))

    def live(self) -> list[StageReport]:
        """Brings people into live audiences by the events since the last time, as `segmentation live` does."""
        return self._run([live.STAGE], None, {})

    def maintain(self) -> list[StageReport]:
        """Looks after the tables, as `segmentation maintain` does."""
        return self._run([maintain.STAGE], None, {})

    def roll_back(self, to: int, reason: str | None = None) -> Version:
        """Makes published version `to` current again and returns it. Raises `ConfigError` where it never was."""
        warehouse = self._warehouse(run_id=str(uuid.uuid4()))
        with warehouse.lock():
            roll_back(warehouse, to, datetime.now(UTC), reason)
        return self.version()

    def retire(self, number: int, reason: str) -> Version:
        """Takes a version out of use for good and returns it. Raises `ConfigError` as the command does."""
        warehouse = self._warehouse(run_id=str(uuid.uuid4()))
        with warehouse.lock():
            retire_version(warehouse, number, datetime.now(UTC), reason)
        return self.version(number)

    def access(self, dest: str | Path, **identifier: str) -> int:
        """Writes all that is held on one person to a file that only you may read, and returns how many rows:
        `access("ann.json", email="ann@example.com")`. The audit log says that it was asked for."""
        warehouse = self._warehouse(run_id=str(uuid.uuid4()))
        return hand_over(warehouse, self.settings, _one(identifier), Path(dest), datetime.now(UTC))

    def erase(self, *requests: Identifier, **identifier: str) -> str:
        """Forgets whoever has one of these identifiers, and returns the receipt: `erase(email="ann@example.com")`, or
        `erase(("email", "ann@example.com"), ("user_id", "u7"))` for several people. Needs the key."""
        asked = [*requests, _one(identifier)] if identifier or not requests else [*requests]
        erasure = Erasure(asked, load_key(what="Tombstones of people who are erased"))
        return str(self._run(erasure.stages, None, {})[-1].result)

    def check_audit(self) -> End:
        """Reads the whole audit log and returns how many entries there are, and the hash of the last. Raises
        `InputError` at the first that was changed or taken out."""
        return verify_log(self._warehouse().read_or_empty("audit_log"))

    def runs(self, limit: int = 20) -> list[PastRun]:
        """The newest runs with their stages, newest first. Raises `InputError` where there is none yet."""
        return read_newest_runs(self._warehouse().read_or_empty("runs"), limit)

    def doctor(self) -> list[Finding]:
        """Whether all that a run needs is there, and what to do about what is not."""
        return examine(self.settings)

    def score(self, truth: str, as_of: date | str | None = None) -> Score:
        """How near the tables come to the truth that `simulate` has written. Raises `ConfigError` where they were not
        made from that world."""
        known, day = Truth.open(self.spark, truth), None if as_of is None else _day(as_of)
        return score_warehouse(self._warehouse(), self.settings, known, day)

    def _audience(self, who: str | Mapping[str, Any]) -> AudienceSettings:
        if isinstance(who, str):
            return find_audience(self.settings, who)
        return read_rule(dict(who), self.settings.audiences, self.settings.features)

    def _context(self, reads: Sequence[str], as_of: date | str | None) -> StageContext:
        """What a look at the tables is given, that writes nothing, not even a row of `runs`."""
        request = Request(None if as_of is None else _day(as_of))
        return open_context(RunRecord(self._warehouse()), self.settings, reads, request, lambda _: None)

    def _run(self, stages: Sequence[Stage], as_of: date | str | None, options: Mapping[str, Any]) -> list[StageReport]:
        request = Request(None if as_of is None else _day(as_of), options)
        return run_stages(self.spark, self.settings, stages, request, Progress())

    def _warehouse(self, run_id: str = "") -> Warehouse:
        """Opened anew each time: it remembers versions, and others may write in between."""
        return Warehouse(self.spark, self.settings.warehouse, run_id)


def _one(identifier: Mapping[str, str], person_id: str | None = None) -> Identifier:
    """The one identifier that names a person. Raises `ConfigError` where there is none, or more than one name."""
    if person_id is not None or len(identifier) != 1:
        raise ConfigError("Name one person: by id where that is asked for, or by one identifier, such as user_id='…'.")
    ((kind, value),) = identifier.items()
    return kind, value


def _day(value: date | str) -> date:
    if isinstance(value, date):
        return value
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()
    except ValueError:
        raise ConfigError(f"'{value}' is not a date YYYY-MM-DD.") from None
