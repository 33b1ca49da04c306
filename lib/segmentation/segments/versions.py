"""The rows of `segment_versions`: which version is current, what comes next, and how one takes another's place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.clustering.matching import Continuity
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.contracts.segments import SEGMENT_VERSIONS
from segmentation.segments.measured import Measured

Status = Literal["candidate", "published", "rejected", "retired", "shadow"]


@dataclass(frozen=True)
class Version:
    """One row of `segment_versions`."""

    segment_version: int
    as_of: date
    model_id: str
    status: Status
    inputs: Mapping[str, int]
    metrics: Mapping[str, float]
    created_ts: datetime
    published_ts: datetime | None
    reason: str | None
    config_sha256: str
    code_version: str
    compared_with: int | None
    fingerprint: str
    continuity: str
    retired_ts: datetime | None = None
    about: Mapping[str, str] | None = None
    """Of some figures of `metrics`, what they are about: a segment's name, a feature, or a value of an attribute."""
    limits: Mapping[str, float] | None = None
    """Check -> its limit when gates judged the version last; None: they have not yet."""

    @property
    def segments(self) -> Mapping[int, str]:
        """The segment of each cluster of its model."""
        return Continuity.from_json(self.continuity).segments

    def with_results(self, measured: Measured, continuity: Continuity) -> Version:
        """The version once its people are placed."""
        return replace(self, metrics=measured.figures, about=measured.about, continuity=continuity.to_json())


def read_versions(table: DataFrame) -> list[Version]:
    """All versions, oldest first: one row each, so there are as many as there were publications."""
    rows = [row.asDict() for row in table.collect()]
    moments = ("created_ts", "published_ts", "retired_ts")
    versions = [Version(**{**row, **{name: _utc(row.get(name)) for name in moments}}) for row in rows]
    return sorted(versions, key=lambda version: version.segment_version)


def read_segment_names(profiles: DataFrame, version: int) -> dict[str, str]:
    """The segments of one version, id -> name: a row of `segment_profiles` each."""
    rows = profiles.where(F.col("segment_version") == version).select("segment_id", "segment_name").collect()
    return {row["segment_id"]: row["segment_name"] for row in rows}


def count_people(profiles: DataFrame, version: int) -> int:
    """How many people one version has, by its rows of `segment_profiles`."""
    row = profiles.where(F.col("segment_version") == version).agg(F.sum("size").alias("people")).first()
    return int(row["people"] or 0) if row else 0


def version_rows(spark: SparkSession, versions: Sequence[Version]) -> DataFrame:
    """The rows for `segment_versions`."""
    values = [asdict(version) for version in versions]
    return spark.createDataFrame(
        [tuple(v[name] for name in SEGMENT_VERSIONS.column_names) for v in values], SEGMENT_VERSIONS.schema
    )


def published(versions: Sequence[Version]) -> Version | None:
    """The current version, if there is one."""
    return next((version for version in versions if version.status == "published"), None)


def newest_waiting(versions: Sequence[Version]) -> Version | None:
    """The newest version that is meant to be published, whatever became of it: shadows are not."""
    return next((version for version in reversed(versions) if version.status != "shadow"), None)


def find_version(versions: Sequence[Version], which: int | date | None) -> Version:
    """One of the versions: by number; by date, the newest `as_of` up to it of those that were published and not rolled
    back from (an earlier version was published after them); else the published one. Raises `InputError`."""
    if which is None:
        found, missing = published(versions), "No version of the segments is published yet: run `segmentation run`."
    elif isinstance(which, date):
        found = max(
            (version for version in _standing(versions) if version.as_of <= which),
            key=lambda version: (version.as_of, version.segment_version),
            default=None,
        )
        missing = f"No published version of the segments is as old as {which}."
    else:
        found = next((version for version in versions if version.segment_version == which), None)
        there = ", ".join(str(version.segment_version) for version in versions[-5:]) or "none yet"
        missing = f"There is no version {which} of the segments (the newest are: {there})."
    if found is None:
        raise InputError(missing)
    return found


def _standing(versions: Sequence[Version]) -> list[Version]:
    standing: list[Version] = []
    newest = datetime.min.replace(tzinfo=UTC)
    for version in sorted(versions, key=lambda version: version.segment_version):
        if version.published_ts is not None and version.published_ts >= newest:
            standing.append(version)
            newest = version.published_ts
    return standing


