"""From an identifier as a person writes it to the one that the tables have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.ingest.identifiers import normalise_identifier
from segmentation.privacy.key import load_key
from segmentation.privacy.tokens import token_of

Identifier = tuple[str, str]
"""Type and value."""

_TOKEN = re.compile("[0-9a-f]{64}")


def check_type(kind: str, settings: IdentitySettings) -> None:
    """Raises `ConfigError` for an identifier type that the configuration does not know."""
    if kind not in settings.identifiers:
        raise ConfigError(f"There is no identifier type '{kind}' (there are {', '.join(settings.identifiers)}).")


def look_up_values(
    spark: SparkSession, settings: IdentitySettings, written: Sequence[Identifier]
) -> list[Identifier | None]:
    """Identifiers as the tables have them, in the order given; None for a value that names nobody.

    In: types and values as a source would write them; for a personal type, a token is taken as it is. Values are
    normalised as at ingestion, in a frame of their own, so that they are in no plan, and personal ones become tokens,
    for which the key has to be there. Raises `ConfigError` for an unknown type or a missing key.
    """
    for kind in {kind for kind, _ in written}:
        check_type(kind, settings)
    clear = [
        (number, kind, value)
        for number, (kind, value) in enumerate(written)
        if not (settings.is_personal(kind) and _TOKEN.fullmatch(value))
    ]
    found: list[Identifier | None] = list(written)
    if not clear:
        return found
    normal = F.coalesce(
        *(
            F.when(F.col("kind") == kind, normalise_identifier(kind, F.col("value"), settings))
            for kind in settings.identifiers
        )
    )
    rows = spark.createDataFrame(clear, "number int, kind string, value string").withColumn("value", normal).collect()
    key = load_key() if any(settings.is_personal(kind) for _, kind, _ in clear) else b""
    for number, kind, value in rows:
        if value is not None and settings.is_personal(kind):
            value = token_of(key, kind, value)
        found[number] = None if value is None else (kind, value)
    return found


def find_person(identity_map: DataFrame, settings: IdentitySettings, kind: str, value: str) -> str:
    """The id of the person who has an identifier now; see `look_up_values` for how it may be written.

    Raises `ConfigError` as there, and `InputError` where nobody has the identifier; neither names the value.
    """
    return find_owner(identity_map, kind, look_up_values(identity_map.sparkSession, settings, [(kind, value)])[0])


def find_owner(identity_map: DataFrame, kind: str, identifier: Identifier | None) -> str:
    """The id of the person who has an identifier of `kind` now; raises `InputError` where nobody has it."""
    row = None
    if identifier is not None:
        has_it = (F.col("identifier_type") == kind) & (F.col("identifier_value") == identifier[1])
        row = identity_map.where(has_it).select("person_id").first()
    if row is None:
        raise InputError(
            f"Nobody has this {kind}: it may be misspelt, be a placeholder, or not have been taken in yet."
        )
    return str(row["person_id"])
