"""Edges by which a value would be tied to more values of another type than it may be: its weakest are cut."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.identity.strength import STRENGTH, order_edges


def find_surplus(edges: DataFrame, settings: IdentitySettings) -> DataFrame | None:
    """The edges that are too many at one of their ends; None where nothing limits them.

    Each end counts for itself, and counts all its edges: one that is cut at its other end leaves no room for a weaker.
    In: one usable edge (`left_node`, `left_type`, the same for right, `observations`, `last_seen`, `probability`,
    `first_batch_seq`). Out: one edge: `left_node`, `right_node`, `surplus`, why.
    """
    if not settings.kept_links:
        return None
    ends = F.array(
        *(
            F.struct(*(F.col(f"{side}_{what}").alias(what) for what in ("node", "type")), F.col(other).alias("other"))
            for side, other in (("left", "right_type"), ("right", "left_type"))
        )
    )
    ordered = order_edges(edges, settings, "left_type", "right_type").withColumn("end", F.explode(ends))
    most = F.create_map(
        *(F.lit(part) for (kind, other), n in settings.kept_links.items() for part in (f"{kind} {other}", n))
    )
    place = F.row_number().over(Window.partitionBy("end.node", "end.other").orderBy(*STRENGTH))
    limited = ordered.withColumn("most", F.element_at(most, F.concat_ws(" ", "end.type", "end.other")))
    return (
        limited.where("most IS NOT NULL")
        .withColumn("place", place)
        .where("place > most")
        .groupBy("left_node", "right_node")
        .agg(F.min(F.format_string("beyond the %d %s that one %s may be tied to", "most", "end.other", "end.type")))
        .toDF("left_node", "right_node", "surplus")
    )
