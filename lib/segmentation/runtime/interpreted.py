"""Small work is interpreted: to write Java for each plan, and to compile it, costs more than a few thousand rows do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from glob import iglob
from pathlib import Path

from pyspark.sql import SparkSession

from segmentation.config.paths import is_catalog
from segmentation.config.settings import Settings

SMALL = 4_000_000
"""Bytes of sources and warehouse together: some twenty thousand events."""

_INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def fitting_plans(spark: SparkSession, settings: Settings) -> Mapping[str, str]:
    """What to set while stages run: nothing, unless Spark is on this machine alone, and all that they could read too,
    and small. What the configuration says itself of these keys stands."""
    places = [settings.warehouse, *(source.path for source in settings.sources)]
    if not str(spark.sparkContext.master).startswith("local[") or is_catalog(settings.warehouse):
        return {}
    if any(":" in place for place in places) or not _is_small(places):
        return {}
    return {key: value for key, value in _INTERPRETED.items() if key not in settings.spark.conf}


def _is_small(places: list[str]) -> bool:
    """Whether all files of these folders, files and globs come to no more than `SMALL`; looks no further than that."""
    total = 0
    for size in (size for place in places for path in iglob(place) for size in _sizes(Path(path))):
        total += size
        if total > SMALL:
            return False
    return True


def _sizes(place: Path) -> Iterator[int]:
    if place.is_file():
        yield place.stat().st_size
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name).stat().st_size for name in names)
