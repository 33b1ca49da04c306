"""A replay gives the same whichever way it is computed, and never breaks a limit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import networkx as nx
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.unit.identity.graphs import (
    START,
    Sighting,
    identity_settings,
    random_decisions,
    random_histories,
    random_initials,
    sightings_frame,
    tight_settings,
)

from segmentation.config.identity import IdentitySettings
from segmentation.identity import replay
from segmentation.identity.batches import Batch, list_batches
from segmentation.identity.edges import judge_edges
from segmentation.identity.observations import combine_identifiers, list_identifiers, pair_identifiers
from segmentation.identity.overrides import Decision, Manual, Step, in_force, plan_steps
from segmentation.identity.replay import Resolved, replay_batches


def replayed(
    spark: SparkSession, sightings: list[Sighting], settings: IdentitySettings, decisions: Sequence[Decision] = ()
) -> Resolved:
    combinations = combine_identifiers(sightings_frame(spark, sightings)).persist()
    initials = random_initials(spark, sightings) if settings.told_apart else None
    identifiers = list_identifiers(combinations, settings, initials=initials).persist()
    steps = plan_steps(list_batches(combinations), decisions)
    return replay_batches(identifiers, pair_identifiers(combinations).persist(), steps, settings)


def rows(df: DataFrame) -> list[dict[str, Any]]:
    return sorted((row.asDict(recursive=True) for row in df.collect()), key=str)


def owners(resolved: Resolved) -> dict[str, str]:
    return {row.value: row.person_id for row in resolved.members.select("value", "person_id").collect()}


def test_spark_and_one_task_agree_on_random_histories(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tight_settings()
    sightings = random_histories(seed=7, graphs=40, batches=3)
    decisions = random_decisions(spark, sightings, seed=3)
    small = replayed(spark, sightings, settings, decisions)
    # Groups that are often stirred in one task, the others in rounds.
    monkeypatch.setattr(replay, "_COST_OF_REPLAY", settings.one_task_edges // 300)
    large = replayed(spark, sightings, settings, decisions)
    columns = ("node", "component", "guarded", "person_id", "person_seq", "person_ts", "founded", "since")
    assert rows(small.members.select(*columns)) == rows(large.members.select(*columns))
    periods = ("node", "person_id", "valid_from", "valid_to", "change", "reason", "batch_seq")
    assert rows(small.changes.select(*periods)) == rows(large.changes.select(*periods))
    assert rows(small.hubs.select("node", "hub_reason")) == rows(large.hubs.select("node", "hub_reason"))
    # The histories are worth comparing: every kind of change is there, by batches and by overrides.
    reasons = {(row.change, row.reason.startswith("overrides")) for row in small.changes.collect()}
    assert reasons == {("new", False), *((change, by) for change in ("merge", "split") for by in (False, True))}
    check_overrides(small, decisions, settings)


def test_no_person_breaks_a_limit_and_each_is_connected(spark: SparkSession) -> None:
    settings = tight_settings()
    resolved = replayed(spark, random_histories(seed=11, graphs=60, batches=4), settings)
    members = resolved.members.select("node", "type", "person_id").collect()
    edges = judge_edges(resolved.edges, resolved.members, resolved.hubs, settings).collect()
    persons = defaultdict(list)
    for member in members:
        persons[member.person_id].append(member.type)
    for types in persons.values():
        counts = Counter(types)
        assert len(types) <= settings.max_component_size
        assert all(counts[kind] <= most for kind, most in settings.limits.items())
    cookies = defaultdict(list)
    for member in resolved.members.where("type = 'cookie'").collect():
        cookies[member.person_id].append(member.arrival_ts)
    most, days = settings.windows["cookie"]
    for times in map(sorted, cookies.values()):
        assert all(later - first >= timedelta(days=days) for first, later in zip(times, times[most:], strict=False))
    assert max(map(len, cookies.values())) > most, "in all a person may have more"
    names = defaultdict(set)
    for member in resolved.members.where("initials IS NOT NULL").collect():
        names[member.person_id].add(member.initials)
    assert {len(initials) for initials in names.values()} == {1}
    reasons = {edge.reason for edge in edges if edge.reason}
    for said in ("records with other names", "that came within 5 days", "that one email may be tied to"):
        assert any(said in reason for reason in reasons)
    tied = Counter(edge.right_value for edge in edges if (edge.left_type, edge.right_type) == ("cookie", "email"))
    held = Counter(
        edge.right_value
        for edge in edges
        if (edge.left_type, edge.right_type, edge.status) == ("cookie", "email", "active")
    )
    assert max(tied.values()) > max(held.values()) == settings.kept_links["email", "cookie"]
    owner = {(row.type, row.value): row.person_id for row in resolved.members.collect()}
    graph = nx.Graph()
    graph.add_nodes_from(owner)
    for edge in edges:
        left, right = (edge.left_type, edge.left_value), (edge.right_type, edge.right_value)
        assert (edge.status == "active") == (owner[left] == owner[right] and edge.reason is None)
        assert (edge.status == "cut") == bool(edge.reason)
        if edge.status == "active":
            graph.add_edge(left, right)
    connected = {frozenset(nodes) for nodes in nx.connected_components(graph)}
    by_person = defaultdict(set)
    for identifier, person in owner.items():
        by_person[person].add(identifier)
    assert connected == {frozenset(nodes) for nodes in by_person.values()}


def check_overrides(resolved: Resolved, decisions: Sequence[Decision], settings: IdentitySettings) -> None:
    """What is in force holds, and the edges say so."""
    owner = {(row.type, row.value): row.person_id for row in resolved.members.collect()}
    last = Step(Batch(9, START), Manual.of(in_force(decisions)), decision=2)
    edges = judge_edges(resolved.edges, resolved.members, resolved.hubs, settings, last).collect()
    said = {((e.left_type, e.left_value), (e.right_type, e.right_value)): e for e in edges}
    assert len(said) == len(edges)
    assert {one.action for one in last.manual.overrides} == {"together", "apart", "drop"}
    for one in last.manual.overrides:
        if one.right is None:
            touching = [edge for ends, edge in said.items() if one.left in ends]
            assert all((edge.kind, edge.status) == ("manual", "removed") for edge in touching)
        else:
            edge = said[one.left, one.right]
            assert (owner[one.left] == owner[one.right]) == (one.action == "together") == (edge.status == "active")
            assert edge.kind == "manual"
            assert edge.reason == one.text
    for (left, right), edge in said.items():
        assert edge.status != "active" or owner[left] == owner[right]
        assert edge.status != "cut" or edge.reason, "every cut says why"


def test_a_merge_keeps_the_older_person_whatever_the_time_of_events(spark: SparkSession) -> None:
    sightings = [
        (2, {"cookie": "seen-first-came-second"}),
        (1, {"cookie": "came-first"}),
        (3, {"email": "e", "cookie": "seen-first-came-second"}),
        (3, {"email": "e", "cookie": "came-first"}),
    ]
    before = owners(replayed(spark, sightings[:2], identity_settings()))
    after = owners(replayed(spark, sightings, identity_settings()))
    assert set(after.values()) == {before["came-first"]}


def test_a_reused_cookie_goes_to_its_new_user_and_leaves_the_id(spark: SparkSession) -> None:
    sightings = [
        (1, {"cookie": "c"}),
        (2, {"user_id": "anna", "cookie": "c"}),
        (3, {"user_id": "ben", "cookie": "c"}),
        (3, {"user_id": "ben", "cookie": "c"}),
    ]
    first = owners(replayed(spark, sightings[:1], identity_settings()))
    resolved = replayed(spark, sightings, identity_settings())
    now = owners(resolved)
    assert now["anna"] == first["c"], "the part with the strongest identifier keeps the id"
    assert now["c"] == now["ben"] != now["anna"]
    node = {row.node: row.value for row in resolved.members.collect()}
    told = [
        (node[row.node], row.change, row.batch_seq, row.valid_to is None)
        for row in resolved.changes.orderBy("batch_seq", "valid_from").collect()
    ]
    assert told == [
        ("c", "new", 1, False),
        ("anna", "new", 2, True),
        ("ben", "new", 3, True),
        ("c", "split", 3, True),
    ]


@pytest.mark.thorough
def test_a_value_of_a_million_people_ties_none_of_them(spark: SparkSession) -> None:
    """In Spark: what one task replays is a fraction of it."""
    events = spark.range(10**6).select(
        F.create_map(F.lit("user_id"), F.concat(F.lit("u"), "id"), F.lit("cookie"), F.lit("kiosk")).alias(
            "identifiers"
        ),
        F.timestamp_add("minute", F.col("id"), F.lit(START)).alias("event_ts"),
        (1 + F.col("id") % 2).alias("batch_seq"),
        F.lit("web").alias("source"),
    )
    combinations = combine_identifiers(events).persist()
    identifiers, pairs = list_identifiers(combinations, identity_settings()), pair_identifiers(combinations)
    steps = plan_steps(list_batches(combinations), [])
    resolved = replay_batches(identifiers.persist(), pairs.persist(), steps, identity_settings())
    assert resolved.members.select("person_id").distinct().count() == resolved.members.count() == 10**6 + 1
    assert [row["hub_reason"] for row in resolved.hubs.collect()] == [
        "seen with more than 200 other values: nobody's identifier"
    ]
    spark.catalog.clearCache()


def test_a_kiosk_is_nobodys(spark: SparkSession) -> None:
    sightings = [(1, {"user_id": f"u{i}", "cookie": "kiosk"}) for i in range(9)]
    now = owners(replayed(spark, sightings, identity_settings()))
    assert len(set(now.values())) == 10
