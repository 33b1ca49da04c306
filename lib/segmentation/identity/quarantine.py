"""Values that are no identifiers although they look like ones: kiosks, placeholders, copied-in defaults."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.table import check_columns


def find_hubs(edges: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Identifiers that were seen with more others than an identifier of anybody could be.

    In: edges with `left_node`, `left_type`, `right_node`, `right_type`, one row a pair. Out: one hub: `node` and
    `hub_reason`. Cost is linear in the edges, whatever a value's number of them.
    """
    check_columns(edges, ("left_node", "left_type", "right_node", "right_type"), "the edges of the graph")
    counts = (
        _ends(edges)
        .groupBy("node")
        .agg(
            F.count("*").alias("links"),
            *(F.count_if(F.col("other") == kind).alias(f"links_{kind}") for kind in settings.strong_types),
        )
    )
    return (
        counts.withColumn("hub_reason", _reason(settings)).where("hub_reason IS NOT NULL").select("node", "hub_reason")
    )


def date_hubs(hubs: DataFrame, edges: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Since which batch a hub is one.

    In: `find_hubs`, and its edges, with `first_batch_seq`. Out: hubs with `hub_seq`, the batch whose edges made the
    hub exceed what is allowed.
    """
    ends = _ends(edges, "first_batch_seq").join(hubs, "node")
    strong = F.when(F.col("other").isin(*settings.strong_types), F.col("other"))
    per_batch = (
        ends.withColumn("counted", F.explode(F.array(F.lit(""), strong)))
        .where("counted IS NOT NULL")
        .groupBy("node", "hub_reason", "counted", "first_batch_seq")
        .agg(F.count("*").alias("links"))
    )
    so_far = F.sum("links").over(Window.partitionBy("node", "counted").orderBy("first_batch_seq"))
    most = F.when(F.col("counted") == "", settings.max_links).otherwise(settings.max_strong_links)
    return (
        per_batch.withColumn("so_far", so_far)
        .where(F.col("so_far") > most)
        .groupBy("node", "hub_reason")
        .agg(F.min("first_batch_seq").alias("hub_seq"))
    )


def _ends(edges: DataFrame, *further: str) -> DataFrame:
    """Each edge from both its ends: `node`, and `other`, the type at the other end."""
    left = F.struct(F.col("left_node").alias("node"), F.col("right_type").alias("other"))
    right = F.struct(F.col("right_node").alias("node"), F.col("left_type").alias("other"))
    return edges.select(F.explode(F.array(left, right)).alias("end"), *further).select("end.*", *further)


def _reason(settings: IdentitySettings) -> Column:
    reason = F.when(
        F.col("links") > settings.max_links,
        F.format_string(f"seen with %d other values (at most {settings.max_links}): not an identifier", F.col("links")),
    )
    for kind in settings.strong_types:
        count = F.col(f"links_{kind}")
        text = f"seen with %d values of {kind} (at most {settings.max_strong_links}): not an identifier"
        reason = reason.when(count > settings.max_strong_links, F.format_string(text, count))
    return reason
