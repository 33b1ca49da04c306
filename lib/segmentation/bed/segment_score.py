"""How well published segments follow the latent ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.bed.agreement import compare_partitions
from segmentation.contracts.table import check_columns


@dataclass(frozen=True)
class SegmentScore:
    """Figures over true people, each through the profile that holds most of their identifiers."""

    people: int
    """True people of whom some profile is in a segment of the model."""
    segments: int
    latent_segments: int
    adjusted_rand: float


def score_segments(
    memberships: DataFrame, identity_map: DataFrame, owners: DataFrame, truth: DataFrame, as_of: date
) -> SegmentScore:
    """Compares segments with latent ones on `as_of`.

    In: `memberships` one row a profile (`person_id`, `segment_id`, `method`; those by `fallback` are left out);
    `identity_map`; `owners` one row an identifier with its true `owner`; `truth.tell_segments`.
    """
    check_columns(memberships, {"person_id", "segment_id", "method"}, "the memberships")
    check_columns(truth, {"person", "segment_before", "segment_after", "changed_on"}, "the latent segments")
    mains = find_main_profiles(identity_map, owners)
    changed = F.coalesce(F.col("changed_on") <= F.lit(as_of), F.lit(False))
    latent = truth.select(
        F.col("person").cast("string").alias("owner"),
        F.when(changed, F.col("segment_after")).otherwise(F.col("segment_before")).alias("latent"),
    )
    placed = (
        memberships.where("method <> 'fallback'")
        .join(mains, "person_id")
        .join(latent, "owner")
        .select("segment_id", "latent")
    )
    found = compare_partitions(placed, "segment_id", "latent")
    return SegmentScore(
        people=found.things,
        segments=found.found_groups,
        latent_segments=found.true_groups,
        adjusted_rand=found.adjusted_rand,
    )


def find_main_profiles(identity_map: DataFrame, owners: DataFrame) -> DataFrame:
    """One row a true person: `owner`, `person_id` of the profile with most of their identifiers.

    A profile that holds several people is the main one of the one with most identifiers in it only.
    """
    key = ["identifier_type", "identifier_value"]
    held = (
        owners.where("owner is not null")
        .join(identity_map.select(*key, "person_id"), key)
        .groupBy("owner", "person_id")
        .agg(F.count("*").alias("n"))
    )
    of_profile = held.groupBy("person_id").agg(
        F.max_by("owner", F.struct("n", "owner")).alias("owner"), F.max("n").alias("n")
    )
    return of_profile.groupBy("owner").agg(F.max_by("person_id", F.struct("n", "person_id")).alias("person_id"))
