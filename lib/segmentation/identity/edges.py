"""Edges as they are told: which hold, which were cut, and why."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.table import check_columns
from segmentation.identity.guards import Limits
from segmentation.identity.overrides import NO_OVERRIDES, Step
from segmentation.identity.surplus import find_surplus


def judge_edges(
    edges: DataFrame,
    members: DataFrame,
    hubs: DataFrame,
    settings: IdentitySettings,
    decided: Step | None = None,
) -> DataFrame:
    """Each edge with its `status` and `reason`.

    In: `total_pairs`; members with `node`, `type`, `guarded`, `person_id`; hubs with `node`, `hub_reason`; the last
    step, if overrides are in force. Out: one pair, with the columns of `identity_edges`. An edge is cut when it touches
    a hub, when it is too many for one of its ends (`find_surplus`), or when it would join two persons that together
    break a limit or that an override keeps apart; the reason names these. It is removed when an override drops one of
    its ends. Each pair that an override names is there, of the kind `manual`, also if no event has both.
    """
    manual = decided.manual if decided else NO_OVERRIDES
    limits = Limits.of(settings, manual)
    check_columns(members, ("node", *limits.looks_at, "guarded", "person_id"), "the members")
    guarded = members.where("guarded")
    if limits.parted:
        guarded = guarded.join(manual.marks(members.sparkSession), "node", "left")
    counts = guarded.groupBy("person_id").agg(*limits.counts())
    # Only identifiers at which an edge can be cut: few, while edges are many.
    suspects = guarded.select("node", "person_id").join(hubs, "node", "full").join(counts, "person_id", "left")
    judged = edges
    for side in ("left", "right"):
        named = [F.col(column).alias(f"{side}_{column}") for column in suspects.columns]
        judged = judged.join(suspects.select(*named), f"{side}_node", "left")
    judged = judged.withColumn("hub_reason", F.coalesce("left_hub_reason", "right_hub_reason"))
    if (surplus := find_surplus(manual.usable(judged.where("hub_reason IS NULL")), settings)) is not None:
        judged = judged.join(surplus, ["left_node", "right_node"], "left")
    else:
        judged = judged.withColumn("surplus", F.lit(None).cast("string"))
    cut = F.coalesce(
        "hub_reason",
        "surplus",
        F.when(F.col("left_person_id") != F.col("right_person_id"), _broken_limits(limits)),
    )
    kind: Column = F.when(F.col("observations") > 0, "deterministic").otherwise("probabilistic")
    confidence = F.when(F.col("observations") > 0, 1.0).otherwise(F.col("probability"))
    status: Column = F.when(cut.isNull(), "active").otherwise("cut")
    reason = cut
    if decided and manual:
        judged = _with_overrides(judged, decided)
        status = F.coalesce("manual_status", status)
        kind = F.when(F.col("manual_status").isNotNull(), "manual").otherwise(kind)
        confidence = F.when(F.col("manual_status").isNotNull(), 1.0).otherwise(confidence)
        reason = F.coalesce("manual_reason", reason)
    return judged.select(
        "left_type",
        "left_value",
        "right_type",
        "right_value",
        "first_seen",
        "last_seen",
        "observations",
        kind.alias("kind"),
        confidence.alias("confidence"),
        status.alias("status"),
        reason.alias("reason"),
        "first_batch_seq",
        "sources",
    )


def _with_overrides(judged: DataFrame, decided: Step) -> DataFrame:
    """Edges with what an override says of them (`manual_status`, `manual_reason`), and those that it adds."""
    spark, overrides = judged.sparkSession, decided.manual.overrides
    dropped = spark.createDataFrame(
        [(*one.nodes, one.text) for one in overrides if one.action == "drop"], "node long, dropped string"
    )
    for side in ("left", "right"):
        named = dropped.select(F.col("node").alias(f"{side}_node"), F.col("dropped").alias(f"{side}_dropped"))
        judged = judged.join(F.broadcast(named), f"{side}_node", "left")
    statuses = {"together": "active", "apart": "cut"}
    rows = [
        (*one.nodes, *one.left, *one.right, statuses[one.action], one.text)
        for one in overrides
        if one.right is not None
    ]
    key = ["left_node", "right_node"]
    pairs = spark.createDataFrame(
        list({row[:2]: row for row in rows}.values()),
        "left_node long, right_node long, left_type string, left_value string, right_type string, right_value string, "
        "pair_status string, pair_reason string",
    )
    said = judged.join(F.broadcast(pairs.select(*key, "pair_status", "pair_reason")), key, "left")
    seen = {tuple(row) for row in said.where("pair_status IS NOT NULL").select(*key).collect()}
    added = spark.createDataFrame([row for row in pairs.collect() if row[:2] not in seen], pairs.schema).select(
        "*",
        F.lit(0).alias("observations"),
        F.lit(decided.batch.seq).alias("first_batch_seq"),
        F.array().cast("array<string>").alias("sources"),
    )
    drops = F.coalesce("left_dropped", "right_dropped")
    return said.unionByName(added, allowMissingColumns=True).withColumns(
        {
            "manual_status": F.when(drops.isNotNull(), "removed").otherwise(F.col("pair_status")),
            "manual_reason": F.coalesce(drops, "pair_reason"),
        }
    )


def _broken_limits(limits: Limits) -> Column:
    """What keeps two persons apart, in words: limits that they would break together, overrides, and names."""
    texts = []
    for column, most in limits.columns:
        together = F.col(f"left_{column}") + F.col(f"right_{column}")
        what = "identifiers" if column == "size" else column.removeprefix("n_")
        text = F.format_string(f"would give a person %d {what} (at most {most})", together)
        texts.append(F.when(limits.exceed("left_", "right_", column), text))
    for kind, (most, days) in limits.windows.items():
        crowded = F.lit(f"would give a person more than {most} {kind} that came within {days} days")
        texts.append(F.when(limits.crowd("left_", "right_", kind), crowded))
    if limits.parted:
        both = F.array_intersect("left_apart", "right_apart")
        texts.append(F.when(F.size(both) > 0, F.array_join(both, "; ")))
    if limits.named:
        other = limits.have_other_names("left_", "right_")
        texts.append(F.when(other, "would give a person records with other names"))
    return F.concat_ws("; ", *texts)
