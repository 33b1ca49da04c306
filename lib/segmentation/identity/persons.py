"""Which person a cluster of identifiers is: ids are minted once, and kept through merges and splits."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns

SEPARATOR = "\x1f"

REASONS = {
    "new": "first seen",
    "merge": "linked to an older person",
    "split": "its tie to the person was cut",
}
"""Change -> what brought it, in words."""

_OLDEST = ("batch_seq", "arrival_ts", "rank", "node")
"""Order of arrival: the batch, the first event in it, then trust, then the node's name, so that no two are equal."""

_STRONGEST = ("rank", "batch_seq", "arrival_ts", "node")

_MEMBER_COLUMNS = ("type", "value", *_OLDEST, "cluster")
_PERSON_COLUMNS = ("person_id", "person_seq", "person_ts", "founded", "seq", "decided_ts")


def found_persons(members: DataFrame) -> DataFrame:
    """Ids for clusters of which no identifier has been anybody's before.

    In: one identifier in its `cluster`, with its arrival (`batch_seq`, `arrival_ts`), `type`, `value`, `rank`.
    Out: one cluster: `person_id`, minted from its oldest identifier, and `person_seq`, `person_ts`: the person's
    age, which is that identifier's. `founder` is its node.
    """
    check_columns(members, _MEMBER_COLUMNS, "the identifiers to name")
    founders = members.groupBy("cluster").agg(F.min(F.struct(*_OLDEST, "type", "value")).alias("f"))
    return founders.select(
        "cluster",
        mint("f.type", "f.value", F.lit(0)).alias("person_id"),
        F.col("f.batch_seq").alias("person_seq"),
        F.col("f.arrival_ts").alias("person_ts"),
        F.col("f.node").alias("founder"),
    )


def succeed_persons(members: DataFrame) -> DataFrame:
    """Ids for clusters after a step, given who each identifier was before it.

    A person that is new although its founder is not is as old as the step: batch `seq`, and in it as old as its
    founder, or `decided_ts` where that is not null.

    In: as `found_persons`; the step of the identifier's cluster, `seq` and `decided_ts`; who the identifier was:
    `person_id`, `person_seq`, `person_ts`, all null for one that is new, and `founded` ARRAY<STRUCT<person_id,
    person_seq, person_ts>>, the persons whose ids were minted from it. All identifiers of a person have to be there.
    Out: as `found_persons`; `founder` is null where no id was minted.

    A person goes where the strongest, then oldest, of its identifiers is. Where several meet, the oldest person
    survives. A cluster that inherits nobody gets back the oldest of the ids once minted from one of its identifiers:
    one whose heir has another such id to go back to, else one that nobody has now (so an undone merge gives back the
    ids from before, whichever part is the stronger). Else it gets a new one.
    """
    check_columns(members, (*_MEMBER_COLUMNS, *_PERSON_COLUMNS), "the identifiers to name")
    heirs = (
        members.where("person_id IS NOT NULL")
        .groupBy("person_id")
        .agg(
            F.min(F.struct(*_STRONGEST, "cluster")).alias("s"),
            F.min("person_seq").alias("person_seq"),
            F.min("person_ts").alias("person_ts"),
        )
    )
    kept = (
        heirs.groupBy(F.col("s.cluster").alias("cluster"))
        .agg(F.min(F.struct("person_seq", "person_ts", "person_id")).alias("kept"))
        .localCheckpoint()
    )
    holders = kept.select(F.col("kept.person_id").alias("person_id"), F.col("cluster").alias("holder"))
    once = (
        members.select("cluster", F.explode("founded").alias("old"))
        .select("cluster", F.struct("old.person_seq", "old.person_ts", "old.person_id").alias("old"))
        .join(holders, F.col("old.person_id") == F.col("person_id"), "left")
        .localCheckpoint()
    )
    back = once.where("holder IS NULL").groupBy("cluster").agg(F.min("old").alias("back"))
    others = members.join(kept, "cluster", "left_anti")
    taken = (
        once.where("holder IS NOT NULL")
        .join(kept, "cluster", "left_anti")
        .join(back.select(F.col("cluster").alias("holder"), F.col("back").alias("instead")), "holder")
        .groupBy("cluster")
        .agg(F.min(F.struct("old", "holder", "instead")).alias("taken"))
        .localCheckpoint()
    )
    given_up = taken.select(F.col("taken.holder").alias("cluster"), "taken.instead")
    minted = F.coalesce(F.size("founded"), F.lit(0))
    known = F.col("person_id").isNotNull().alias("known")
    fresh = others.groupBy("cluster").agg(
        F.min(F.struct(*_OLDEST, "type", "value", minted.alias("minted"), known, "seq", "decided_ts")).alias("f")
    )
    new = F.struct(
        F.when(F.col("f.known"), F.col("f.seq")).otherwise(F.col("f.batch_seq")).alias("person_seq"),
        F.coalesce(F.when(F.col("f.known"), F.col("f.decided_ts")), "f.arrival_ts").alias("person_ts"),
        mint("f.type", "f.value", F.col("f.minted")).alias("person_id"),
    )
    rest = (
        fresh.join(back, "cluster", "left")
        .join(taken, "cluster", "left")
        .select(
            "cluster",
            F.coalesce("taken.old", "back", new).alias("p"),
            F.when(F.coalesce("taken.old", "back").isNull(), F.col("f.node")).alias("founder"),
        )
    )
    named = (
        kept.join(given_up, "cluster", "left")
        .select("cluster", F.coalesce("instead", "kept").alias("p"), F.lit(None).cast("long").alias("founder"))
        .unionByName(rest)
    )
    return named.select("cluster", "p.person_id", "p.person_seq", "p.person_ts", "founder")


def mint(type_column: str, value_column: str, earlier: Column) -> Column:
    """A person's id from the identifier that founds it; `earlier` counts the ids minted from that one before."""
    founder = F.concat_ws(SEPARATOR, F.col(type_column), F.col(value_column))
    text = F.when(earlier > 0, F.concat_ws(SEPARATOR, founder, earlier.cast("string"))).otherwise(founder)
    return F.concat(F.lit("p"), F.substring(F.sha2(text, 256), 1, 32))
