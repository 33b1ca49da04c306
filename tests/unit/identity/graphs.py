"""Made graphs of identifiers: what the tests of this room feed to it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from segmentation.config.identity import IdentitySettings
from segmentation.identity.observations import name_node
from segmentation.identity.overrides import Decision, Override, name_overrides

START = datetime(2026, 3, 1)
_EVENTS = (
    "identifiers map<string,string>, event_ts timestamp, batch_seq long, source string, is_bot boolean, is_test boolean"
)

Sighting = tuple[int, dict[str, str]]
"""The batch that brought an event, and its identifiers."""


def identity_settings(**changes: Any) -> IdentitySettings:
    """User ids (one a person), e-mails and cookies; `changes` replace keys."""
    types = {"user_id": {"max_per_person": 1}, "email": {}, "cookie": {}}
    return IdentitySettings.model_validate({"identifiers": types, **changes})


def tight_settings() -> IdentitySettings:
    """Limits so low that small random graphs run into every one of them."""
    types = {
        "user_id": {"max_per_person": 1},
        "email": {"max_per_person": 2, "max_links": {"cookie": 2}},
        "device": {"shared": "nobody", "max_links": {"cookie": 4}},
        "cookie": {"shared": "last", "told_apart_by": "name", "max_per_person": 2, "within_days": 5},
        "name": {"describes": True},
    }
    return IdentitySettings.model_validate(
        {"identifiers": types, "max_component_size": 7, "max_strong_links": 3, "max_links": 6}
    )


def random_initials(spark: SparkSession, sightings: Iterable[Sighting]) -> DataFrame:
    """As `find_initials`: of every third cookie, one of two names in each graph."""
    cookies = sorted({identifiers["cookie"] for _, identifiers in sightings if "cookie" in identifiers})
    rows = [("cookie", cookie, "as" if number % 2 else "js") for number, cookie in enumerate(cookies) if number % 3]
    named = spark.createDataFrame(rows, "type string, value string, initials string")
    return named.select(name_node("type", "value").alias("node"), "initials")


def sightings_frame(spark: SparkSession, sightings: Iterable[Sighting]) -> DataFrame:
    """Events, one an hour in the order given."""
    rows = [
        (identifiers, START + timedelta(hours=hour), seq, f"source{seq % 2}", False, False)
        for hour, (seq, identifiers) in enumerate(sightings)
    ]
    return spark.createDataFrame(rows, _EVENTS)


def random_histories(seed: int, graphs: int, batches: int, events: int = 14) -> list[Sighting]:
    """`graphs` small histories that do not touch each other, in one; batches bring events in no order of time."""
    chance = random.Random(seed)
    sightings: list[Sighting] = []
    for graph in range(graphs):
        for _ in range(events):
            identifiers = {}
            for kind, values in (("user_id", 4), ("email", 4), ("device", 3), ("cookie", 6)):
                if chance.random() < 0.4:
                    # Squared: some values are far more often seen than others, which makes hubs.
                    identifiers[kind] = f"{graph}-{kind[0]}{int(values * chance.random() ** 2)}"
            if identifiers:
                sightings.append((chance.randint(1, batches), identifiers))
    chance.shuffle(sightings)
    return sightings


def random_decisions(spark: SparkSession, sightings: Iterable[Sighting], seed: int) -> list[Decision]:
    """Two decisions of overrides in every second graph, after batches 1 and 2; the second takes back half of the first.

    No two name one graph, so that none contradicts another.
    """
    chance = random.Random(seed)
    graphs: dict[str, set[tuple[str, str]]] = {}
    for _, identifiers in sightings:
        for kind, value in identifiers.items():
            graphs.setdefault(value.split("-")[0], set()).add((kind, value))
    overrides = []
    for number, graph in enumerate(sorted(graphs)):
        action = ("together", "apart", "drop", None, None, None)[number % 6]
        left, right = sorted(chance.sample(sorted(graphs[graph]), 2))
        if action:
            overrides.append(Override(action, left, None if action == "drop" else right, "said so"))
    named = name_overrides(spark, overrides)
    first, second = sorted(named[::2]), sorted(named[1::2])
    return [Decision(1, 1, tuple(first), ()), Decision(2, 2, tuple(second), tuple(first[::2]))]
