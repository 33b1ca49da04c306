"""The jars that Spark itself does not carry: where they come from, and where they are kept.

`python -m segmentation.runtime.jars` fetches them once into the virtual environment, so that no start of a
session asks a registry. Each is fetched without its dependencies, since Spark carries those already (resolving
them would add thirty jars, an older Jackson and a second Hadoop client among them).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyspark

from segmentation.contracts.errors import ConfigError

DELTA_VERSION = "4.4.0"
SPARK_MINOR = ".".join(pyspark.__version__.split(".")[:2])

COORDINATES = (
    f"io.delta:delta-spark_{SPARK_MINOR}_2.13:{DELTA_VERSION}",
    f"io.delta:delta-storage:{DELTA_VERSION}",
    # Carries GraphFrames 0.9.2 under its own class names; GraphFrames' own artifact does as well where it can be had.
    "org.apache.sedona:sedona-spark-shaded-4.0_2.13:1.8.0",
)
"""Maven coordinates; `spark.packages` in the configuration takes their place."""


def jar_folder() -> Path:
    """Where fetched jars are kept: `SEGMENTATION_JARS`, or a folder of the virtual environment."""
    return Path(os.environ.get("SEGMENTATION_JARS") or Path(sys.prefix) / "share" / "segmentation" / "jars")


def jar_paths(packages: Sequence[str] = ()) -> list[Path]:
    """The fetched jar of each coordinate. Raises `ConfigError` naming those that are not there."""
    wanted = {coordinate: jar_folder() / _file_name(coordinate) for coordinate in packages or COORDINATES}
    missing = [coordinate for coordinate, path in wanted.items() if not path.is_file()]
    if missing:
        names = " ".join(missing)
        raise ConfigError(
            f"Jars are missing ({names}): run `python -m segmentation.runtime.jars {' '.join(packages)}` once."
        )
    return list(wanted.values())


def fetch(packages: Sequence[str] = ()) -> list[str]:
    """Fetches the jars that are not there yet and returns their coordinates. Raises `ConfigError`."""
    folder = jar_folder()
    missing = [c for c in packages or COORDINATES if not (folder / _file_name(c)).is_file()]
    if missing:
        with tempfile.TemporaryDirectory() as scratch:
            script = Path(scratch) / "resolve.py"
            script.write_text(_RESOLVE, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, str(script), scratch, *missing], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise ConfigError(f"Could not fetch {' '.join(missing)} from Maven:\n{done.stderr[-2000:]}")
            folder.mkdir(parents=True, exist_ok=True)
            for coordinate in missing:
                group, artifact, version = coordinate.split(":")
                found = Path(scratch) / "ivy" / "jars" / f"{group}_{artifact}-{version}.jar"
                aside = folder / f".{_file_name(coordinate)}.part"
                shutil.copyfile(found, aside)
                aside.rename(folder / _file_name(coordinate))
    return missing


def _file_name(coordinate: str) -> str:
    try:
        _, artifact, version = coordinate.split(":")
    except ValueError:
        raise ConfigError(f"'{coordinate}' is not group:artifact:version.") from None
    return f"{artifact}-{version}.jar"


# Runs in a process of its own: Spark's Ivy reads its settings when the JVM starts.
_RESOLVE = """
import sys
from pyspark.sql import SparkSession
scratch, *coordinates = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.jars.ivy", scratch + "/ivy")
    .getOrCreate()
)
for coordinate in coordinates:
    spark.sql(f"ADD JAR 'ivy://{coordinate}?transitive=false'")
spark.stop()
"""


if __name__ == "__main__":
    try:
        fetched = fetch(sys.argv[1:])
    except ConfigError as error:
        sys.exit(str(error))
    sys.stdout.write("".join(f"fetched {coordinate}\n" for coordinate in fetched))
