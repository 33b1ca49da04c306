"""Limits hold, the weakest edges go first, and rounds decide as one task does."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession
from tests.unit.identity.graphs import START, identity_settings

from segmentation.identity.guards import apply_limits, union_within_limits

TYPES = {
    "user_id": {"max_per_person": 1},
    "email": {"max_per_person": 2},
    "crm_id": {"told_apart_by": "name"},
    "cookie": {"max_per_person": 1, "within_days": 3},
    "name": {"describes": True},
}


def ordered_edge(left: int, right: int, *strength: int) -> tuple[int, ...]:
    """An edge as `order_edges` makes it; what is not given is 0."""
    return (*strength, *([0] * (5 - len(strength))), left, right)


def by_hand(
    types: dict[int, str], initials: dict[int, str | None], days: dict[int, int], edges: list[tuple[int, ...]]
) -> set[frozenset[int]]:
    """Kruskal's forest with limits, written down as plainly as can be; `days` is when each came."""
    clusters = [{node} for node in types]
    for *_, left, right in sorted(edges):
        one, two = (next(c for c in clusters if node in c) for node in (left, right))
        both = one | two
        kinds = [types[node] for node in both]
        names = {initials[node] for node in both} - {None}
        came = sorted(days[node] for node in both if types[node] == "cookie")
        spread = all(later - earlier >= 3 for earlier, later in pairwise(came))
        allowed = (
            spread and len(both) <= 6 and kinds.count("user_id") <= 1 and kinds.count("email") <= 2 and len(names) <= 1
        )
        if one is not two and allowed:
            clusters = [c for c in clusters if c is not one and c is not two] + [both]
    return set(map(frozenset, clusters))


@pytest.mark.parametrize("one_task_edges", [10**6, 0])
def test_rounds_and_one_task_cut_as_by_hand(spark: SparkSession, one_task_edges: int) -> None:
    chance = random.Random(5)
    types = {node: chance.choice(["user_id", "email", "crm_id", "cookie", "cookie"]) for node in range(36)}
    names = {node: chance.choice(["js", "as", None]) if kind == "crm_id" else None for node, kind in types.items()}
    days = {node: chance.randrange(12) for node in types}
    edges = [
        ordered_edge(*sorted(chance.sample(range(block, block + 12), 2)), chance.randrange(3), chance.randrange(2))
        for block in range(0, 36, 12)
        for _ in range(16)
    ]
    edges = [*{edge[-2:]: edge for edge in edges}.values()]
    columns = "weaker_rank, stronger_rank, first_metric, second_metric, first_batch_seq, left_node, right_node"
    schema = ", ".join(f"{name} long" for name in columns.split(", "))
    rows = [(node, kind, START + timedelta(days=days[node]), names[node]) for node, kind in types.items()]
    nodes = spark.createDataFrame(rows, "node long, type string, arrival_ts timestamp, initials string")
    settings = identity_settings(identifiers=TYPES, max_component_size=6, one_task_edges=one_task_edges)
    found = apply_limits(nodes, spark.createDataFrame(edges, schema), settings).collect()
    clusters: dict[int, set[int]] = {}
    for row in found:
        clusters.setdefault(row.cluster, set()).add(row.node)
    assert set(map(frozenset, clusters.values())) == by_hand(types, names, days, edges)


def test_a_cluster_is_named_after_its_first_node() -> None:
    held: list[list[int]] = [[1, 1, 1, 1]]
    left: list[Any] = [2, 1, 0]
    assert union_within_limits(left, [3, 2, 1], held, [3]) == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ({"cookie": {"within_days": 7}}, "within_days says of which days max_per_person is"),
        ({"device": {"max_links": {"user_id": 5}}}, "device.max_links.user_id is never reached: .* 5 "),
        ({"device": {"max_links": {"usr": 2}}}, "two types that tie people, not of 'usr'"),
    ],
)
def test_a_limit_that_could_not_hold_is_refused(types: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        identity_settings(identifiers={"user_id": {"max_per_person": 1}, **types})
