"""`publish`: gates, then one version in the place of another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click
from pyspark.sql import functions as F

from segmentation.config.settings import Settings
from segmentation.contracts.errors import InputError, PublicationRefused
from segmentation.contracts.segments import SEGMENTS_CURRENT
from segmentation.privacy.audit import Act
from segmentation.runtime.audit import audit
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.segments.gates import CHECKS, acceptance, accepted_checks, check_accepted, judge, limits_of, refusal
from segmentation.segments.versions import (
    Version,
    find_to_roll_back_to,
    make_published,
    newest_waiting,
    note_limits,
    published,
    read_versions,
    reject,
    retire,
    version_rows,
)

_ROLLED_BACK = "rolled back to"


def run(context: StageContext) -> Outcome:
    """Publishes the newest version if it waits for it (also one that was refused before: the gates, or what is
    accepted, may have changed) and passes its gates. Raises `PublicationRefused` where it does not.

    Options: `accept`, checks that it may fail, and `reason`, why.
    """
    accepted, reason = context.options.get("accept", ()), context.options.get("reason")
    check_accepted(accepted, reason)
    versions = read_versions(context.read_or_empty("segment_versions"))
    repaired = repair_current(context.warehouse, versions)
    newest, current = newest_waiting(versions), published(versions)
    if newest is None or newest.status not in ("candidate", "rejected"):
        people = int(current.metrics["people"]) if current else 0
        stays = f"version {current.segment_version} is current" if current else "no version is there"
        return Outcome(people, people if repaired else 0, message=f"no candidate: {stays}")
    if newest.compared_with != (current.segment_version if current else None):
        raise PublicationRefused(
            f"Version {newest.segment_version} is not published: it was compared with version {newest.compared_with}, "
            "which is not current any more. Run `segmentation assign` first."
        )
    gates = context.settings.segments.gates
    failures = judge(newest.metrics, gates, newest.about or {})
    judged = note_limits(versions, newest.segment_version, limits_of(gates))
    standing = [failure for failure in failures if failure.check not in accepted]
    if standing:
        text = refusal(newest.segment_version, standing)
        rejected = reject(judged, newest.segment_version, text)
        if rejected != versions:
            context.warehouse.replace("segment_versions", version_rows(context.spark, rejected))
        raise PublicationRefused(text)
    why = acceptance(failures, accepted, reason)
    make_current(context.warehouse, judged, newest.segment_version, context.now, why)
    people = int(newest.metrics["people"])
    return Outcome(people, people, message=f"version {newest.segment_version} is current")


def make_current(
    warehouse: Warehouse, versions: Sequence[Version], number: int, now: datetime, reason: str | None
) -> None:
    """Publishes version `number`: one commit to `segment_versions`, then one to `segments_current`."""
    flipped = make_published(versions, number, now, reason)
    warehouse.replace("segment_versions", version_rows(warehouse.spark, flipped))
    _copy(warehouse, number)


def roll_back(warehouse: Warehouse, number: int, now: datetime, reason: str | None) -> bool:
    """Makes published version `number` current again, under the warehouse's lock. Returns whether it was not already.

    Raises `InputError` where there is no version yet, `ConfigError` where `number` was never published.
    """
    versions = read_versions(warehouse.read_or_empty("segment_versions"))
    if not versions:
        raise InputError("There is no version of the segments yet: run `segmentation run`.")
    find_to_roll_back_to(versions, number)
    audit(warehouse, list_publications(versions))  # before the row that says when it was published is replaced
    repair_current(warehouse, versions)
    current = published(versions)
    if current is not None and current.segment_version == number:
        return False
    left = f" from version {current.segment_version}" if current else ""
    why = f"{_ROLLED_BACK}{left}" + (f": {reason}" if reason else "")
    make_current(warehouse, versions, number, now, why)
    audit(warehouse, list_publications(make_published(versions, number, now, why)))
    return True


def list_publications(versions: Sequence[Version]) -> list[Act]:
    """What the versions say of when each was last made current, how, against which checks, and retired."""
    acts = []
    for version in versions:
        reason, subject = version.reason or "", f"segment version {version.segment_version}"
        if version.retired_ts is not None:
            acts.append(Act("retirement", subject, version.retired_ts))
        if version.published_ts is None:
            continue
        action = "rollback" if reason.startswith(_ROLLED_BACK) else "publication"
        made_of = {"as_of": str(version.as_of), "model_id": version.model_id}
        acts.append(Act(action, subject, version.published_ts, made_of))
        if accepted := accepted_checks(reason):
            acts.append(Act("override", subject, version.published_ts, {"accepted": ", ".join(accepted)}))
    return acts


def retire_version(warehouse: Warehouse, number: int, now: datetime, reason: str) -> None:
    """Takes version `number` out of use for good, under the warehouse's lock.

    Raises `InputError` where there is no version yet, `ConfigError` where `number` cannot be retired.
    """
    versions = read_versions(warehouse.read_or_empty("segment_versions"))
    if not versions:
        raise InputError("There is no version of the segments yet: run `segmentation run`.")
    retired = retire(versions, number, now, reason)
    warehouse.replace("segment_versions", version_rows(warehouse.spark, retired))
    audit(warehouse, list_publications(retired))


def repair_current(warehouse: Warehouse, versions: Sequence[Version]) -> bool:
    """Finishes a publication that was killed between its two commits. Returns whether there was one."""
    current = published(versions)
    if current is None:
        return False
    there = warehouse.read_or_empty("segments_current").agg(F.max("segment_version")).first()
    if there is not None and there[0] == current.segment_version:
        return False
    _copy(warehouse, current.segment_version)
    return True


def _copy(warehouse: Warehouse, number: int) -> None:
    rows = warehouse.read("segments").where(F.col("segment_version") == number)
    warehouse.replace("segments_current", rows.select(*SEGMENTS_CURRENT.column_names))


def _depends_on(settings: Settings) -> object:
    return settings.segments.gates


STAGE = Stage(
    name="publish",
    help="Make the candidate version current, if its gates pass.",
    reads=("segments",),
    writes=("segment_versions", "segments_current"),
    state=("segment_versions", "segments_current"),
    run=run,
    depends_on=_depends_on,
    reusable=False,
    options=(
        click.Option(
            ["--accept"],
            multiple=True,
            metavar="CHECK",
            help=f"Publish in spite of a check: {', '.join(CHECKS)}.",
        ),
        click.Option(["--reason"], metavar="TEXT", help="Why a check is accepted; kept with the version."),
    ),
    acts=lambda warehouse: list_publications(read_versions(warehouse.read_or_empty("segment_versions"))),
)
