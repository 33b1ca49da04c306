"""One small world for all tests of this room, with every hazard turned up so that few people show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from segmentation.bed.knobs import World
from segmentation.bed.world import simulate

KNOBS = {
    "seed": 11,
    "people": 60,
    "days": 42,
    "population": {"change_segment": 0.3, "change_day": 20, "second_email": 0.3, "shared_email": 0.5},
    "devices": {"kiosk_people": 0.5, "people_per_kiosk": 30, "kiosk_visits": 0.5, "recycled_cookies": 0.8,
                "shared_tablet": 1.0, "tablet_visits": 0.6},
    "typing": {"placeholder": 0.05, "typo": 0.1, "plus_tag": 0.1, "anonymous_receipt": 0.2,
               "spelled_otherwise": 0.8},
    "disorder": {"late": 0.1, "duplicate": 0.05, "near_duplicate": 0.05, "malformed": 0.05, "wrong_clock": 0.5,
                 "source_clocks": {"pos": 5, "app": -3}, "long_pause": 0.2, "drift_day": 21},
    "season": {"spike_day": 30, "spike": 20},
    "intruders": {"bots_per_thousand": 50, "bot_events": 60, "tests_per_thousand": 50},
    "consent": {"withdraw": 0.5, "agree_later": 0.5, "erase": 0.2},
    "campaign": {"day": 25, "window_days": 7},
    "crm_twice": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class WrittenWorld:
    """A world, and where it is."""

    world: World
    folder: Path
    spark: SparkSession

    def truth(self, name: str) -> DataFrame:
        return self.spark.read.parquet(str(self.folder / "truth" / name))


@pytest.fixture(scope="session")
def written(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> WrittenWorld:
    folder = tmp_path_factory.mktemp("written") / "world"
    world = World.model_validate(KNOBS)
    simulate(spark, world, str(folder), partitions=1)
    return WrittenWorld(world, folder, spark)
