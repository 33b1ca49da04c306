"""Whether everything that a run needs is there, and what to do about what is not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from segmentation.config.paths import is_catalog
from segmentation.config.settings import Settings
from segmentation.config.spark import SparkSettings
from segmentation.contracts.errors import SegmentationError
from segmentation.privacy.key import load_key
from segmentation.runtime.jars import jar_paths, java
from segmentation.runtime.runner import describe
from segmentation.runtime.spark import get_spark, session_for

_GIB = 1024**3
_LEAST_FREE_DISK = 2 * _GIB


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is as it must be, what was found, and what to do if it is not."""

    what: str
    ok: bool
    found: str
    advice: str = ""


def examine(settings: Settings | None) -> list[Finding]:
    """Looks at the machine and, where there are settings, at what they name."""
    spark = settings.spark if settings else SparkSettings()
    findings = [
        _python(),
        _java(),
        _attempt("jars", lambda: _jars(spark), "run scripts/setup"),
        _memory(spark),
        _disk(settings),
    ]
    if settings and (settings.maps_personal_identifiers or settings.has_control_groups):
        findings.append(_attempt("key", lambda: _key(settings), "see the README on keys"))
    if all(finding.ok for finding in findings if finding.what in {"Java", "jars"}):
        findings.append(_attempt("Spark", lambda: _starts(spark), "look at the `spark` section of the configuration"))
        if findings[-1].ok:
            advice = "see that the folder exists, and that you may write to it"
            findings.append(_attempt("warehouse", lambda: _warehouse(settings), advice))
    return findings


def _attempt(what: str, look: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(what, True, look())
    except SegmentationError as error:
        return Finding(what, False, describe(error))
    except Exception as error:  # whatever it is, it is what is wrong
        return Finding(what, False, describe(error), advice)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), f"{found} in {sys.prefix}", "use Python 3.11 or newer")


def _java() -> Finding:
    advice = "install Java 17 or newer, or point JAVA_HOME to one"
    try:
        said = subprocess.run([java(), "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return Finding("Java", False, "not found", advice)
    version = re.search(r'version "([\d._]+)', said)
    major = int(version[1].split(".")[0]) if version else 0
    return Finding("Java", major >= 17, version[1] if version else "of unknown version", advice)


def _jars(spark: SparkSettings) -> str:
    return ", ".join(path.name for path in jar_paths(spark.packages))


def _memory(spark: SparkSettings) -> Finding:
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    asked = int(spark.driver_memory[:-1]) * {"m": 1024**2, "g": _GIB}[spark.driver_memory[-1]]
    found = f"{there / _GIB:.1f} GiB, of which Spark may use {asked / _GIB:.1f}"
    return Finding("memory", asked < there, found, "lower spark.driver_memory")


def _disk(settings: Settings | None) -> Finding:
    """Free space where the tables go, or, for one elsewhere, where Spark puts what does not fit into memory."""
    local = settings is not None and "://" not in settings.warehouse and not is_catalog(settings.warehouse)
    folder = Path(settings.warehouse) if settings and local else Path(tempfile.gettempdir())
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    return Finding("disk", free >= _LEAST_FREE_DISK, f"{free / _GIB:.1f} GiB free in {there}", "free at least 2 GiB")


def _key(settings: Settings) -> str:
    load_key()
    return "there, for the tokens of personal identifiers and for control groups"


def _starts(settings: SparkSettings) -> str:
    spark = get_spark(settings)
    rows = spark.range(10).count()
    assert rows == 10, "Spark counts"
    spark.sparkContext._jvm.java.lang.Class.forName("org.graphframes.GraphFrame")  # type: ignore[union-attr]
    return f"{spark.version}, {spark.sparkContext.master}, with GraphFrames"


def _warehouse(settings: Settings | None) -> str:
    """Writes a table where the tables are, reads it, and takes it away again."""
    spark = session_for(settings) if settings else get_spark(SparkSettings())
    with _place_for_a_table(settings.warehouse if settings else None) as name:
        rows = spark.range(10)
        if settings and is_catalog(settings.warehouse):
            rows.write.format("delta").saveAsTable(name)
            read = spark.read.table(name).count()
            spark.sql(f"DROP TABLE {name}")
        else:
            rows.write.format("delta").save(name)
            read = spark.read.format("delta").load(name).count()
            _remove(spark, name)
    assert read == 10, "what was written is read"
    return f"Delta writes and reads in {settings.warehouse if settings else 'a temporary folder'}"


@contextmanager
def _place_for_a_table(warehouse: str | None) -> Iterator[str]:
    name = f"doctor_{uuid.uuid4().hex[:12]}"
    if warehouse is None:
        with tempfile.TemporaryDirectory() as folder:
            yield f"{folder}/{name}"
    else:
        yield f"{warehouse}.{name}" if is_catalog(warehouse) else f"{warehouse.rstrip('/')}/_{name}"


def _remove(spark: SparkSession, path: str) -> None:
    place = spark.sparkContext._jvm.org.apache.hadoop.fs.Path(path)  # type: ignore[union-attr]
    place.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(place, True)
