"""People of control groups who turned out to be one: the first arm stands, and the other is kept in mind."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.experiments import HOLDOUTS
from segmentation.contracts.table import check_columns

_IDENTIFIER = ["identifier_type", "identifier_value"]


def find_merged(people: DataFrame, history: DataFrame, owners: DataFrame, trust: Sequence[str]) -> DataFrame:
    """Who of `people` (`person_id`) is nobody's id any more -> one row each: `person_id`, and `now`, who the person has
    become.

    `history`: rows of `identity_history`; `owners`: whose each identifier is; `trust`: identifier types, strongest
    first. A person became whoever has what the person had last, by the strongest, then oldest, of these identifiers.
    """
    check_columns(history, {*_IDENTIFIER, "person_id", "valid_from", "valid_to"}, "the history of identity")
    check_columns(owners, {*_IDENTIFIER, "person_id"}, "the owners of identifiers")
    # Of a person who is no more, every period has ended, and few periods ever do.
    ended = (
        history.where(F.col("valid_to").isNotNull())
        .join(people.select("person_id"), "person_id", "left_semi")
        .join(owners.select("person_id"), "person_id", "left_anti")
    )
    place = F.array_position(F.array(*map(F.lit, trust)), F.col("identifier_type"))
    order = F.struct(
        (-F.unix_micros("valid_to")).alias("last"),
        F.when(place > 0, place).otherwise(len(trust) + 1).alias("place"),
        "valid_from",
        *_IDENTIFIER,
    )
    heirs = owners.select(*_IDENTIFIER, F.col("person_id").alias("now"))
    return ended.join(heirs, _IDENTIFIER).groupBy("person_id").agg(F.min_by("now", order).alias("now"))


def follow_merges(holdouts: DataFrame, merged: DataFrame) -> DataFrame:
    """Rows of `holdouts` -> the same with people as they are today, one row an audience and person.

    `merged` as of `find_merged`. Of several rows, the one assigned first stands; of those of one date, that of the
    person whose id has stayed, then that of the smallest id. The arm that does not stand is `other_arm`.
    """
    check_columns(holdouts, set(HOLDOUTS.column_names), "the table 'holdouts'")
    itself = merged.select(F.col("now").alias("person_id"), "now").distinct()
    ids = merged.select("person_id", "now").unionByName(itself)
    first = F.struct("assigned_as_of", F.col("person_id") != F.col("now"), "person_id")
    arms = F.array_union(F.collect_set("arm"), F.collect_set("other_arm"))
    together = (
        holdouts.join(ids, "person_id")
        .groupBy("audience", F.col("now").alias("person_id"))
        .agg(F.min_by(F.struct("arm", "stratum", "assigned_as_of"), first).alias("kept"), arms.alias("arms"))
        .select("audience", "person_id", "kept.*", F.get(F.array_except("arms", F.array("kept.arm")), F.lit(0)))
    )
    apart = holdouts.join(ids.select("person_id"), "person_id", "left_anti")
    return apart.select(*HOLDOUTS.column_names).unionByName(together.toDF(*HOLDOUTS.column_names))
