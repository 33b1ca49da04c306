"""A warehouse scored against the simulated world that its events are from."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame

from segmentation.bed.score import Score, Tables, Truth, score_world
from segmentation.config.settings import Settings
from segmentation.runtime.warehouse import Warehouse


def score_warehouse(warehouse: Warehouse, settings: Settings, truth: Truth, as_of: date | None) -> Score:
    """Every figure that the tables allow; see `score_world`. `as_of` is the date that the run was for."""

    def read(name: str) -> DataFrame | None:
        return warehouse.read(name) if warehouse.exists(name) else None

    return score_world(Tables(read, warehouse.read, as_of), truth, settings)
