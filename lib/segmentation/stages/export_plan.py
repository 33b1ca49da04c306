"""The deliveries of an export run, checked before the first is made."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from segmentation.activation.delivery import Shipment
from segmentation.activation.destinations import PLATFORMS, platform
from segmentation.activation.destinations.destination import Destination
from segmentation.activation.folder import Folder
from segmentation.activation.held import who_has_forgotten
from segmentation.activation.log import Standing, read_standings
from segmentation.activation.login import read_secret
from segmentation.config.destinations import ADVERTISING
from segmentation.config.exports import ExportSettings
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError, InputError, Problem
from segmentation.runtime.stage import StageContext
from segmentation.segments.named import choose_segments
from segmentation.segments.versions import Version, count_people, read_segment_names
from segmentation.stages.export_people import has_control_group


@dataclass(frozen=True)
class Planned:
    """One delivery, checked before the first is made.

    `password`: of its server, where that has one. `erased`: whether somebody was erased of whom the destination was
    told, so that an erasure deleted the files that are for it. `people`: of the version, be they meant or not.
    """

    shipment: Shipment
    folder: Folder
    standing: Standing
    password: str | None
    erased: bool
    people: int

    @property
    def name(self) -> str:
        return self.shipment.export.name


def plan_deliveries(context: StageContext, version: Version) -> list[Planned]:
    """All deliveries of a version. Raises `ConfigError` and `InputError` where one could not be made."""
    _check_names(context)
    profiles = context.read("segment_profiles")
    names = read_segment_names(profiles, version.segment_version)
    people = count_people(profiles, version.segment_version)
    standings = read_standings(context.read_or_empty("export_log"))
    forgotten = who_has_forgotten(context.read_or_empty("export_members"))
    plan, targets = [], dict[str, str]()
    for number, export in enumerate(context.settings.exports):
        standing = standings.get(export.name, Standing())
        purposes, unless = _purposes(context.settings, export), _unless_refused(context.settings, export)
        rules = _rules(export, f"exports.{number}.rules_of")
        shipment = Shipment(
            export=export,
            platform=rules,
            segment_version=version.segment_version,
            as_of=version.as_of,
            segment_ids=choose_segments(export.segments, names, f"exports.{number}.segments"),
            names=names,
            labels={**names, **((standing.last and standing.last.labels) or {}), **export.labels},
            purposes=purposes,
            unless_refused=unless,
            pinned=_pinned(context, export, asks=bool(purposes or unless or (rules and rules.purposes))),
            number=standing.number + 1,
        )
        what = f"the export '{export.name}'"
        folder = Folder(context.spark, export.path or context.warehouse.path(f"_exports/{export.name}"), what)
        target = folder.root if export.is_table else folder.path(shipment.file)
        if target in targets:
            raise ConfigError(
                [Problem(f"exports.{number}.file", f"is the same file as that of '{targets[target]}'", target)]
            )
        targets[target] = export.name
        server = export.database or export.sftp
        secret = server.password_env if server else None
        password = read_secret(secret, what) if secret else None
        plan.append(Planned(shipment, folder, standing, password, export.name in forgotten, people))
    return plan


def _check_names(context: StageContext) -> None:
    """Raises `ConfigError` where the command names an export that there is not."""
    known = [export.name for export in context.settings.exports]
    for option in ("full", "confirm_removals"):
        for name in context.options.get(option, ()):
            if name not in known:
                near = next(iter(get_close_matches(name, known, 1)), None)
                key = f"--{option.replace('_', '-')}"
                raise ConfigError([Problem(key, f"there is no export '{name}' in this configuration", None, near)])


def _rules(export: ExportSettings, key: str) -> Destination | None:
    if not export.is_platform:
        return None
    if (rules := platform(export.type, export.rules_of)) is None:
        oldest = PLATFORMS[export.type][-1].ruled
        raise ConfigError([Problem(key, f"the oldest known rules of {export.type} are of {oldest}", export.rules_of)])
    return rules


def _purposes(settings: Settings, export: ExportSettings) -> list[str]:
    """What the people of an export must all have granted: for itself, for its audience, and to be segmented at all."""
    audiences = [audience.purpose for audience in settings.audiences if audience.name == export.audience]
    return sorted({purpose for purpose in (export.purpose, *audiences, settings.segments.purpose) if purpose})


def _unless_refused(settings: Settings, export: ExportSettings) -> list[str]:
    """What nobody among the people of an export may have refused."""
    control, own = settings.global_privacy_control, export.unless_refused
    if own is None:
        own = control.purposes if control and export.type in ADVERTISING else []
    return sorted(set(own))


def _pinned(context: StageContext, export: ExportSettings, asks: bool) -> dict[str, int]:
    """The versions of the tables that say who is in the file, beside the segments: the newest that changed a row.

    `asks`: whether somebody may be left out for what they granted or refused.
    """
    if export.audience is not None and "audience_members" not in context.inputs:
        raise InputError(
            f"Who is in the audience '{export.audience}' is not known yet: run `segmentation audiences` first."
        )
    needed = ["audience_members"] if export.audience is not None else []
    needed += ["holdouts"] if has_control_group(context, export) else []
    needed += ["consent"] if asks else []
    needed += ["identity_map"] if asks or export.is_platform else []
    needed += ["vault", "persons"] if export.is_platform else []
    found = {name: context.warehouse.content(name) for name in needed if name in context.inputs}
    return {name: version for name, version in found.items() if version is not None}
