"""Connected components against networkx, however the graph is finished and however its rows lie."""

from __future__ import annotations

import itertools
import random

import networkx as nx
import pytest
from pyspark.sql import SparkSession

from segmentation.identity.components import label_components


def random_edges(seed: int, nodes: int, edges: int) -> list[tuple[int, int]]:
    chance = random.Random(seed)
    names = [chance.getrandbits(64) - 2**63 for _ in range(nodes)]
    found = {tuple(chance.sample(names, 2)) for _ in range(edges)}
    # A long chain, which takes contraction the most rounds, and a hub.
    chain = [chance.getrandbits(62) for _ in range(60)]
    return [*found, *itertools.pairwise(chain), *((names[0], node) for node in names[1:40])]


@pytest.mark.parametrize(
    ("one_task_edges", "partitions"),
    [(10**6, 1), (10**6, 5), (60, 3), pytest.param(0, 2, id="graphframes")],
)
def test_components_are_those_of_networkx(spark: SparkSession, one_task_edges: int, partitions: int) -> None:
    edges = random_edges(seed=partitions, nodes=400, edges=300)
    random.Random(partitions).shuffle(edges)
    df = spark.createDataFrame(edges, "left_node long, right_node long").repartition(partitions).localCheckpoint()
    found: dict[int, set[int]] = {}
    for row in label_components(df, one_task_edges).collect():
        found.setdefault(row.component, set()).add(row.node)
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, nx.connected_components(nx.Graph(edges))))
    # The label itself does not depend on the way taken: it is the smallest node.
    assert all(label == min(nodes) for label, nodes in found.items())
