"""How sure an identifier is its person's, where likely links hold the person together."""

from __future__ import annotations

import random
from datetime import datetime
from itertools import pairwise

import networkx as nx
import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.factories import table_rows

from segmentation.identity.links import rate_confidence
from segmentation.identity.observations import name_node

Link = tuple[str, str, float]


def _rate(spark: SparkSession, strongest_first: list[str], links: list[Link], one_task_edges: int) -> dict[str, float]:
    """Value -> confidence; a link of 1.0 was seen, any other is likely. Persons are what hangs together."""
    graph = _graph(strongest_first, links)
    persons = {value: str(n) for n, group in enumerate(nx.connected_components(graph)) for value in group}
    rows = [("crm_id", value, persons[value], n, 1, datetime(2026, 3, 1)) for n, value in enumerate(strongest_first)]
    columns = "type string, value string, person_id string, rank int, batch_seq long, arrival_ts timestamp"
    members = spark.createDataFrame(rows, columns).withColumn("node", name_node("type", "value")).localCheckpoint()
    found = rate_confidence(members, _edges(spark, links), one_task_edges).join(members, "node")
    return {row["value"]: row["confidence"] for row in found.collect()}


def _edges(spark: SparkSession, links: list[Link]) -> DataFrame:
    rows = [
        {
            "left_type": "crm_id",
            "left_value": left,
            "right_type": "crm_id",
            "right_value": right,
            "observations": int(sure == 1),
            "kind": "deterministic" if sure == 1 else "probabilistic",
            "confidence": sure,
            "status": "active",
            "first_batch_seq": 1,
        }
        for left, right, sure in links
    ]
    return table_rows(spark, "identity_edges", rows)


def _graph(values: list[str], links: list[Link]) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(values)
    graph.add_weighted_edges_from(links)
    return graph


def test_the_weakest_link_on_the_way_counts(spark: SparkSession) -> None:
    links = [("a", "b", 0.91), ("b", "c", 0.95)]
    assert _rate(spark, ["c", "b", "a"], links, 100) == {"c": 1.0, "b": 0.95, "a": 0.91}
    assert _rate(spark, ["a", "b", "c"], links, 100) == {"a": 1.0, "b": 0.91, "c": 0.91}


@pytest.mark.parametrize("one_task_edges", [0, 1000])
def test_it_is_the_bottleneck_of_the_maximum_spanning_tree(spark: SparkSession, one_task_edges: int) -> None:
    chance = random.Random(7)
    values = [f"{person}-{n}" for person in range(12) for n in range(9)]
    links = {}
    for value in values:
        person, n = value.split("-")
        for other in chance.sample(range(9), 2):
            if int(n) != other:
                pair = (f"{person}-{min(int(n), other)}", f"{person}-{max(int(n), other)}")
                links[pair] = chance.choice([1.0, 1.0, 0.9, 0.93, 0.97, 0.99])
    chance.shuffle(values)
    listed = [(*pair, sure) for pair, sure in links.items()]
    tree = nx.maximum_spanning_tree(_graph(values, listed))
    expected = {}
    for group in nx.connected_components(tree):
        own = tree.subgraph(group)
        strongest = min(group, key=values.index)
        if all(sure == 1 for _, _, sure in _graph(values, listed).subgraph(group).edges.data("weight")):
            continue
        for value in group:
            way = nx.shortest_path(own, strongest, value)
            expected[value] = min([1.0, *(own.edges[step]["weight"] for step in pairwise(way))])
    assert len(set(expected.values())) > 3
    assert _rate(spark, values, listed, one_task_edges) == expected
