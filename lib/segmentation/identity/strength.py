"""Which of two edges is the stronger: the order in which they are taken, and from whose end they are cut."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings

STRENGTH = (
    "weaker_rank",
    "stronger_rank",
    "first_metric",
    "second_metric",
    "first_batch_seq",
    "left_node",
    "right_node",
)
"""Columns that order edges, strongest first."""

PROBABILITY_STEPS = 1_000_000
"""Probabilities are compared in whole millionths."""


def order_edges(edges: DataFrame, settings: IdentitySettings, *further: str) -> DataFrame:
    """Edges with what their strength is compared by, column after column, the strongest edge smallest; `further`
    columns stay.

    Edges that were seen come before those that are only likely, which go by their probability. Trust in the weaker,
    then in the stronger of the two types; then, as the weaker type's `shared` says, how often or how lately the two
    were seen together; then the older edge; then the nodes' names, so that no two are equal.
    """
    left, right = _rank("left_type", settings), _rank("right_type", settings)
    often, lately = -F.col("observations"), -F.unix_micros("last_seen")
    weaker = F.greatest(left, right)
    last = [settings.ranks[name] for name, kind in settings.identifiers.items() if kind.shared == "last"]
    by_last = weaker.isin(*last) if last else F.lit(False)
    guessed = F.col("observations") == 0
    likely = -F.round(F.col("probability") * PROBABILITY_STEPS).cast("long")
    return edges.select(
        (weaker + F.when(guessed, len(settings.identifiers)).otherwise(0)).cast("long").alias("weaker_rank"),
        F.least(left, right).cast("long").alias("stronger_rank"),
        F.when(guessed, likely).when(by_last, lately).otherwise(often).alias("first_metric"),
        F.when(by_last, often).otherwise(lately).alias("second_metric"),
        "first_batch_seq",
        "left_node",
        "right_node",
        *further,
    )


def _rank(type_column: str, settings: IdentitySettings) -> Column:
    ranks = F.create_map(*(F.lit(part) for pair in settings.ranks.items() for part in pair))
    return F.element_at(ranks, F.col(type_column))
