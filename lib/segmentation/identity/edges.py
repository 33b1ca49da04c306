"""Edges as they are told: which hold, which were cut, and why."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.table import check_columns
from segmentation.identity.guards import Limits


def judge_edges(edges: DataFrame, members: DataFrame, hubs: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Each edge with its `status` and `reason`.

    In: `total_pairs`; members with `node`, `type`, `guarded`, `person_id`; hubs with `node`, `hub_reason`. Out: one
    pair, with the columns of `identity_edges`. An edge is cut when it touches a hub, or when it would join two
    persons that together break a limit; the reason names the limits.
    """
    check_columns(members, ("node", "type", "guarded", "person_id"), "the members")
    limits = Limits.of(settings)
    guarded = members.where("guarded")
    counts = guarded.groupBy("person_id").agg(*limits.counts())
    # Only identifiers at which an edge can be cut: few, while edges are many.
    suspects = guarded.select("node", "person_id").join(hubs, "node", "full").join(counts, "person_id", "left")
    judged = edges
    for side in ("left", "right"):
        named = [F.col(column).alias(f"{side}_{column}") for column in suspects.columns]
        judged = judged.join(suspects.select(*named), f"{side}_node", "left")
    reason = F.coalesce(
        "left_hub_reason",
        "right_hub_reason",
        F.when(F.col("left_person_id") != F.col("right_person_id"), _broken_limits(limits)),
    )
    return judged.select(
        "left_type",
        "left_value",
        "right_type",
        "right_value",
        "first_seen",
        "last_seen",
        "observations",
        F.lit("deterministic").alias("kind"),
        F.lit(1.0).alias("confidence"),
        F.when(reason.isNull(), "active").otherwise("cut").alias("status"),
        reason.alias("reason"),
        "first_batch_seq",
        "sources",
    )


def _broken_limits(limits: Limits) -> Column:
    """Which limits two persons would break together, in words."""
    texts = []
    for column, most in limits.columns:
        together = F.col(f"left_{column}") + F.col(f"right_{column}")
        what = "identifiers" if column == "size" else column.removeprefix("n_")
        text = F.format_string(f"would give a person %d {what} (at most {most})", together)
        texts.append(F.when(together > most, text))
    return F.concat_ws("; ", *texts)
