"""What all tests share: one Spark session, and a warehouse of its own for each test."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from segmentation.config.spark import SparkSettings
from segmentation.runtime import small_work
from segmentation.runtime.spark import get_spark
from tests.finished import FinishedShop, finish_shop

_FOR_TESTS = {
    "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -Xms2g -XX:MetaspaceSize=512m",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
}

_COMPILED = bool(os.environ.get("SEGMENTATION_TESTS_COMPILE"))
"""Whether to compile all the same, as users' larger runs do: what only generated code does wrong is found so."""

_FIRST = ("test_from_python.py", "test_world.py")
"""What makes the finished shop, so that no process has to wait for it, and beside it what takes longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that are wanted early come first; the others stay in the order of their names."""
    items.sort(key=lambda item: _FIRST.index(item.path.name) if item.path.name in _FIRST else len(_FIRST))


@pytest.fixture(scope="session", autouse=True)
def _utc() -> None:
    """Python's own local time is UTC too, so that a timestamp in a test means the same in and out of Spark."""
    os.environ["TZ"] = "UTC"
    time.tzset()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One session for all tests, started when the first test asks for it."""
    scratch = tmp_path_factory.mktemp("spark")
    session = get_spark(
        SparkSettings(
            master="local[2]",
            driver_memory="4g",
            conf={
                **_FOR_TESTS,
                **({} if _COMPILED else small_work.LIGHTLY),
                "spark.local.dir": str(scratch),
                "spark.sql.warehouse.dir": str(scratch / "warehouse"),
            },
        )
    )
    session.sparkContext.setCheckpointDir(str(scratch / "checkpoints"))
    yield session
    session.stop()


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """What is small is interpreted, unless everything is to be compiled."""
    if _COMPILED:
        small_work.SMALL = 0


@pytest.fixture(autouse=True)
def _nothing_cached() -> Iterator[None]:
    """No test reads what another has cached, nor does what one leaves cached fill the memory of all."""
    yield
    if (session := SparkSession.getActiveSession()) is not None:
        session.catalog.clearCache()


@pytest.fixture
def warehouse_path(tmp_path: Path) -> Path:
    """An empty folder for the tables of one test."""
    return tmp_path / "warehouse"


@pytest.fixture(scope="session")
def finished_shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> FinishedShop:
    """The made shop after its pipeline has run, which takes long and is done once, in whichever process asks first."""
    own = tmp_path_factory.getbasetemp()
    return finish_shop(own if worker_id == "master" else own.parent)
