"""A source's mapping, checked, and its rows put into the columns of `events`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DateType,
    MapType,
    NumericType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
    VariantType,
)

from segmentation.config.identity import IdentitySettings
from segmentation.config.sources import Source
from segmentation.contracts.errors import Problem
from segmentation.contracts.table import MONEY
from segmentation.ingest.dialect import forgiving
from segmentation.ingest.expressions import Expression, Refused, parse
from segmentation.ingest.reading import BROKEN, SourceRows

SCALARS = ("event_id", "event_name", "event_ts", "received_ts", "platform", "session_key", "amount", "currency")
"""Contract columns that an expression gives one by one."""
SENT = "sent_ts"
"""A contract column of the mapping alone: it corrects `event_ts` and is not kept."""
_MAPPED_TIMES = ("event_ts", "received_ts", SENT)
RAW = "_raw_"
"""Prefix of the source's own columns, kept beside the mapped ones for the quarantine."""
LOST = "_lost_"
"""Prefix of flags: the source has something there, and it did not convert."""

_COMPOUND = (ArrayType, MapType, StructType, BinaryType, VariantType)
_TIMES = (TimestampType, TimestampNTZType, DateType, StringType)


@dataclass(frozen=True)
class Mapping:
    """The expressions of a source, by key below `columns` (`amount`, `identifiers.email`), fit to be run."""

    source: Source
    expressions: dict[str, Expression]

    def identifiers(self, identity: IdentitySettings) -> list[str]:
        """The identifier types that it fills, in order of trust."""
        return [kind for kind in identity.identifiers if f"identifiers.{kind}" in self.expressions]

    def personal(self, identity: IdentitySettings) -> list[str]:
        """Those of them that are personal."""
        return [kind for kind in self.identifiers(identity) if identity.is_personal(kind)]

    def personal_columns(self, identity: IdentitySettings) -> dict[str, str]:
        """Source columns that feed a personal identifier -> its type."""
        return {
            column: kind
            for kind in reversed(self.personal(identity))
            for column in self.expressions[f"identifiers.{kind}"].columns
        }


def check_mapping(
    spark: SparkSession, source: Source, key: str, identity: IdentitySettings, rows: SourceRows | None
) -> tuple[Mapping, list[Problem]]:
    """The mapping of a source, and everything wrong with it; `key` is where it stands (`sources.0.columns`).

    Without `rows` (its files cannot be read) only the expressions themselves are checked.
    """
    expressions: dict[str, Expression] = {}
    problems: list[Problem] = []
    for name, text in _texts(source):
        try:
            expressions[name] = parse(spark, text, None if rows is None else rows.columns)
        except Refused as refusal:
            problems.append(Problem(f"{key}.{name}", str(refusal), text, refusal.suggestion))
    mapping = Mapping(source, expressions)
    if rows is not None:
        problems += _misfits(mapping, key, rows) + _leaks(mapping, key, identity)
    return mapping, problems


def map_rows(rows: SourceRows, mapping: Mapping) -> DataFrame:
    """The rows with the mapping's columns: as they are in `events`, but `identifiers.TYPE` and `properties.NAME` still
    one by one and as they came.

    Grain: one row of the source, in and out. Beside them `_raw_*` (the source's own columns), `_lost_*` (whether a
    value was there that did not convert) and `_broken_row`.
    """
    with forgiving(rows.df.sparkSession, mapping.source.time_zone):
        values = [_typed(name, F.expr(e.text)).alias(name) for name, e in mapping.expressions.items()]
        lost = [
            _is_lost(name, mapping.expressions.get(name)).alias(LOST + name)
            for name in ("event_ts", "received_ts", "amount")
        ]
        absent = [F.lit(None).cast(_type_of(name)).alias(name) for name in SCALARS if name not in mapping.expressions]
        raw = [F.col(quoted(column)).alias(RAW + column) for column in rows.own]
        mapped = rows.df.select(*values, *absent, *lost, *raw, BROKEN)
        return _by_the_servers_clock(mapped) if mapping.source.clock == "device" else mapped