def draft_version(
    versions: Sequence[Version],
    *,
    as_of: date,
    model_id: str,
    inputs: Mapping[str, int],
    created_ts: datetime,
    config_sha256: str,
    code_version: str,
    depends_on: Sequence[object],
    shadow: bool = False,
) -> Version:
    """The next version, before anybody is placed. Its number is free until its row is written.

    `depends_on` is what decides who is in which segment, beside date, model and code. A `shadow` is scored and
    watched like a candidate, and never published.
    """
    parts = [str(as_of), model_id, code_version, *map(str, depends_on)]
    current = published(versions)
    return Version(
        segment_version=max((version.segment_version for version in versions), default=0) + 1,
        as_of=as_of,
        model_id=model_id,
        status="shadow" if shadow else "candidate",
        inputs=inputs,
        metrics={},
        created_ts=created_ts,
        published_ts=None,
        reason=None,
        config_sha256=config_sha256,
        code_version=code_version,
        compared_with=current.segment_version if current else None,
        fingerprint=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
        continuity=Continuity({}).to_json(),
    )


def find_same(versions: Sequence[Version], draft: Version) -> Version | None:
    """The newest version of the draft's kind (a shadow, or one to publish), where it was made from just what the draft
    is, and compared with what is current still: a second run makes no second candidate."""
    shadow = draft.status == "shadow"
    newest = next((version for version in reversed(versions) if (version.status == "shadow") == shadow), None)
    if newest is None or newest.fingerprint != draft.fingerprint:
        return None
    return newest if newest.status == "published" or newest.compared_with == draft.compared_with else None


def make_published(versions: Sequence[Version], number: int, now: datetime, reason: str | None) -> list[Version]:
    """The versions once `number` is current; the one that was becomes retired."""
    flipped = []
    for version in versions:
        if version.segment_version == number:
            flipped.append(replace(version, status="published", published_ts=now, reason=reason))
        else:
            flipped.append(replace(version, status="retired") if version.status == "published" else version)
    return flipped


def note_limits(versions: Sequence[Version], number: int, limits: Mapping[str, float]) -> list[Version]:
    """The versions once gates with these limits have judged `number`."""
    return [replace(version, limits=limits) if version.segment_version == number else version for version in versions]


def reject(versions: Sequence[Version], number: int, reason: str) -> list[Version]:
    """The versions once a gate has refused `number`."""
    return [
        replace(version, status="rejected", reason=reason) if version.segment_version == number else version
        for version in versions
    ]


def retire(versions: Sequence[Version], number: int, now: datetime, reason: str) -> list[Version]:
    """The versions once `number` is out of use for good: it is neither published nor rolled back to any more.

    Raises `ConfigError` where there is no such version, it is current, it is out of use already, or no reason is given.
    """
    if not reason.strip():
        raise ConfigError(f"Say why version {number} is retired: the reason is kept with it.")
    found = next((version for version in versions if version.segment_version == number), None)
    if found is None:
        there = ", ".join(str(version.segment_version) for version in versions[-5:])
        raise ConfigError(f"There is no version {number} of the segments (the newest are: {there}).")
    if found.status == "published":
        raise ConfigError(
            f"Version {number} is current: make another one current first (`segmentation rollback --to N`, or publish)."
        )
    if found.retired_ts is not None:
        raise ConfigError(f"Version {number} has been out of use since {found.retired_ts:%Y-%m-%d} ({found.reason}).")
    why = "; ".join(filter(None, [found.reason, f"retired: {reason.strip()}"]))
    retired = replace(found, status="retired", retired_ts=now, reason=why)
    return [retired if version is found else version for version in versions]


def find_to_roll_back_to(versions: Sequence[Version], number: int) -> Version:
    """The version `number`. Raises `ConfigError` where there is none, it was never published, or was retired for
    good."""
    possible = [v.segment_version for v in versions if v.published_ts is not None and v.retired_ts is None]
    if number not in possible:
        there = f"versions that were: {', '.join(map(str, possible[-5:]))}" if possible else "none was yet"
        raise ConfigError(
            f"--to {number}: only a version that was published, and not retired with `segmentation retire`, can "
            f"become current again ({there})."
        )
    return next(version for version in versions if version.segment_version == number)


def _utc(value: datetime | None) -> datetime | None:
    """Spark gives times without a zone, in that of this process."""
    return None if value is None else value.astimezone(UTC)
