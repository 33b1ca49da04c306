"""What the values of a column look like, in files whose columns are all text."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from segmentation.ingest.mapping import quoted
from segmentation.ingest.reading import SourceRows

TEXT = "text"
SAMPLE = 1000
"""Rows, the first that are found, by which a column is judged: reading all of them again would cost as much as taking
them in."""

_MOST = 0.9
"""A column is what so large a share of its values is: single bad ones are found row by row."""
PATTERNS: Mapping[str, str] = {
    "number": r"^[+-]?(?:\d++\.?+\d*+|\.\d++)(?:[eE][+-]?\d++)?$",
    "time": r"^(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})(?:[T ].*)?$",
    "boolean": r"(?i)^(?:true|false|yes|no)$",
}
"""Kind -> what its values look like, found without going back: a value may have millions of digits."""


def find_kinds(rows: SourceRows) -> dict[str, str]:
    """Column of text -> number, time, boolean or text; without those that say nothing."""
    texts = [f.name for f in rows.as_read.schema if f.name in rows.own and isinstance(f.dataType, StringType)]
    if not texts:
        return {}
    counts = [
        count.alias(f"{number} {kind}")
        for number, name in enumerate(texts)
        for kind, count in _counts(F.trim(F.col(quoted(name)))).items()
    ]
    row = rows.as_read.select(*(quoted(name) for name in texts)).limit(SAMPLE).agg(*counts).first()
    assert row is not None, "an aggregate over everything gives one row"
    found = {}
    for number, name in enumerate(texts):
        if values := row[f"{number} {TEXT}"]:
            alike = (kind for kind in PATTERNS if row[f"{number} {kind}"] >= _MOST * values)
            found[name] = next(alike, TEXT)
    return found


def _counts(value: Column) -> dict[str, Column]:
    """How many values there are, as `text`, and how many are of each kind."""
    return {TEXT: F.count_if(value != ""), **{k: F.count_if(value.rlike(form)) for k, form in PATTERNS.items()}}
