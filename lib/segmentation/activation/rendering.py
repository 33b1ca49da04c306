"""The lines of a delivered file, byte for byte.

Spark's own CSV writer trims, escapes quotes with a backslash, and rewrites line breaks inside values. So each line
is made here as text, as RFC 4180 says, and Spark only writes it down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType

from segmentation.config.exports import Readers
from segmentation.contracts.table import check_columns

TextType = Literal["csv", "jsonl"]

LINE_ENDINGS = {"lf": "\n", "crlf": "\r\n"}

_QUOTED_IF = '[",\r\n]'
_FORMULA = "^[=+\\-@\t\r\n]"
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def render_lines(rows: DataFrame, columns: Sequence[str], file_type: TextType, readers: Readers) -> DataFrame:
    """One row a person -> one row a line (`line` STRING, without its end), in the order of `person_id`.

    Numbers have at most six decimals. In CSV a null is an empty field; in JSON lines its key is left out.
    """
    check_columns(rows, {"person_id", *columns}, "the people to deliver")
    ordered = rows.orderBy("person_id")
    if file_type == "jsonl":
        values = [_rounded(rows, name).alias(name) for name in columns]
        return ordered.select(F.to_json(F.struct(*values)).alias("line"))
    fields = [_field(rows, name, guarded=readers == "people") for name in columns]
    return ordered.select(F.concat_ws(",", *fields).alias("line"))


def header(columns: Sequence[str], file_type: TextType, line_ending: Literal["lf", "crlf"]) -> bytes:
    """What stands before the first person."""
    return (",".join(columns) + LINE_ENDINGS[line_ending]).encode() if file_type == "csv" else b""


def _rounded(rows: DataFrame, name: str) -> Column:
    return F.round(name, 6) if isinstance(rows.schema[name].dataType, DoubleType) else F.col(name)


def _field(rows: DataFrame, name: str, guarded: bool) -> Column:
    kind = rows.schema[name].dataType
    value = F.col(name)
    if isinstance(kind, DoubleType):
        value = F.regexp_replace(F.format_string("%.6f", value), "\\.?0+$", "")
        return F.coalesce(F.when(F.col(name).isNotNull(), value), F.lit(""))
    if not isinstance(kind, StringType):
        return F.coalesce(value.cast("string"), F.lit(""))
    text = F.coalesce(value, F.lit(""))
    if guarded:
        text = F.when(text.rlike(_FORMULA), F.concat(F.lit("'"), text)).otherwise(text)
    quoted = F.concat(F.lit('"'), F.replace(text, F.lit('"'), F.lit('""')), F.lit('"'))
    return F.when(text.rlike(_QUOTED_IF), quoted).otherwise(text)
