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
import zipfile
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
    # For deliveries: to a table of PostgreSQL, and to an SFTP server.
    "org.postgresql:postgresql:42.7.8",
    "com.github.mwiede:jsch:2.27.7",
)
"""Maven coordinates; `spark.packages` in the configuration takes their place, and may also name local jar files."""


OPENLINEAGE = ("io.openlineage:openlineage-spark_2.13:1.37.0",)
"""What `spark.openlineage` needs beside them: with all that it needs inside, and only fetched when asked for."""


KAFKA = (
    f"org.apache.spark:spark-sql-kafka-0-10_2.13:{pyspark.__version__}",
    f"org.apache.spark:spark-token-provider-kafka-0-10_2.13:{pyspark.__version__}",
    "org.apache.kafka:kafka-clients:3.9.1",
    "org.apache.commons:commons-pool2:2.12.1",
)
"""What sources of `format: kafka` need beside them, and only fetched when asked for."""


def jar_folder() -> Path:
    """Where fetched jars are kept: `SEGMENTATION_JARS`, or a folder of the virtual environment."""
    return Path(os.environ.get("SEGMENTATION_JARS") or Path(sys.prefix) / "share" / "segmentation" / "jars")


def jar_paths(packages: Sequence[str] = ()) -> list[Path]:
    """The jar file of each coordinate or path. Raises `ConfigError` naming those that are not there."""
    wanted = {package: _place(package) for package in packages or COORDINATES}
    missing = [package for package, path in wanted.items() if not path.is_file()]
    for package in missing:
        if _is_file_name(package):
            raise ConfigError(f"spark.packages names the jar file '{package}', which does not exist.")
    if missing:
        command = " ".join(["python -m segmentation.runtime.jars", *packages])
        how = f"`{command}`" if packages else f"scripts/setup, or `{command}`,"
        raise ConfigError(f"Jars are missing ({' '.join(missing)}): run {how} once.")
    return list(wanted.values())


def fetch(packages: Sequence[str] = ()) -> list[str]:
    """Fetches the jars that are not there yet and returns their coordinates. Raises `ConfigError`."""
    missing = [c for c in packages or COORDINATES if not _is_file_name(c) and not _place(c).is_file()]
    for coordinate in missing:
        with tempfile.TemporaryDirectory() as scratch:
            found = _download(coordinate, Path(scratch))
            target = _place(coordinate)
            target.parent.mkdir(parents=True, exist_ok=True)
            # Under its own name only when it is whole, whoever else fetches or reads at the same time.
            aside = target.with_name(f".{target.name}.{os.getpid()}")
            shutil.copyfile(found, aside)
            aside.replace(target)
    return missing


def _is_file_name(package: str) -> bool:
    return package.endswith(".jar")


def _place(package: str) -> Path:
    if _is_file_name(package):
        return Path(package).expanduser().absolute()
    _, artifact, version = _parts(package)
    return jar_folder() / f"{artifact}-{version}.jar"


def _parts(coordinate: str) -> list[str]:
    parts = coordinate.split(":")
    if len(parts) != 3 or not all(parts):
        raise ConfigError(
            f"'{coordinate}' in spark.packages is neither group:artifact:version nor a path ending in .jar."
        )
    return parts


def _download(coordinate: str, folder: Path) -> Path:
    """The jar of one coordinate, fetched into `folder` by the Ivy that Spark carries."""
    command = [
        *(java(), "-cp", str(Path(pyspark.__file__).parent / "jars" / "*"), "org.apache.ivy.Main"),
        *("-m2compatible", "-warn", "-notransitive", "-confs", "default", "-types", "jar"),
        *("-cache", str(folder / "cache"), "-dependency", *_parts(coordinate)),
        *("-retrieve", str(folder / "[artifact]-[revision].[ext]")),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ConfigError("Java was not found: install Java 17 or newer, or point JAVA_HOME to one.") from None
    found = folder / _place(coordinate).name
    if found.is_file() and zipfile.is_zipfile(found):
        return found
    if "UNRESOLVED" in done.stdout and ":::: ERRORS" not in done.stdout:
        raise ConfigError(f"Maven Central has no jar {coordinate}: see that it is spelt right and released.")
    raise ConfigError(f"Could not fetch {coordinate} from Maven Central: see that it can be reached, then try again.")


def java() -> str:
    """The Java that Spark starts."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


if __name__ == "__main__":
    try:
        fetched = fetch(sys.argv[1:])
    except ConfigError as error:
        sys.exit(str(error))
    sys.stdout.write("".join(f"fetched {coordinate}\n" for coordinate in fetched))
