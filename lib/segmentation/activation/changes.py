"""What changed at a destination: whom it was told of against whom it is to have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.exports import PERSON_ID

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


def hash_members(members: DataFrame, finders: Sequence[str] = (PERSON_ID,)) -> DataFrame:
    """People with the columns of a file -> `person_id`, and two hashes: of what the destination is `told` of them, and
    of what they are `found_by` there, the columns `finders`."""
    told = [name for name in members.columns if name not in (PERSON_ID, *_OF_THE_VERSION)]
    return members.select(
        PERSON_ID,
        F.xxhash64(F.lit(",".join(told)), *told).alias("told"),
        F.xxhash64(F.lit(",".join(finders)), *finders).alias("found_by"),
    )


def count_difference(before: DataFrame | None, now: DataFrame) -> Difference:
    """Counts people of `now` against those of `before` (None: nothing was delivered yet), in one pass over both.

    In: one row a person as of `hash_members`.
    """
    if before is None:
        return Difference(added=now.count(), removed=0, unchanged=0, changed=0)
    kinds = [F.count_if(F.col("kind") == kind.name).alias(kind.name) for kind in fields(Difference)]
    row = _compare(before, now).agg(*kinds).first()
    assert row is not None, "a global aggregate has one row"
    return Difference(**row.asDict())


def sample_difference(before: DataFrame | None, now: DataFrame, people: int) -> dict[str, list[str]]:
    """What would be done -> the ids of so many people to whom it would be, the first by id."""
    compared = _compare(now.limit(0) if before is None else before, now).where("kind != 'unchanged'")
    rank = F.row_number().over(Window.partitionBy("kind").orderBy(PERSON_ID))
    first = compared.withColumn("rank", rank).where(F.col("rank") <= people)
    rows = first.groupBy("kind").agg(F.array_sort(F.collect_list(PERSON_ID)).alias("people")).orderBy("kind").collect()
    return {row["kind"]: row["people"] for row in rows}


def _compare(before: DataFrame, now: DataFrame) -> DataFrame:
    """`person_id` of everyone in either, and the `kind` of their difference, a field of `Difference`."""
    was, is_ = F.col("was"), F.col("told")
    kind = (
        F.when(was.isNull(), "added").when(is_.isNull(), "removed").when(was == is_, "unchanged").otherwise("changed")
    )
    both = before.select(PERSON_ID, F.col("told").alias("was")).join(now, PERSON_ID, "full_outer")
    return both.select(PERSON_ID, kind.alias("kind"))


def find_new(members: DataFrame, before: DataFrame, now: DataFrame) -> DataFrame:
    """Rows of `members` whom the destination does not have, or was told otherwise of.

    `before`, `now`: as of `hash_members`; here and below.
    """
    same = before.select(PERSON_ID, "told").join(now.select(PERSON_ID, "told"), [PERSON_ID, "told"])
    return members.join(same, PERSON_ID, "left_anti")


def find_gone(before: DataFrame, now: DataFrame) -> DataFrame:
    """Rows of `before` of people who are not in `now`."""
    return before.join(now, PERSON_ID, "left_anti")


def count_misnamed(before: DataFrame, now: DataFrame, gone: DataFrame) -> int:
    """How many people the destination knows by something else than they would be named by now, so that their old entry
    there could neither be changed nor taken out. `gone`: as of `hash_members`, what those to be taken out are found by
    now; who is not found any more has no row in it.
    """
    known = now.select(PERSON_ID, "found_by").unionByName(gone.select(PERSON_ID, "found_by"))
    both = before.select(PERSON_ID, F.col("found_by").alias("was")).join(known, PERSON_ID, "left")
    return both.where(~F.col("was").eqNullSafe(F.col("found_by"))).count()