def _by_the_servers_clock(mapped: DataFrame) -> DataFrame:
    """`event_ts` corrected by as much as the device's clock was wrong when it sent the event, where that is known; what
    an event took on its way counts as the clock's."""
    corrected = F.col("event_ts") + (F.col("received_ts") - F.col(SENT))
    return mapped.withColumn("event_ts", F.coalesce(corrected, "event_ts")).drop(SENT)


def quoted(column: str) -> str:
    """A column's name as Spark reads it whole, dots and all."""
    return "`" + column.replace("`", "``") + "`"


def _texts(source: Source) -> Iterator[tuple[str, str]]:
    for name in (*SCALARS, SENT):
        if (text := getattr(source.columns, name)) is not None:
            yield name, text
    for group in ("identifiers", "properties"):
        for name, text in getattr(source.columns, group).items():
            yield f"{group}.{name}", text


def _type_of(name: str) -> str:
    if name in _MAPPED_TIMES:
        return "timestamp"
    return MONEY.simpleString() if name == "amount" else "string"


def _typed(name: str, value: Column) -> Column:
    cast = value.cast(_type_of(name))
    if name.startswith("identifiers.") or _type_of(name) != "string":
        return cast
    return F.when(F.trim(cast) != "", F.trim(cast))


def _is_lost(name: str, expression: Expression | None) -> Column:
    """Whether the source says something that the contract's type cannot hold.

    An expression that is null only where its columns are (a conversion, arithmetic) has lost something when it is
    null and they are not. Of another one (CASE, COALESCE) null may be the answer: there only what it gives counts.
    """
    if expression is None or not expression.columns:
        return F.lit(False)
    value = F.expr(expression.text)
    unfit = value.isNotNull() & (F.trim(value.cast("string")) != "") & value.cast(_type_of(name)).isNull()
    if not expression.null_propagating:
        return F.coalesce(unfit, F.lit(False))
    there = F.lit(True)
    for column in expression.columns:
        text = F.col(quoted(column)).cast("string")
        there = there & text.isNotNull() & (F.trim(text) != "")
    return F.coalesce(value.cast(_type_of(name)).isNull() & there, F.lit(False))


def _misfits(mapping: Mapping, key: str, rows: SourceRows) -> list[Problem]:
    """Expressions that Spark cannot make sense of over these columns, or whose type is not the contract's."""
    problems = []
    with forgiving(rows.df.sparkSession, mapping.source.time_zone):
        for name, expression in mapping.expressions.items():
            where = f"{key}.{name}"
            twice = [column for column in expression.columns if column in rows.ambiguous]
            if twice:
                text = f"the column '{twice[0]}' is in the source and in a reference table; rename one of them"
                problems.append(Problem(where, text, expression.text))
                continue
            try:
                found = rows.df.select(F.expr(expression.text).alias("value")).schema["value"].dataType
            except AnalysisException as error:
                condition = error.getCondition() or "analysis"
                text = f"does not fit the source's columns [{condition}]"
                problems.append(Problem(where, text, expression.text))
                continue
            if wrong := _wrong_type(name, found):
                problems.append(Problem(where, wrong, expression.text))
    return problems


def _wrong_type(name: str, found: DataType) -> str | None:
    kind = found.simpleString()
    if name in _MAPPED_TIMES and not isinstance(found, _TIMES):
        return f"must be a time and is {kind}; timestamp_seconds(…) or timestamp_millis(…) make one of a number"
    if name == "amount" and not isinstance(found, (NumericType, StringType)):
        return f"must be a number and is {kind}"
    if isinstance(found, _COMPOUND):
        return f"must be one value and is {kind}; to_json(…) makes a text of it"
    return None


def _leaks(mapping: Mapping, key: str, identity: IdentitySettings) -> list[Problem]:
    """Expressions that hand a personal value on in clear, beside the identifier that is tokenised."""
    personal = mapping.personal_columns(identity)
    return [
        Problem(
            f"{key}.{name}",
            f"hands on the column '{expression.columns[0]}' in clear, which is personal "
            f"({personal[expression.columns[0]]})",
            expression.text,
        )
        for name, expression in mapping.expressions.items()
        if expression.hands_on
        and expression.columns[0] in personal
        and not (name.startswith("identifiers.") and identity.is_personal(name.partition(".")[2]))
    ]
