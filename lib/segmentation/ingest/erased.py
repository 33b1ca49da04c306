"""Turning away at the door who was erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.ingest.conform import PERSONAL, RAW_JSON, REASONS, WARNINGS, Conformed
from segmentation.privacy.tombstones import BLOCKED, OF_THE_ERASED, mark_erased

ERASED = "erased"
"""The reason of a row whose person was erased: it is counted, and nothing of it is kept."""


def turn_away_erased(conformed: Conformed, tombstones: DataFrame, key: bytes, trust: Sequence[str]) -> Conformed:
    """The rows of a batch without the people who were erased: a row of theirs is refused and emptied, and from rows of
    others their identifiers are taken out, as if they had come before the erasure. Same grain.

    `tombstones`: the table; `trust`: identifier types, strongest first. The types that have tombstones, a few, come to
    the driver.
    """
    kinds = [row[0] for row in tombstones.select("identifier_type").distinct().orderBy("identifier_type").collect()]
    if not kinds:
        return conformed
    marked = mark_erased(conformed.df, tombstones, kinds, key, trust)
    theirs, blocked = F.col(OF_THE_ERASED), F.col(BLOCKED)
    rows = marked.withColumns(
        {
            REASONS: F.when(theirs, F.array(F.lit(ERASED))).otherwise(F.col(REASONS)),
            WARNINGS: F.filter(WARNINGS, lambda _: ~theirs),
            # The row as it came has the values of all.
            RAW_JSON: F.when(F.size(blocked) == 0, F.col(RAW_JSON)),
            PERSONAL: F.filter(PERSONAL, lambda entry: ~theirs & ~F.array_contains(blocked, entry["identifier_type"])),
            "identifiers": F.map_filter("identifiers", lambda kind, _: ~theirs & ~F.array_contains(blocked, kind)),
        }
    )
    return replace(conformed, df=rows.drop(OF_THE_ERASED, BLOCKED), reasons=(*conformed.reasons, ERASED))
