"""What the quarantine shows in the place of personal values, and what that means in a row that was repaired."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Map
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from segmentation.config.identity import IdentitySettings
from segmentation.ingest.mapping import RAW, Mapping, quoted
from segmentation.ingest.reading import BROKEN, SourceRows

GIVEN = "_given_"
"""Prefix of columns: the token of an identifier, where a repaired row has that and not the value."""

MASKED = "masked_value"
"""The reason of a repaired row in which something is still hidden that would have to be known."""

BROKEN_ROW = "broken_row"
"""Key under which a row that could not be read is shown."""

_NO_IDENTIFIER = "(a value that is no identifier)"
_HIDDEN_ADDRESS = "(e-mail)"
_SHOWN = {
    "ignoreNullFields": "false",
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]XXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]",
}
"""How a row becomes JSON: with all of its columns, and times as exact as they are."""

_TOKEN = r"\b[0-9a-f]{64}\b"
_SIGN = r"\p{L}\p{M}\p{N}\x{FFFD}"
_ESCAPED = r"(?<!\\)((?=\\)(?:\\\\)*+(?:\\(?:u[0-9a-fA-F]{4}|[^u\\]))?+)"
_ADDRESS = rf"(?:{_ESCAPED}|(?<![{_SIGN}._%+'\\-]))[{_SIGN}._%+'-]++@[{_SIGN}-]++(?:\.[{_SIGN}-]++)++"
"""In JSON: the letter of an escape is none of the address. From the first letter on and without going back: a field may
have ten million of them and no @."""


def token_name(kind: str) -> str:
    """The column with an identifier's token."""
    return f"_token_{kind}"


def raw_json(rows: SourceRows, mapping: Mapping, identity: IdentitySettings) -> Column:
    """The row as it came, as JSON, without a personal value in clear.

    Columns that feed a personal identifier show its token, or that there was a value which is none. Of a row that
    could not be read nobody knows which part is personal: where the source has any, its letters and digits are
    masked, so that one still sees where it broke. Addresses of e-mail are masked wherever they stand.
    """
    personal = mapping.personal_columns(identity)
    shown = []
    for column in rows.own:
        value = F.col(quoted(RAW + column))
        if column in personal:
            hidden = F.coalesce(F.col(token_name(personal[column])), F.lit(_NO_IDENTIFIER))
            value = F.when(value.isNotNull(), hidden)
        shown.append(value.alias(column))
    broken = F.col(BROKEN)
    if personal:
        broken = F.regexp_replace(F.regexp_replace(broken, r"\p{L}", "x"), r"\p{N}", "9")
    whole = F.when(F.col(BROKEN).isNotNull(), F.to_json(F.struct(broken.alias(BROKEN_ROW)))).otherwise(
        F.to_json(F.struct(*shown), _SHOWN)
    )
    return F.regexp_replace(whole, _ADDRESS, f"$1{_HIDDEN_ADDRESS}")


def without_notes(rows: DataFrame, own: Sequence[str]) -> DataFrame:
    """Repaired rows in which a value that was no identifier is none: it would be somebody's name."""
    texts = [f.name for f in rows.schema if f.name in own and isinstance(f.dataType, StringType)]
    return rows.withColumns({name: F.nullif(F.col(quoted(name)), F.lit(_NO_IDENTIFIER)) for name in texts})


def set_tokens_apart(mapped: DataFrame, own: Sequence[str], personal: Map[str, str], kinds: Sequence[str]) -> DataFrame:
    """Adds `_given_KIND`, the token that stands in the place of a personal identifier, whose own column is null then.
    `personal`: column -> the type of the identifier whose token it shows.

    Several columns may make one identifier (a first and a last name), and each shows the token of the whole. A token
    beside something else is neither, and that of another type is not this one's.
    """
    columns: dict[str, Column] = {}
    for kind in kinds:
        shown = [F.col(quoted(RAW + column)).cast("string") for column in own if personal.get(column) == kind]
        value = F.col(f"`identifiers.{kind}`")
        has_token = F.coalesce(value.rlike(_TOKEN), F.lit(False))
        is_token = has_token & ~F.regexp_replace(value, _TOKEN, "").rlike(r"[\p{L}\p{N}]")
        token = F.regexp_extract(value, _TOKEN, 0)
        columns[GIVEN + kind] = F.when(is_token & _any(F.contains(text, token) for text in shown), token)
        columns[f"identifiers.{kind}"] = F.when(~has_token, value)
    return mapped.withColumns(columns)


def is_still_masked(own: Sequence[str], mapping: Mapping, identity: IdentitySettings) -> Column:
    """Whether a repaired row hides something still: an address, or a value of which its identifier's token could not
    be taken over, or of which something else is to be made too (another identifier, a property)."""
    personal = mapping.personal_columns(identity)
    hidden: list[Column] = []
    for column in own:
        text = F.col(quoted(RAW + column)).cast("string")
        hidden.append(F.contains(text, F.lit(_HIDDEN_ADDRESS)))
        if column in personal:
            others = mapping.expressions.keys() - {f"identifiers.{personal[column]}"}
            is_needed = any(column in mapping.expressions[name].columns for name in others)
            hidden.append(text.rlike(_TOKEN) & (F.lit(is_needed) | F.col(GIVEN + personal[column]).isNull()))
    return _any(hidden)


def _any(conditions: Iterable[Column]) -> Column:
    return reduce(or_, (F.coalesce(condition, F.lit(False)) for condition in conditions), F.lit(False))
