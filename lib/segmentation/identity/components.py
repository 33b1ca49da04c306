"""Connected components: made small in Spark, finished in one task where that is certainly enough, else by GraphFrames.

A contraction round sends each node to the smallest of itself and its neighbours (node names are hashes, so this is
the neighbour of smallest hash), and moves the edges along; what was connected stays connected. On identity graphs
three rounds leave some 5 % of the edges.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from graphframes import GraphFrame
from py4j.java_gateway import JavaPackage
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from segmentation.contracts.errors import ConfigError
from segmentation.contracts.table import check_columns

_ROUNDS = 5


def label_components(edges: DataFrame, one_task_edges: int) -> DataFrame:
    """Which nodes are connected.

    In: one edge (`left_node`, `right_node`, LONG); read more than once, so it has to be cheap and give the same rows
    each time: persist it. Out: one node that has an edge, with its `component`: the same LONG for connected nodes,
    and otherwise without a meaning. A graph with no more than `one_task_edges` edges left is finished in the driver.
    """
    check_columns(edges, ("left_node", "right_node"), "the edges of the graph")
    rest = edges.select("left_node", "right_node")
    size = rest.count()
    pointers: list[DataFrame] = []
    while size > one_task_edges and len(pointers) < _ROUNDS:
        pointer = _point_to_smallest(rest).localCheckpoint()
        rest = _contract(rest, pointer).localCheckpoint()
        size = rest.count()
        pointers.append(pointer)
    labels = _finish_in_one_task(rest) if size <= one_task_edges else _finish_by_graphframes(rest)
    for pointer in reversed(pointers):
        labels = pointer.join(labels.withColumnRenamed("node", "target"), "target", "left").select(
            "node", F.coalesce("component", "target").alias("component")
        )
    return labels


def _point_to_smallest(edges: DataFrame) -> DataFrame:
    """One node: `target` is the smallest of itself and its neighbours."""
    low, high = F.least("left_node", "right_node"), F.greatest("left_node", "right_node")
    ends = edges.select(
        F.explode(
            F.array(F.struct(low.alias("node"), low.alias("to")), F.struct(high.alias("node"), low.alias("to")))
        ).alias("e")
    )
    return ends.groupBy(F.col("e.node").alias("node")).agg(F.min("e.to").alias("target"))


def _contract(edges: DataFrame, pointer: DataFrame) -> DataFrame:
    left = pointer.select(F.col("node").alias("left_node"), F.col("target").alias("left_target"))
    right = pointer.select(F.col("node").alias("right_node"), F.col("target").alias("right_target"))
    return (
        edges.join(left, "left_node")
        .join(right, "right_node")
        .where("left_target != right_target")
        .select(
            F.least("left_target", "right_target").alias("left_node"),
            F.greatest("left_target", "right_target").alias("right_node"),
        )
        .distinct()
    )


def _finish_in_one_task(edges: DataFrame) -> DataFrame:
    """The driver's union-find; a component is named after its smallest node."""
    table = edges.toArrow()
    left, right = table["left_node"].to_numpy(), table["right_node"].to_numpy()
    nodes, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    rows, columns = places[: len(left)], places[len(left) :]
    graph = coo_array((np.ones(len(left), dtype=np.int8), (rows, columns)), shape=(len(nodes), len(nodes)))
    _, label = connected_components(graph, directed=False)
    # `nodes` is sorted, so the first node met of each label is its smallest.
    smallest = nodes[np.unique(label, return_index=True)[1]]
    found = pa.table({"node": pa.array(nodes, pa.int64()), "component": pa.array(smallest[label], pa.int64())})
    return edges.sparkSession.createDataFrame(found)


def _finish_by_graphframes(edges: DataFrame) -> DataFrame:
    """GraphFrames on a copy that is written down first: on input that is computed twice it can be wrong."""
    if isinstance(edges.sparkSession._jvm.org.graphframes.GraphFrame, JavaPackage):  # type: ignore[union-attr]
        raise ConfigError(
            "An identity graph of this size needs GraphFrames, which this Spark was started without: see the jars that "
            "`segmentation doctor` names, or raise identity.one_task_edges where the driver has the memory."
        )
    fixed = edges.select(F.col("left_node").alias("src"), F.col("right_node").alias("dst")).checkpoint()
    vertices = fixed.select(F.explode(F.array("src", "dst")).alias("id")).distinct()
    # Labels are nodes of the component, so that they cannot meet the label of another.
    found = GraphFrame(vertices, fixed).connectedComponents(useLabelsAsComponents=True)
    kept = found.select(F.col("id").alias("node"), "component").localCheckpoint()
    found.unpersist()
    return kept
