"""From a source's rows to rows fit for `events`, each with every reason that speaks against it."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from segmentation.config.identity import IdentitySettings
from segmentation.config.traffic import TrafficSettings
from segmentation.contracts.events import EVENTS
from segmentation.ingest.identifiers import imitates, normalise_columns
from segmentation.ingest.mapping import SCALARS, Mapping, map_rows
from segmentation.ingest.masking import GIVEN, MASKED, is_still_masked, raw_json, set_tokens_apart, token_name
from segmentation.ingest.quality import contract_reasons, rule_reasons
from segmentation.ingest.reading import SourceRows
from segmentation.ingest.sampling import weight_column
from segmentation.ingest.traffic import is_declared, is_internal
from segmentation.privacy.tokens import token_column, with_token_key

REASONS, WARNINGS, RAW_JSON, PERSONAL = "_reasons", "_warnings", "_raw_json", "_personal"
"""Beside the columns of `events`: why not, what is odd, the row as it came, and its clear values for the vault."""

LOOK_ALIKE = "look_alike_identifier"
"""The warning on a row of which an identifier mixes scripts, and so is none."""

_DECLARED, _IMITATES = "_declared", "_imitates"
_SAID = "_said_"
_MADE_LATER = {"batch_id", "batch_seq"}
_TEXTS = ArrayType(StringType())
_PERSONAL_TYPE = ArrayType(
    StructType([StructField(name, StringType()) for name in ("token", "identifier_type", "value")])
)


@dataclass(frozen=True)
class Conformed:
    """The rows, and the reasons and warnings that they can have at all, in the order in which they are reported."""

    df: DataFrame
    reasons: tuple[str, ...]
    fatal: tuple[str, ...]
    """Reasons of rules that refuse the whole batch."""
    warnings: tuple[str, ...]


def conform_rows(
    rows: SourceRows,
    mapping: Mapping,
    identity: IdentitySettings,
    key: bytes | None,
    traffic: TrafficSettings,
    at: datetime,
    with_raw: bool = False,
) -> Conformed:
    """Every row of the source in the columns of `events` (but for the batch's), and `_reasons`, `_warnings`,
    `_raw_json`, `_personal`.

    Grain: one row of the source, in and out. `_reasons` is empty for a row that may become an event, and only then
    `_raw_json` is null, or never (`with_raw`). `is_test` says what `traffic` declares; `is_bot` takes other events to
    know, and is false here. `at` is when the rows are taken in. `key` is needed where the mapping has personal
    identifiers, and is in no query plan.
    """
    source = mapping.source
    personal = mapping.personal(identity)
    mapped = map_rows(rows, mapping)
    if rows.is_masked:
        mapped = set_tokens_apart(mapped, rows.own, mapping.personal_columns(identity), personal)
    mapped = _with_identifiers(mapped, mapping, identity, traffic)
    if personal:
        assert key is not None, "a mapping with personal identifiers comes with a key"
        mapped = with_token_key(mapped, key)
    tokenised = _with_maps(mapped, mapping, identity, rows.is_masked)

    severe = [rule for rule in source.rules if rule.severity != "warn"]
    kinds = mapping.identifiers(identity)
    given = personal if rows.is_masked else []
    reasons = {**contract_reasons(source, rows.own, at), **rule_reasons(severe, kinds, given)}
    if rows.is_masked:
        reasons[MASKED] = is_still_masked(rows.own, mapping, identity)
    mild = [rule for rule in source.rules if rule.severity == "warn"]
    warnings = {LOOK_ALIKE: F.col(_IMITATES), **rule_reasons(mild, kinds, given)}
    judged = tokenised.select("*", _names_of(reasons).alias(REASONS), _names_of(warnings).alias(WARNINGS))

    made = {
        "event_id": F.coalesce("event_id", _content_id(mapping, identity)),
        "event_date": F.to_date("event_ts"),
        "source": F.lit(source.name),
        "weight": weight_column(source.sample),
        "is_bot": F.lit(False),
        "is_test": F.col(_DECLARED) | is_internal(F.col("properties"), traffic),
    }
    columns = [made.get(name, F.col(name)).alias(name) for name in EVENTS.column_names if name not in _MADE_LATER]
    is_shown = F.lit(with_raw) | (F.size(REASONS) > 0)
    raw = F.when(is_shown, raw_json(rows, mapping, identity)).alias(RAW_JSON)
    clear = F.col(PERSONAL) if personal else F.lit(None).cast(_PERSONAL_TYPE).alias(PERSONAL)
    fatal = tuple(dict.fromkeys(r for rule in source.rules if rule.severity == "fail" for r in rule.checks().values()))
    df = judged.select(*columns, REASONS, WARNINGS, raw, clear)
    return Conformed(df, tuple(reasons), fatal, tuple(warnings))


def _with_identifiers(
    df: DataFrame, mapping: Mapping, identity: IdentitySettings, traffic: TrafficSettings
) -> DataFrame:
    """Each `identifiers.TYPE` normalised, or null; whether one of them is a declared test account, and whether one was
    written to look like another."""
    kinds = {f"identifiers.{kind}": kind for kind in mapping.identifiers(identity)}
    declared = {name: kind for name, kind in kinds.items() if kind in traffic.tests.identifiers}
    said = df.withColumns({_SAID + kind: F.col(f"`{name}`") for name, kind in declared.items()})
    accounts = [
        is_declared(kind, F.col(_SAID + kind), F.col(f"`{name}`"), traffic.tests.identifiers[kind], identity)
        for name, kind in declared.items()
    ]
    several = [F.coalesce(imitates(kind, F.col(f"`{name}`"), identity), F.lit(False)) for name, kind in kinds.items()]
    said = said.withColumn(_IMITATES, reduce(or_, several, F.lit(False)))
    return normalise_columns(said, kinds, identity).withColumn(_DECLARED, reduce(or_, accounts, F.lit(False)))


def _with_maps(df: DataFrame, mapping: Mapping, identity: IdentitySettings, is_masked: bool) -> DataFrame:
    """`identifiers` and `properties` as maps without nulls, personal values as tokens; and `_personal`. Of rows that
    were masked a token may be there already, without its value."""
    kinds, personal = mapping.identifiers(identity), mapping.personal(identity)
    made = {kind: token_column(kind, F.col(f"`identifiers.{kind}`")) for kind in personal}
    tokens = {token_name(k): F.coalesce(GIVEN + k, token) if is_masked else token for k, token in made.items()}
    values = {kind: F.col(token_name(kind) if kind in personal else f"`identifiers.{kind}`") for kind in kinds}
    properties = {name: F.col(f"`properties.{name}`") for name in _properties(mapping)}
    entries = [_entry(kind) for kind in personal]
    clear = {PERSONAL: F.concat(*entries)} if entries else {}
    return df.withColumns(tokens).withColumns(
        {"identifiers": _map_of(values), "properties": _map_of(properties), **clear}
    )


def _entry(kind: str) -> Column:
    """What the vault is to have of an identifier: one, or none where there is no value."""
    token, value = F.col(token_name(kind)), F.col(f"`identifiers.{kind}`")
    entry = F.struct(token.alias("token"), F.lit(kind).alias("identifier_type"), value.alias("value"))
    return _if_any([value.isNotNull()], F.array(entry).cast(_PERSONAL_TYPE), _PERSONAL_TYPE)


def _content_id(mapping: Mapping, identity: IdentitySettings) -> Column:
    """SHA-256 of all that an event says (not of when it was received, or by which source): the key of a duplicate
    where the source gives none. Parts carry their names and lengths, so that no two contents read the same."""
    personal = mapping.personal(identity)
    parts = {name: F.col(name).cast("string") for name in SCALARS if name not in {"event_id", "received_ts"}}
    parts["event_ts"] = F.unix_micros("event_ts").cast("string")
    for kind in mapping.identifiers(identity):
        parts[f"identifiers.{kind}"] = F.col(token_name(kind) if kind in personal else f"`identifiers.{kind}`")
    for name in _properties(mapping):
        parts[f"properties.{name}"] = F.col(f"`properties.{name}`")
    said = [
        F.coalesce(F.concat(F.lit(f"{name}="), F.length(value).cast("string"), F.lit(":"), value), F.lit(""))
        for name, value in sorted(parts.items())
    ]
    return F.sha2(F.concat(*said), 256)


def _names_of(reasons: Map[str, Column]) -> Column:
    named = F.array_compact(F.array(*(F.when(holds, F.lit(reason)) for reason, holds in reasons.items())))
    return _if_any(list(reasons.values()), named, _TEXTS)


def _if_any(conditions: list[Column], some: Column, kind: ArrayType) -> Column:
    """`some` where a condition holds, else an empty array at once: walking through an array is not compiled."""
    return F.when(reduce(or_, conditions, F.lit(False)), some).otherwise(F.array().cast(kind))


def _map_of(values: Map[str, Column]) -> Column:
    if not values:
        return F.create_map().cast("map<string,string>")
    names = [_if_any([value.isNotNull()], F.array(F.lit(name)), _TEXTS) for name, value in values.items()]
    there = [_if_any([value.isNotNull()], F.array(value), _TEXTS) for value in values.values()]
    return F.map_from_arrays(F.concat(*names), F.concat(*there))


def _properties(mapping: Mapping) -> list[str]:
    return list(mapping.source.columns.properties)
