"""What changed at a destination: whom it was told of against whom it is to have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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


def hash_members(members: DataFrame, finders: Sequence[str] = (KEY,)) -> DataFrame:
    """People with the columns of a file -> `person_id`, and two hashes: of what the destination is `told` of them, and
    of what they are `found_by` there, the columns `finders`."""
    told = [name for name in members.columns if name not in (KEY, *_OF_THE_VERSION)]
    return members.select(
        KEY,
        F.xxhash64(F.lit(",".join(told)), *told).alias("told"),
        F.xxhash64(F.lit(",".join(finders)), *finders).alias("found_by"),
    )


def count_difference(before: DataFrame | None, now: DataFrame) -> Difference:
    """Counts people of `now` against those of `before` (None: nothing was delivered yet), in one pass over both.

    In: one row a person as of `hash_members`.
    """
    if before is None:
        return Difference(added=now.count(), removed=0, unchanged=0, changed=0)
    both = before.select(KEY, F.col("told").alias("was")).join(now.select(KEY, "told"), KEY, "full_outer")
    was, is_ = F.col("was"), F.col("told")
    row = both.agg(
        F.count_if(was.isNull()).alias("added"),
        F.count_if(is_.isNull()).alias("removed"),
        F.count_if(was == is_).alias("unchanged"),
        F.count_if(was != is_).alias("changed"),
    ).first()
    assert row is not None, "a global aggregate has one row"
    return Difference(**row.asDict())


def find_new(members: DataFrame, before: DataFrame, now: DataFrame) -> DataFrame:
    """Rows of `members` whom the destination does not have, or was told otherwise of.

    `before`, `now`: as of `hash_members`; here and below.
    """
    same = before.select(KEY, "told").join(now.select(KEY, "told"), [KEY, "told"])
    return members.join(same, KEY, "left_anti")


def find_gone(before: DataFrame, now: DataFrame) -> DataFrame:
    """Rows of `before` of people who are not in `now`."""
    return before.join(now, KEY, "left_anti")


def count_misnamed(before: DataFrame, now: DataFrame, gone: DataFrame) -> int:
    """How many people the destination knows by something else than they would be named by now, so that their old entry
    there could neither be changed nor taken out. `gone`: as of `hash_members`, what those to be taken out are found by
    now; who is not found any more has no row in it.
    """
    known = now.select(KEY, "found_by").unionByName(gone.select(KEY, "found_by"))
    both = before.select(KEY, F.col("found_by").alias("was")).join(known, KEY, "left")
    return both.where(~F.col("was").eqNullSafe(F.col("found_by"))).count()
