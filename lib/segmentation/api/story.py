"""One person's story: everything that the warehouse knows of them, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.errors import InputError
from segmentation.identity.explain import KEY, touching_links
from segmentation.runtime.warehouse import Warehouse
from segmentation.sessions.attach import attach_persons


@dataclass(frozen=True)
class Story:
    """All DataFrames, none of them computed before it is asked for; each is in order of time.

    `identifiers` are the person's own now (`identity_map`); `history` says whose these were before
    (`identity_history`); `links` are the pairs that touch them, with those that were cut and why (`identity_edges`).
    `segments` has one row a version: `segment_version`, `as_of`, `status`, `segment_id`, `segment_name`,
    `probability`, `margin`, `method`, `rule`, `model_segment_id`.
    """

    person_id: str
    identifiers: DataFrame
    history: DataFrame
    links: DataFrame
    events: DataFrame
    sessions: DataFrame
    features: DataFrame
    segments: DataFrame


def tell_story(warehouse: Warehouse, identity: IdentitySettings, person_id: str) -> Story:
    """The story of one person. Tables that no stage has written yet are empty. Raises `InputError` for nobody's id."""
    own = F.col("person_id") == person_id
    identifiers = warehouse.read_or_empty("identity_map").where(own)
    if identifiers.isEmpty():
        raise InputError("There is no person with this id: look it up in the table 'persons'.")
    versions = warehouse.read_or_empty("segment_versions").select("segment_version", "as_of", "status")
    member = ("segment_id", "segment_name", "probability", "margin", "method", "rule", "model_segment_id")
    return Story(
        person_id=person_id,
        identifiers=identifiers.orderBy("since", *KEY),
        history=warehouse.read_or_empty("identity_history")
        .join(identifiers.select(*KEY), list(KEY), "left_semi")
        .orderBy("valid_from", *KEY),
        links=touching_links(warehouse.read_or_empty("identity_edges"), identifiers).orderBy("first_seen", "last_seen"),
        events=attach_persons(warehouse.read_or_empty("events"), identifiers, list(identity.identifiers)).orderBy(
            "event_ts", "event_id"
        ),
        sessions=warehouse.read_or_empty("sessions").where(own).orderBy("session_start"),
        features=warehouse.read_or_empty("features").where(own).orderBy("as_of"),
        segments=warehouse.read_or_empty("segments")
        .where(own)
        .join(versions, "segment_version")
        .select(*versions.columns, *member)
        .orderBy("segment_version"),
    )
