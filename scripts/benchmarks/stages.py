"""What is measured: each stage's input, its engines, and what they have to agree on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from scripts.benchmarks import campaigns, identities, inputs, one_day, ours, rivals, scoring, taking_in

Count = dict[str, int]
"""What engines have to agree on, by name."""


@dataclass(frozen=True)
class Engine:
    """One way to do a stage's work, either on Spark or in the rivals' process."""

    name: str
    on_spark: Callable[[SparkSession, Path, Path], None] | None = None
    alone: Callable[[Path, Path], None] | None = None
    slow: bool = False
    """Run once at a size, when the others have warmed the JVM: it would take most of the time."""
    most_rows: int | None = None
    """Left out above this."""


@dataclass(frozen=True)
class Stage:
    """One comparison: the first of `engines` is this project's, and ratios are taken to it."""

    name: str
    rows_are: str
    make_input: Callable[[SparkSession, int, Path], None]
    engines: Sequence[Engine]
    count: Callable[[Path], Count]
    sizes: tuple[int, ...]
    """Where the call names none."""
    judge: Callable[[Path, Path], float] | None = None
    """The silhouette, of its input and what came out, in the rivals' process: where engines need not find the same."""
    takes_long: bool = False
    """So that a round warms the JVM by itself, and none is thrown away."""


def _count_sessions(result: Path) -> Count:
    table = pq.read_table(result, columns=["events"])
    return {"sessions": table.num_rows, "events": int(pc.sum(table["events"]).as_py())}


def _count_features(result: Path) -> Count:
    table = pq.read_table(result, columns=["events", "frequency", "recency"])
    sums = {name: int(pc.sum(table[name]).as_py()) for name in table.column_names}
    return {"people": table.num_rows, **sums}


def _count_components(result: Path) -> Count:
    table = pq.read_table(result, columns=["component"])
    return {"nodes": table.num_rows, "components": int(pc.count_distinct(table["component"]).as_py())}


def _count_clusters(result: Path) -> Count:
    # Fits from different beginnings find different clusters: only everyone and the number of clusters are the same.
    table = pq.read_table(result, columns=["cluster"])
    return {"people": table.num_rows, "clusters": int(pc.count_distinct(table["cluster"]).as_py())}


def _count_people(result: Path) -> Count:
    # Which k and method is best depends on where the fits began.
    return {"people": pq.read_table(result, columns=["cluster"]).num_rows}


def _count_placed(result: Path) -> Count:
    table = pq.read_table(result, columns=["cluster"])
    sizes = {f"in cluster {pair['values']}": pair["counts"] for pair in table["cluster"].value_counts().to_pylist()}
    return {"people": table.num_rows, **dict(sorted(sizes.items()))}


def _count_members(result: Path) -> Count:
    # The first audience is the same for both.
    table = pq.read_table(result, columns=["audience"])
    return {"members": int(pc.sum(pc.equal(table["audience"], "a0")).as_py())}


STAGES: dict[str, list[Stage]] = {
    "ingest": [
        Stage(
            "ingest",
            "rows",
            taking_in.make_delivery,
            [Engine("segmentation", taking_in.take_in), Engine("Spark, no rules", taking_in.write_as_they_are)],
            taking_in.count_events,
            (200_000,),
        )
    ],
    "sessions": [
        Stage(
            "sessions",
            "events",
            inputs.make_events,
            [Engine("segmentation", ours.sessions), Engine("DuckDB", alone=rivals.duckdb_sessions)],
            _count_sessions,
            (500_000, 2_000_000),
        )
    ],
    "day": [
        Stage(
            "sessions, one day more",
            "events",
            one_day.make_warehouse_to_cut,
            [Engine("the day", one_day.cut_the_day), Engine("everything", one_day.cut_everything)],
            one_day.count_sessions,
            (3_200_000,),
        ),
        Stage(
            "features, one day more",
            "events",
            one_day.make_warehouse_to_measure,
            [Engine("the day", one_day.measure_the_day), Engine("everything", one_day.measure_everything)],
            one_day.count_people,
            (3_200_000,),
        ),
    ],
    "identity": [
        Stage(
            "identity, one day more",
            "pairs",
            identities.make_warehouse,
            [Engine("the day", identities.resolve_the_day), Engine("everything", identities.resolve_everything)],
            identities.count_people,
            (1_000_000,),
            takes_long=True,
        ),
        Stage(
            "identity",
            "pairs",
            identities.make_graph,
            [
                Engine("segmentation", identities.resolve_everything),
                Engine("GraphFrames", identities.connect_everything, slow=True, most_rows=1_000_000),
            ],
            identities.count_identifiers,
            (1_000_000,),
            takes_long=True,
        ),
    ],
    "features": [
        Stage(
            "features",
            "events",
            inputs.make_events,
            [Engine("segmentation", ours.features), Engine("DuckDB", alone=rivals.duckdb_features)],
            _count_features,
            (500_000, 2_000_000),
        )
    ],
    "more": [
        Stage(
            "features, ten more",
            "events",
            inputs.make_events,
            [Engine("ten more", ours.ten_more_features), Engine("without", ours.shipped_features)],
            _count_features,
            (1_000_000,),
        )
    ],
    "components": [
        Stage(
            "components",
            "edges",
            inputs.make_edges,
            [
                Engine("segmentation", ours.components),
                Engine("SciPy", alone=rivals.scipy_components),
                Engine("GraphFrames", ours.graphframes, slow=True, most_rows=1_000_000),
            ],
            _count_components,
            (100_000, 1_000_000),
        )
    ],
    "train": [
        Stage(
            "bisecting k-means",
            "people",
            inputs.make_people,
            [Engine("segmentation", ours.bisecting), Engine("scikit-learn", alone=rivals.sklearn_bisecting)],
            _count_clusters,
            (50_000,),
            rivals.silhouette,
        ),
        Stage(
            "Gaussian mixture",
            "people",
            inputs.make_people,
            [Engine("segmentation", ours.mixture), Engine("scikit-learn", alone=rivals.sklearn_mixture)],
            _count_clusters,
            (50_000,),
            rivals.silhouette,
        ),
        Stage(
            "search of k and method",
            "people",
            inputs.make_people,
            [
                Engine("segmentation", ours.search),
                Engine("scikit-learn", alone=rivals.sklearn_search, slow=True),
            ],
            _count_people,
            (10_000,),
            rivals.silhouette,
            takes_long=True,
        ),
    ],
    "assign": [
        Stage(
            "assign",
            "people",
            scoring.make_model_and_people,
            [Engine("segmentation", scoring.score_on_spark), Engine("NumPy", alone=scoring.score_with_numpy)],
            _count_placed,
            (200_000,),
        )
    ],
    "audiences": [
        Stage(
            "audiences",
            "events",
            campaigns.make_people_with_events,
            [Engine("fifty", campaigns.fifty_audiences), Engine("one", campaigns.one_audience)],
            _count_members,
            (1_000_000,),
        )
    ],
    "export": [
        Stage(
            "export",
            "people",
            campaigns.make_delivered_warehouse,
            [Engine("segmentation", campaigns.deliver), Engine("DuckDB", alone=rivals.duckdb_delivery)],
            campaigns.count_delivered,
            (100_000,),
        )
    ],
}
"""By the name that the call takes."""

ON_REQUEST = ("day", "identity", "more")
"""Stages of `STAGES` that are only measured where they are named."""
