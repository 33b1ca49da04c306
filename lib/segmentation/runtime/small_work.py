"""Small work is set about lightly: on a few thousand rows, to write Java for each plan and to compile it costs more
than the rows do, and so does each task of a shuffle."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from glob import glob
from pathlib import Path

from pyspark.sql import SparkSession

from segmentation.config.paths import is_catalog
from segmentation.config.settings import Settings

SMALL = 1_500_000
"""Bytes of sources and warehouse together: some thirty thousand events. At twice as many it comes to the same."""

LIGHTLY = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",  # which makes a job of each shuffle, and plans anew behind it
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
}
"""How few rows are set about. Without adaptive execution a delivery takes 6 % less processor time."""
_NOT_PYTHONS = ":{"
"""In a URI, and in a glob of Hadoop's that Python would read otherwise."""


def fitting_conf(spark: SparkSession, settings: Settings) -> Mapping[str, str]:
    """What to set while stages run: nothing, unless Spark is on this machine alone, and all that they could read is
    here too, and small. What the configuration says itself of these keys stands."""
    sources = [source.path for source in settings.sources]
    if not str(spark.sparkContext.master).startswith("local[") or is_catalog(settings.warehouse):
        return {}
    if any(character in place for place in (settings.warehouse, *sources) for character in _NOT_PYTHONS):
        return {}
    found = [glob(source) for source in sources]
    if not all(found) or not _are_small([settings.warehouse, *(path for paths in found for path in paths)]):
        return {}
    return {key: value for key, value in LIGHTLY.items() if key not in settings.spark.conf}


def _are_small(places: list[str]) -> bool:
    """Whether all files of these folders and files come to no more than `SMALL`; looks no further than that."""
    total = 0
    for place in places:
        for size in _sizes(Path(place)):
            total += size
            if total > SMALL:
                return False
    return True


def _sizes(place: Path) -> Iterator[int]:
    """Of a file, or of all in a folder."""
    folders = os.walk(place)
    files = [place] if place.is_file() else (Path(folder, name) for folder, _, names in folders for name in names)
    for file in files:
        with suppress(FileNotFoundError):  # others may be at work there
            yield file.stat().st_size
