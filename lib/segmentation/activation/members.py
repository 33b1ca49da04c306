"""Who is delivered, and what changed since the last delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.errors import ConfigError, Problem
from segmentation.contracts.table import check_columns

KEY = "person_id"

FORGOTTEN = "erased-"
"""How the name begins under which `export_members` keeps somebody who was erased, until the destination was told."""

_OF_THE_VERSION = ("segment_version", "as_of")
"""Columns that say when a row was made, not what it says of the person: they make no difference."""


@dataclass(frozen=True)
class Difference:
    """People of one delivery against the one before."""

    added: int
    removed: int
    unchanged: int
    changed: int

    @property
    def rows(self) -> int:
        """People in the newer of the two."""
        return self.added + self.unchanged + self.changed


def choose_segments(wanted: Sequence[str], names: Mapping[str, str], key: str) -> list[str] | None:
    """Ids of the segments that are `wanted` by id or name, sorted; None for all. Raises `ConfigError`.

    `names` are the published segments, id -> name; `key` is the place in the configuration.
    """
    if problems := unknown_segments(wanted, names, key):
        raise ConfigError(problems)
    return find_segments(wanted, names) or None


def find_segments(wanted: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Ids of the segments that are `wanted` by id or name, sorted; those which do not exist are left out."""
    return sorted({segment_id for segment in wanted if (segment_id := _find(segment, names))})


def unknown_segments(wanted: Sequence[str], names: Mapping[str, str], key: str) -> list[Problem]:
    """What is `wanted` and is neither the id nor the name of a published segment."""
    known = [*names.values(), *names]
    return [
        Problem(
            key,
            f"no published segment has the id or name '{segment}' (there are {', '.join(sorted(names.values()))})",
            suggestion=next(iter(get_close_matches(segment, known, 1)), None),
        )
        for segment in wanted
        if _find(segment, names) is None
    ]


def _find(segment: str, names: Mapping[str, str]) -> str | None:
    if segment in names:
        return segment
    return next((segment_id for segment_id, name in names.items() if name.casefold() == segment.casefold()), None)


def current_members(members: DataFrame, audience: str) -> DataFrame:
    """Rows of `audience_members` -> `person_id` of those who are in an audience now."""
    check_columns(members, ("audience", KEY, "left_as_of"), "the table 'audience_members'")
    return members.where((F.col("audience") == audience) & F.col("left_as_of").isNull()).select(KEY)


def select_members(
    segments: DataFrame, segment_ids: Sequence[str] | None, columns: Sequence[str], as_of: date
) -> DataFrame:
    """One row a person of one segment version -> `person_id`, then the `columns` of the file (`person_id` once).

    `segment_ids`: only these; None: all.
    """
    needed = ["segment_id", *(column for column in {KEY, *columns} if column != "as_of")]
    check_columns(segments, needed, "the published segments")
    chosen = segments if segment_ids is None else segments.where(F.col("segment_id").isin(*segment_ids))
    return chosen.select(KEY, *(_column(name, as_of) for name in columns if name != KEY))


def hash_members(members: DataFrame) -> DataFrame:
    """People with the columns of a file -> `person_id`, and `told`: a hash of what the destination is told of them."""
    told = [name for name in members.columns if name not in (KEY, *_OF_THE_VERSION)]
    return members.select(KEY, F.xxhash64(F.lit(",".join(told)), *told).alias("told"))


def count_difference(before: DataFrame | None, now: DataFrame) -> Difference:
    """Counts people of `now` against those of `before` (None: nothing was delivered yet), in one pass over both.

    In: one row a person as of `hash_members`.
    """
    if before is None:
        return Difference(added=now.count(), removed=0, unchanged=0, changed=0)
    both = before.select(KEY, F.col("told").alias("was")).join(now, KEY, "full_outer")
    was, is_ = F.col("was"), F.col("told")
    row = both.agg(
        F.count_if(was.isNull()).alias("added"),
        F.count_if(is_.isNull()).alias("removed"),
        F.count_if(was == is_).alias("unchanged"),
        F.count_if(was != is_).alias("changed"),
    ).first()
    assert row is not None, "a global aggregate has one row"
    return Difference(**row.asDict())


def _column(name: str, as_of: date) -> Column:
    return F.lit(as_of).alias(name) if name == "as_of" else F.col(name)
