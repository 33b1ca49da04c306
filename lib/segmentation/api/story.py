"""One person's story: everything that the warehouse knows of them, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.ingest.identifiers import normalise_identifier
from segmentation.privacy.key import load_key
from segmentation.privacy.tokens import token_of
from segmentation.runtime.warehouse import Warehouse
from segmentation.sessions.attach import attach_persons

_IDENTIFIER = ("identifier_type", "identifier_value")


@dataclass(frozen=True)
class Story:
    """All DataFrames, none of them computed before it is asked for; each is in order of time.

    `identifiers` are the person's own now (`identity_map`); `history` says whose these were before
    (`identity_history`); `links` are the pairs that touch them, with those that were cut and why (`identity_edges`).
    `segments` has one row a version: `segment_version`, `as_of`, `status`, `segment_id`, `segment_name`,
    `probability`, `margin`, `method`.
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
    member = ("segment_id", "segment_name", "probability", "margin", "method")
    return Story(
        person_id=person_id,
        identifiers=identifiers.orderBy("since", *_IDENTIFIER),
        history=warehouse.read_or_empty("identity_history")
        .join(identifiers.select(*_IDENTIFIER), list(_IDENTIFIER), "left_semi")
        .orderBy("valid_from", *_IDENTIFIER),
        links=_links(warehouse.read_or_empty("identity_edges"), identifiers).orderBy("first_seen", "last_seen"),
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


def find_person(warehouse: Warehouse, identity: IdentitySettings, kind: str, value: str) -> str:
    """The id of the person who has an identifier now; `value` as a source would write it.

    A value of a personal type is looked up by its token, for which the key has to be there. Raises `ConfigError`
    for an unknown type or a missing key, `InputError` where nobody has the identifier; neither names the value.
    """
    if kind not in identity.identifiers:
        raise ConfigError(f"There is no identifier type '{kind}' (there are {', '.join(identity.identifiers)}).")
    found = _normalise(warehouse.spark, identity, kind, value)
    if found is not None and identity.is_personal(kind):
        found = token_of(load_key(), kind, found)
    row = (
        warehouse.read("identity_map")
        .where((F.col("identifier_type") == kind) & (F.col("identifier_value") == F.lit(found)))
        .select("person_id")
        .first()
    )
    if row is None:
        raise InputError(
            f"Nobody has this {kind}: it may be misspelt, be a placeholder, or not have been taken in yet."
        )
    return str(row["person_id"])


def _links(edges: DataFrame, identifiers: DataFrame) -> DataFrame:
    """The pairs of which at least one end is among the identifiers."""
    own = identifiers.select(F.struct(*_IDENTIFIER).alias("own"))
    left, right = (F.struct(F.col(f"{side}_type"), F.col(f"{side}_value")) for side in ("left", "right"))
    return edges.join(F.broadcast(own), (left == F.col("own")) | (right == F.col("own")), "left_semi")


def _normalise(spark: SparkSession, identity: IdentitySettings, kind: str, value: str) -> str | None:
    """By the same expression as at ingestion; in a frame of its own, so that the value is in no plan."""
    rows = spark.createDataFrame([(value,)], "value string")
    row = rows.select(normalise_identifier(kind, F.col("value"), identity).alias("value")).first()
    return None if row is None else row["value"]
