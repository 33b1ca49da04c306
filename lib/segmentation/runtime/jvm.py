"""The Java process behind a session of our own: started quickly, and without noise.

Class-data sharing: Java can map the classes that a run of Spark and Delta needs from an archive, instead of reading
and verifying them at each start. `segmentation.runtime.warm` makes the archive once; where it is missing, or was
made by another Java or for other jars, Java passes over it without a word.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path

from py4j.java_gateway import JavaGateway
from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway

from segmentation.runtime.jars import jar_folder

_PATIENT = (
    "-XX:Tier4InvocationThreshold=15000 -XX:Tier4MinInvocationThreshold=2000 -XX:Tier4CompileThreshold=45000 "
    "-XX:Tier4BackEdgeThreshold=120000"
)
"""Three times Java's own patience before it compiles a method at its best: most of planning runs too seldom to be worth
that, and what goes over rows gets there at once all the same."""

_LONG_METHODS = "-XX:-DontCompileHugeMethods"
"""Java leaves methods beyond 8,000 bytes of code uncompiled, however often they run, and Spark writes such: of a stage
of many long expressions, where scoring people took seven times as long. Not to fuse such a stage (Spark's
`hugeMethodLimit`) would write each row anew at each of its steps: half as much again for conforming events."""

_COLLECTOR = "-XX:+UseParallelGC -XX:GCTimeRatio=12"
"""Nobody waits for an answer while rows are gone over, so that collecting them beside the work is not worth its price:
a tenth of the processor time of taking events in, and of measuring them. Left to itself this collector would rather
take all memory that it may have than a hundredth of the time (7.0 GB in place of 3.8 for a million events); with this
ratio, the other's own, it is content with a thirteenth."""

_ROOM_FOR_CLASSES = "-XX:MetaspaceSize=300m"
"""Of these Spark and Delta fill some 250 MB. Java would start with 21, and look for some to forget at each step up."""

_JAVAS_OWN = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
"""Where Java itself looks for further options."""

ARCHIVE_IS_SILENT = "-Xlog:cds=off -Xlog:cds+dynamic=off"

_NOISE = (
    b"WARNING: Using incubator modules: jdk.incubator.vector",  # at each start: Spark asks for its vector instructions
    b"netlib-blas: JNI_OnLoad: dlopen",  # at each fit where there is no BLAS beside Java's own,
    b"netlib-lapack: JNI_OnLoad: dlopen",  # and at a mixture's where there is no LAPACK
)
"""What Java says that nobody has to act on."""


def archive_path() -> Path:
    """Where the archive of classes is kept."""
    return jar_folder().parent / "classes.jsa"


def java_options(own: str = "") -> str:
    """Options that make Java patient, and use the archive where there is one; then a user's `own`, which win.

    Where somebody else names a collector, none is named: of two Java takes neither, and does not start.
    """
    path = archive_path()
    archive = f'-XX:SharedArchiveFile="{path}" {ARCHIVE_IS_SILENT}' if path.is_file() else ""
    said = " ".join((own, *(os.environ.get(name, "") for name in _JAVAS_OWN)))
    collector = "" if re.search(r"-XX:\+Use\w+GC\b", said) else _COLLECTOR
    return " ".join(filter(None, (_PATIENT, _LONG_METHODS, collector, _ROOM_FOR_CLASSES, archive, own)))


def launch(conf: SparkConf) -> JavaGateway:
    """Starts Java for a session in local mode: this Python's own Spark and interpreter, whatever else is installed."""
    os.environ.pop("SPARK_HOME", None)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    reading, writing = os.pipe()
    threading.Thread(target=_pass_on, args=(reading,), daemon=True).start()
    try:
        return launch_gateway(conf, {"stderr": writing})  # type: ignore[no-untyped-call]
    finally:
        os.close(writing)


def _pass_on(pipe: int) -> None:
    """Java's standard error, line by line, without the noise."""
    with os.fdopen(pipe, "rb") as lines:
        for line in lines:
            if not line.startswith(_NOISE):
                os.write(2, line)
