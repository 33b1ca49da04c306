"""Versions: which is next, which is current, and how one takes another's place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from segmentation.clustering.matching import Continuity
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.segments.versions import (
    Version,
    draft_version,
    find_same,
    find_to_roll_back_to,
    find_version,
    make_published,
    newest_waiting,
    published,
    read_versions,
    reject,
    retire,
    version_rows,
)

NOW = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)


def _version(number: int, **changes: Any) -> Version:
    base = Version(
        segment_version=number,
        as_of=date(2026, 3, 31),
        model_id="m",
        status="candidate",
        inputs={"features": 4},
        metrics={"people": 3.0},
        created_ts=NOW,
        published_ts=None,
        reason=None,
        config_sha256="c",
        code_version="v",
        compared_with=None,
        fingerprint="f",
        continuity=Continuity({0: "a"}).to_json(),
    )
    return replace(base, **changes)


def _draft(versions: list[Version], **changes: Any) -> Version:
    parts: dict[str, Any] = {
        "as_of": date(2026, 3, 31),
        "model_id": "m",
        "inputs": {},
        "created_ts": NOW,
        "config_sha256": "c",
        "code_version": "v",
        "depends_on": ["x"],
    }
    return draft_version(versions, **{**parts, **changes})


def test_versions_read_back_as_they_were_written(spark: SparkSession) -> None:
    versions = [_version(1, status="published", published_ts=NOW, reason="why"), _version(2, compared_with=1)]
    assert read_versions(version_rows(spark, versions[::-1])) == versions


def test_numbers_follow_what_is_recorded_and_a_draft_is_compared_with_what_is_current() -> None:
    versions = [_version(1, status="published"), _version(2, status="rejected")]
    assert _draft([]).segment_version == 1
    assert _draft([]).compared_with is None
    assert _draft(versions).segment_version == 3
    assert _draft(versions).compared_with == 1


@pytest.mark.parametrize(
    "changes", [{"as_of": date(2026, 4, 1)}, {"model_id": "n"}, {"code_version": "w"}, {"depends_on": ["y"]}]
)
def test_the_same_again_is_recognised_and_anything_else_is_not(changes: dict[str, Any]) -> None:
    versions = [replace(_draft([]), status="published")]
    assert find_same(versions, _draft(versions, inputs={"events": 9})) == versions[0]
    assert find_same(versions, _draft(versions, **changes)) is None


def test_after_a_rollback_a_version_compared_with_another_one_is_not_the_same() -> None:
    first = replace(_draft([]), status="published")
    second = replace(_draft([first], depends_on=["y"]), status="candidate")
    assert find_same([first, second], _draft([first, second], depends_on=["y"])) == second
    swapped = [replace(first, status="retired"), replace(_version(2, status="published"), fingerprint="g")]
    third = replace(second, segment_version=3, compared_with=1)
    assert find_same([*swapped, third], _draft([*swapped, third], depends_on=["y"])) is None


def test_publishing_retires_the_version_before_and_keeps_when_that_was_published() -> None:
    earlier = datetime(2026, 3, 1, tzinfo=UTC)
    versions = [_version(1, status="published", published_ts=earlier), _version(2)]
    flipped = make_published(versions, 2, NOW, None)
    assert [v.status for v in flipped] == ["retired", "published"]
    assert [v.published_ts for v in flipped] == [earlier, NOW]
    assert published(flipped) == flipped[1]


def test_a_refused_version_keeps_the_reason_and_the_others_stay() -> None:
    versions = [_version(1, status="published"), _version(2)]
    assert reject(versions, 2, "too many") == [versions[0], replace(versions[1], status="rejected", reason="too many")]


def test_only_a_version_that_was_published_can_be_rolled_back_to() -> None:
    versions = [_version(1, status="retired", published_ts=NOW), _version(2, status="rejected")]
    assert find_to_roll_back_to(versions, 1) == versions[0]
    for number in (2, 7):
        with pytest.raises(ConfigError, match=rf"--to {number}: only a version that was published.*were: 1"):
            find_to_roll_back_to(versions, number)
    with pytest.raises(ConfigError, match="none was yet"):
        find_to_roll_back_to([_version(1)], 1)


def test_a_version_of_a_date_was_published_and_not_taken_back() -> None:
    def at(number: int, day: int, published: int | None) -> Version:
        moment = None if published is None else NOW.replace(day=published)
        return _version(number, as_of=date(2026, 3, day), published_ts=moment)

    first, second, refused, fourth = versions = [at(1, 10, 11), at(2, 17, 18), at(3, 18, None), at(4, 24, 25)]
    assert [find_version(versions, date(2026, 3, day)) for day in (10, 16, 17, 23, 24, 31)] == [
        first, first, second, second, fourth, fourth,
    ]  # fmt: skip
    assert find_version(versions, 3) == refused
    back = [first, replace(second, published_ts=NOW.replace(day=26)), refused, fourth]
    assert find_version(back, date(2026, 3, 31)) == back[1], "version 4 was rolled back from"
    again = [*back[:3], replace(fourth, published_ts=NOW.replace(day=27))]
    assert find_version(again, date(2026, 3, 31)) == again[3]
    for which, said in ((date(2026, 3, 9), "as old as 2026-03-09"), (7, "no version 7"), (None, "is published yet")):
        with pytest.raises(InputError, match=said):
            find_version(versions, which)


def test_a_retired_version_keeps_why_and_never_becomes_current_again() -> None:
    versions = [_version(1, status="retired", published_ts=NOW, reason="new season"), _version(2, status="published")]
    first, second = retire(versions, 1, NOW, "names mislead")
    assert (first.status, first.retired_ts, first.reason) == ("retired", NOW, "new season; retired: names mislead")
    assert second == versions[1]
    with pytest.raises(ConfigError, match=r"--to 1: only a version that was published.*none was yet"):
        find_to_roll_back_to([first, second], 1)
    for number, said in (
        (1, r"out of use since 2026-04-01 \(new season; retired"),
        (2, "is current"),
        (3, "no version 3"),
    ):
        with pytest.raises(ConfigError, match=said):
            retire([first, second], number, NOW, "again")


def test_a_shadow_is_never_what_waits_to_be_published() -> None:
    first = replace(_draft([]), status="candidate")
    shadow = _draft([first], shadow=True)
    assert (shadow.segment_version, shadow.status) == (2, "shadow")
    versions = [first, shadow]
    assert newest_waiting(versions) == first
    assert newest_waiting([shadow]) is None
    assert find_same(versions, _draft(versions)) == first, "the shadow after it is no newer version of its kind"
    assert find_same(versions, _draft(versions, shadow=True)) == shadow
