"""Values that are nobody's although they look like identifiers: kiosks, placeholders, copied-in defaults."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.table import check_columns

ALL = ""
"""What is counted where values of every type count."""


def link_limits(settings: IdentitySettings) -> dict[tuple[str, str], int]:
    """(Identifier type, counted type) -> with how many distinct values of the counted type one may have been seen.

    The counted type is `ALL`, a strong type, or one that the settings limit. A type that is nobody's when it is shared
    may not be seen with more values of another type than it may be tied to, nor with more of a limited type than one
    person may have.
    """
    most: dict[tuple[str, str], int] = {}
    for name, kind in settings.identifiers.items():
        most[name, ALL] = settings.max_links
        for strong in settings.strong_types:
            own = settings.limits.get(strong)
            nobodys = kind.shared == "nobody" and own is not None
            most[name, strong] = own if nobodys and own else max(settings.max_strong_links, own or 0)
        if kind.shared == "nobody":
            most |= {(name, other): min(n, most.get((name, other), n)) for other, n in kind.max_links.items()}
    return most


def find_hubs(edges: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Identifiers that were seen with more others than one that is somebody's could be.

    In: edges with `left_node`, `left_type`, `right_node`, `right_type`, one row a pair. Out: one hub: `node` and
    `hub_reason`. Cost is linear in the edges, whatever a value's number of them.
    """
    check_columns(edges, ("left_node", "left_type", "right_node", "right_type"), "the edges of the graph")
    limits = link_limits(settings)
    counted = dict.fromkeys(other for _, other in limits)
    counts = (
        _ends(edges)
        .groupBy("node", "type")
        .agg(
            *((F.count_if(F.col("other") == kind) if kind else F.count("*")).alias(f"links_{kind}") for kind in counted)
        )
    )
    # One flat list: to make code of a coalesce in a coalesce, Spark needs twice as long for every level.
    reasons = [
        F.when((F.col("type") == kind) & (F.col(f"links_{other}") > most), hub_reason(other, most))
        for (kind, other), most in limits.items()
    ]
    return (
        counts.withColumn("hub_reason", F.coalesce(*reasons))
        .where("hub_reason IS NOT NULL")
        .select("node", "hub_reason")
    )


def hub_reason(counted: str, most: int) -> str:
    """Why a value is nobody's, in words."""
    return f"seen with more than {most} {f'values of {counted}' if counted else 'other values'}: nobody's identifier"


def date_hubs(hubs: DataFrame, edges: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Since which batch a hub is one.

    In: `find_hubs`, and its edges, with `first_batch_seq`. Out: hubs with `hub_seq`, the batch whose edges made the
    hub exceed what is allowed.
    """
    limited = link_limits(settings)
    other = F.when(F.col("other").isin(*{other for _, other in limited}), F.col("other"))
    per_batch = (
        _ends(edges, "first_batch_seq")
        .join(hubs, "node")
        .withColumn("counted", F.explode(F.array(F.lit(ALL), other)))
        .where("counted IS NOT NULL")
        .groupBy("node", "type", "hub_reason", "counted", "first_batch_seq")
        .agg(F.count("*").alias("links"))
    )
    so_far = F.sum("links").over(Window.partitionBy("node", "counted").orderBy("first_batch_seq"))
    limits = F.create_map(*(F.lit(part) for (k, c), most in limited.items() for part in (f"{k} {c}", most)))
    return (
        per_batch.withColumn("so_far", so_far)
        .where(F.col("so_far") > F.element_at(limits, F.concat_ws(" ", "type", "counted")))
        .groupBy("node", "hub_reason")
        .agg(F.min("first_batch_seq").alias("hub_seq"))
    )


def _ends(edges: DataFrame, *further: str) -> DataFrame:
    """Each edge from both its ends: `node` and its `type`, and `other`, the type at the other end."""
    left = F.struct(
        F.col("left_node").alias("node"), F.col("left_type").alias("type"), F.col("right_type").alias("other")
    )
    right = F.struct(
        F.col("right_node").alias("node"), F.col("right_type").alias("type"), F.col("left_type").alias("other")
    )
    return edges.select(F.explode(F.array(left, right)).alias("end"), *further).select("end.*", *further)
