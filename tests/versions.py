"""A warehouse that has features, and the stages that make versions of segments of them."""

from __future__ import annotations

import json
from copy import copy
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from segmentation.config.settings import Settings
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.stage import Stage
from segmentation.runtime.warehouse import Warehouse
from tests.factories import minimal_settings
from tests.people import AS_OF, feature_rows

QUICK = {"algorithms": ["kmeans"], "k": {"min": 4, "max": 4}, "stability": {"refits": 0}}


class World:
    """One warehouse with features, and the stages that make versions of them."""

    def __init__(self, spark: SparkSession, folder: Path, **changes: Any) -> None:
        self.spark, self.folder = spark, folder
        self.settings = minimal_settings(
            warehouse=str(folder), clustering=QUICK | changes.pop("clustering", {}), **changes
        )

    def with_changes(self, changes: dict[str, Any]) -> World:
        """The same warehouse, by a configuration in which these keys (with dots) have other values."""
        values = json.loads(self.settings.model_dump_json(exclude_defaults=True))
        for key, value in changes.items():
            *sections, last = key.split(".")
            inner = values
            for section in sections:
                inner = inner.setdefault(section, {})
            inner[last] = value
        other = copy(self)
        other.settings = Settings.model_validate(values)
        return other

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.spark, str(self.folder))

    def measure(self, people: pd.DataFrame, as_of: date) -> None:
        self.warehouse.replace_slice("features", feature_rows(self.spark, people, as_of), as_of=as_of)

    def run(self, *stages: Stage, as_of: date = AS_OF, settings: Settings | None = None, **options: Any) -> list[str]:
        request = Request(as_of, options)
        return [
            report.message
            for report in run_stages(self.spark, settings or self.settings, stages, request, Progress("json"))
        ]

    def table(self, name: str) -> pd.DataFrame:
        return DeltaTable(self.folder / name).to_pandas()

    def versions(self) -> pd.DataFrame:
        return self.table("segment_versions").set_index("segment_version").sort_index()

    def delta_versions(self) -> dict[str, int]:
        names = ("models", "segments", "segment_changes", "segment_profiles", "segment_versions", "segments_current")
        return {name: DeltaTable(self.folder / name).version() for name in names}

    def cli(self, *arguments: str) -> int:
        config = self.folder.parent / "config.yml"
        config.write_text(yaml.safe_dump(json.loads(self.settings.model_dump_json(exclude_defaults=True))))
        return run_command([*arguments, "--config", str(config)])
