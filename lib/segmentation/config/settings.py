"""The whole configuration: reading it, overriding single values, and reporting all of its problems at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from segmentation.config.attributes import check_attributes
from segmentation.config.attribution import AttributionSettings
from segmentation.config.audiences import AudienceSettings, EntryLimit, check_audiences
from segmentation.config.clustering import ClusteringSettings
from segmentation.config.consent import ConsentRule, GlobalPrivacyControl, check_purposes, check_signal
from segmentation.config.exports import ExportSettings, check_feeds
from segmentation.config.features import FeatureSettings
from segmentation.config.fields import check_fields
from segmentation.config.identity import IdentitySettings
from segmentation.config.maintenance import Maintenance
from segmentation.config.model import Section
from segmentation.config.money import MoneySettings
from segmentation.config.monitoring import MonitoringSettings
from segmentation.config.paths import resolve
from segmentation.config.point_in_time import PointInTime
from segmentation.config.problems import explain
from segmentation.config.report import ReportSettings
from segmentation.config.segments import SegmentSettings
from segmentation.config.sessions import SessionSettings
from segmentation.config.sources import Source
from segmentation.config.spark import SparkSettings
from segmentation.config.traffic import TrafficSettings
from segmentation.config.yaml_file import override_value, read_yaml
from segmentation.contracts.errors import ConfigError, Problem


class Settings(Section):
    """Everything that a run is told."""

    warehouse: str = Field(description="A folder or object-store URI for the tables, or `catalog.schema`.")
    sources: list[Source] = Field(min_length=1, description="Where events come from.")
    traffic: TrafficSettings = Field(TrafficSettings(), description="Which events no customer made.")
    identity: IdentitySettings = Field(description="How identifiers become persons.")
    point_in_time: PointInTime = Field(PointInTime(), description="What a run as of a past date may know.")
    money: MoneySettings | None = Field(
        None, description="What amounts are counted in, where they are of several currencies. Default: as they are."
    )
    sessions: SessionSettings = Field(SessionSettings(), description="How a person's events are cut into sessions.")
    features: FeatureSettings = Field(FeatureSettings(), description="What is measured of each person.")
    clustering: ClusteringSettings = Field(ClusteringSettings(), description="How segments are found.")
    segments: SegmentSettings = Field(SegmentSettings(), description="How versions are assigned and published.")
    consent: list[ConsentRule] = Field(
        [], description="Which events say yes or no to what; read when they are taken in."
    )
    global_privacy_control: GlobalPrivacyControl | None = Field(
        None, description="Which events carry a Global Privacy Control signal, and what that says no to."
    )
    audiences: list[AudienceSettings] = Field([], description="People whom a rule names, beside the segments.")
    universal_control: float | None = Field(
        None,
        gt=0,
        le=0.5,
        description="The share of everyone whom no export of an audience delivers: the control group of all campaigns "
        "together, of each segment in proportion. Once in it, always in it. Needs a key, as personal identifiers do.",
    )
    attribution: AttributionSettings | None = Field(
        None, description="Which channels lead to conversions, for `segmentation attribution`. Default: none."
    )
    entry_limit: EntryLimit | None = Field(
        None, description="How often people may come into audiences, all of them together. Default: no limit."
    )
    exports: list[ExportSettings] = Field([], description="Where published segments are delivered.")
    maintenance: Maintenance = Field(Maintenance(), description="How long rows and older versions are kept.")
    monitoring: MonitoringSettings = Field(MonitoringSettings(), description="Where others may look how runs went.")
    report: ReportSettings = Field(ReportSettings(), description="What the report says beside its figures.")
    spark: SparkSettings = Field(SparkSettings(), description="How Spark is started in local mode.")

    @property
    def maps_personal_identifiers(self) -> bool:
        """Whether a source maps identifiers that become tokens."""
        return any(self.identity.is_personal(kind) for source in self.sources for kind in source.columns.identifiers)

    @property
    def has_control_groups(self) -> bool:
        """Whether anybody is held out of a campaign, which needs a key."""
        return self.universal_control is not None or any(audience.holdout for audience in self.audiences)

    @field_validator("sources", "audiences", "exports")
    @classmethod
    def _names_differ(cls, parts: list[Any]) -> list[Any]:
        names = [part.name for part in parts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {', '.join(map(repr, twice))} is used twice")
        return parts


def load_settings(path: str | Path, overrides: Sequence[str] = (), base: Path | None = None) -> Settings:
    """Reads and checks a configuration file.

    `overrides` are `key.path=value` (the value is YAML; a list item is named by its number or its `name`).
    Relative paths count from `base`, by default the current folder. Raises `ConfigError` with every problem found.
    """
    raw = read_yaml(Path(path))
    for override in overrides:
        override_value(raw, override)
    checks = (check_audiences, check_purposes, check_signal, check_feeds, check_attributes, check_fields)
    problems = [*_undeclared_identifiers(raw), *(problem for check in checks for problem in check(raw))]
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError([*explain(error, Settings), *problems]) from None
    if problems:
        raise ConfigError(problems)
    return resolve(settings, base or Path.cwd())


def _undeclared_identifiers(raw: Mapping[str, Any]) -> list[Problem]:
    """Identifier types that a source maps, or `traffic` names, and `identity.identifiers` does not know."""
    try:
        known = list(raw["identity"]["identifiers"])
        used = [
            (f"sources.{number}.columns.identifiers.{kind}", kind)
            for number, source in enumerate(raw["sources"])
            for kind in source["columns"]["identifiers"]
        ]
        traffic = raw.get("traffic") or {}
        tests = (traffic.get("tests") or {}).get("identifiers") or {}
        by = ((traffic.get("bots") or {}).get("rates") or {}).get("by") or []
        used += [(f"traffic.tests.identifiers.{kind}", kind) for kind in tests]
        used += [(f"traffic.bots.rates.by.{number}", kind) for number, kind in enumerate(by)]
    except (KeyError, TypeError, AttributeError):
        return []
    return [
        Problem(
            key,
            f"the identifier type '{kind}' is not declared under identity.identifiers",
            suggestion=next(iter(get_close_matches(str(kind), known, 1)), None),
        )
        for key, kind in used
        if kind not in known
    ]
