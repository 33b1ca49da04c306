"""Whose group has to be resolved anew where only some batches are new.

Identifiers that were never connected know nothing of each other: who is whose in a group follows from what was seen of
its own identifiers, and from what people decided about them. So what is new is asked of whole groups, and of no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns
from segmentation.identity.batches import Batch
from segmentation.identity.observations import name_node


def go_on_from(before: Sequence[Batch], now: Sequence[Batch]) -> bool:
    """Whether the batches `now` are those of `before`, as they were, and perhaps some after them."""
    return len(now) >= len(before) > 0 and all(
        (old.seq, old.clock, old.source) == (new.seq, new.clock, new.source)
        for old, new in zip(before, now, strict=False)
    )


def name_all(combinations: DataFrame) -> DataFrame:
    """In: `combine_identifiers`. Out: one identifier of them: `node`."""
    identifiers = combinations.select(F.inline("identifiers"))
    return identifiers.select(name_node("type", "value").alias("node")).distinct()


def touched_by_links(links: DataFrame) -> DataFrame:
    """In: rows of `identity_links`. Out: one identifier of them: `node`."""
    ends = F.array(name_node("left_type", "left_value"), name_node("right_type", "right_value"))
    return links.select(F.explode(ends).alias("node")).distinct()


def touched_by_overrides(identity_map: DataFrame, named: Iterable[int]) -> DataFrame:
    """In: nodes that an override of any time names. Out: the same: `node`. Few: all of them came from one file."""
    return identity_map.sparkSession.createDataFrame([(node,) for node in sorted(named)], "node long")


def find_groups(touched: DataFrame, identity_map: DataFrame) -> DataFrame:
    """All identifiers of the groups of those that are touched, and these themselves.

    In: `node`, persisted; `identity_map` as it was. Out: one identifier: `node`.
    """
    check_columns(identity_map, ("identifier_type", "identifier_value", "component"), "the identity map")
    known = identity_map.select(name_node("identifier_type", "identifier_value").alias("node"), "component")
    groups = known.join(touched, "node", "left_semi").select("component").distinct()
    return known.join(groups, "component", "left_semi").select("node").union(touched.select("node")).distinct()
