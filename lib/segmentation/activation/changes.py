"""What changed at a destination: whom it was told of against whom it is to have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.exports import PERSON_ID

FORGOTTEN = "erased-"
"""How the name begins under which `export_members` keeps somebody who was erased, until the destination was told; the
SHA-256 of their id follows, which says who it was to nobody but those who still have the id."""

HASHES = ("told", "found_by")
"""What `export_members` keeps of a person, and never a value of theirs."""

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

    @property
    def rows_told(self) -> int:
        """People of whom something is said."""
        return self.added + self.removed + self.changed


def add_hashes(members: DataFrame, finders: Sequence[str] = (PERSON_ID,)) -> DataFrame:
    """People with the columns of a file -> the same, and two hashes: of what the destination is `told` of them, and of
    what they are `found_by` there, the columns `finders`."""
    told = [name for name in members.columns if name not in (PERSON_ID, *_OF_THE_VERSION)]
    return members.select(
        "*",
        F.xxhash64(F.lit(",".join(told)), *told).alias("told"),
        F.xxhash64(F.lit(",".join(finders)), *finders).alias("found_by"),
    )


def hash_members(members: DataFrame, finders: Sequence[str] = (PERSON_ID,)) -> DataFrame:
    """`add_hashes` -> `person_id`, `told` and `found_by` alone."""
    return add_hashes(members, finders).select(PERSON_ID, *HASHES)


def compare_members(before: DataFrame | None, now: DataFrame) -> DataFrame:
    """Whom the destination was told of against whom it is to have -> `person_id` of everyone who makes a difference,
    its `kind` (a field of `Difference`), `was_told`, `was_found_by`, and what `now` has of them: `told`, `found_by`,
    and the columns of a file, where it has these.

    In: one row a person as of `hash_members` or `add_hashes`; no `before`: nothing was delivered yet. One join; who is
    told of as before and found as before has no row, so that what comes after it works on what changed alone.
    """
    if before is None:
        new = {"kind": F.lit("added"), "was_told": F.lit(None).cast("long"), "was_found_by": F.lit(None).cast("long")}
        return now.withColumns(new)
    was = before.select(PERSON_ID, *(F.col(name).alias(f"was_{name}") for name in HASHES))
    kind = (
        F.when(F.col("was_told").isNull(), "added")
        .when(F.col("told").isNull(), "removed")
        .when(F.col("was_told") == F.col("told"), "unchanged")
        .otherwise("changed")
    )
    both = was.join(now, PERSON_ID, "full_outer").withColumn("kind", kind)
    return both.where((F.col("kind") != "unchanged") | (F.col("was_found_by") != F.col("found_by")))


def count_difference(changes: DataFrame, before: int) -> Difference:
    """`changes`: as of `compare_members`, here and below; `before`: how many people the destination has."""
    counts = {row["kind"]: row["count"] for row in changes.groupBy("kind").count().collect()}
    added, removed, changed = (counts.get(kind, 0) for kind in ("added", "removed", "changed"))
    return Difference(added, removed, before - removed - changed, changed)


def sample_difference(changes: DataFrame, people: int) -> dict[str, list[str]]:
    """What would be done -> the ids of so many people to whom it would be, the first by id."""
    rank = F.row_number().over(Window.partitionBy("kind").orderBy(PERSON_ID))
    first = changes.where("kind != 'unchanged'").withColumn("rank", rank).where(F.col("rank") <= people)
    rows = first.groupBy("kind").agg(F.array_sort(F.collect_list(PERSON_ID)).alias("people")).orderBy("kind").collect()
    return {row["kind"]: row["people"] for row in rows}


def find_new(changes: DataFrame) -> DataFrame:
    """Rows of those whom the destination does not have, or was told otherwise of, with the columns of a file."""
    return changes.where("kind IN ('added', 'changed')")


def find_gone(changes: DataFrame) -> DataFrame:
    """`person_id`, `told` and `found_by` of whom the destination has, and is not to have any more."""
    gone = changes.where("kind = 'removed'")
    return gone.select(PERSON_ID, F.col("was_told").alias("told"), F.col("was_found_by").alias("found_by"))


def is_forgotten() -> Column:
    """Whether the person of a row was erased since the destination was told of them."""
    return F.col(PERSON_ID).startswith(FORGOTTEN)


def find_erased(changes: DataFrame) -> DataFrame:
    """`person_id` of whom the destination has and who was erased, as `export_members` has it, and the `sha256` of what
    it was."""
    erased = changes.where((F.col("kind") == "removed") & is_forgotten())
    return erased.select(PERSON_ID, F.replace(PERSON_ID, F.lit(FORGOTTEN), F.lit("")).alias("sha256"))


def count_misnamed(changes: DataFrame, gone: DataFrame) -> int:
    """How many people the destination knows by something else than they would be named by now, so that their old entry
    there could neither be changed nor taken out. `gone`: as of `hash_members`, what those to be taken out are found by
    now; who is not found any more has no row in it.
    """
    named = gone.select(PERSON_ID, F.col("found_by").alias("gone_by"))
    known = F.when(F.col("kind") == "removed", F.col("gone_by")).otherwise(F.col("found_by"))
    both = changes.where("kind != 'added'").join(named, PERSON_ID, "left")
    return both.where(~F.col("was_found_by").eqNullSafe(known)).count()
