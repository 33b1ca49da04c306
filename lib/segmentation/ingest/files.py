"""The files of a source, on any file system that Spark's Hadoop client knows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from segmentation.config.sources import Source
from segmentation.contracts.errors import InputError, UnreadableError
from segmentation.ingest.dialect import jvm

_PARQUET_MAGIC = {0x50415231, 0x50415245}
"""`PAR1`, and `PARE` where the footer is encrypted."""
_SHORTEST_PARQUET = 12
_THREADS = 8


@dataclass(frozen=True, order=True)
class SourceFile:
    """One file (for `delta`: the table at one version). One that is written anew has another stamp, and is another."""

    path: str
    stamp: str
    size: int = 0


def list_files(spark: SparkSession, source: Source) -> list[SourceFile]:
    """Every file that `source.path` (a file, folder or glob) matches, by path. Raises `InputError` if there is none, as
    of a topic."""
    match source.format:
        case "delta":
            found = _delta_version(spark, source)
        case "kafka":
            found = []
        case _:
            found = matching_files(spark, source.path)
    if not found:
        raise InputError(
            f"Source '{source.name}': no file matches '{source.path}'; check the path, or whether the delivery "
            "has come."
        )
    return sorted(found)


def unreadable_parquet(spark: SparkSession, files: Sequence[SourceFile]) -> list[SourceFile]:
    """Those that do not begin and end as Parquet does: truncated, or something else."""
    with ThreadPoolExecutor(_THREADS) as pool:
        good = pool.map(lambda file: _looks_like_parquet(spark, file), files)
        return [file for file, is_good in zip(files, good, strict=True) if not is_good]


def csv_headers(
    spark: SparkSession, source: Source, files: Sequence[SourceFile]
) -> dict[tuple[str, ...], list[SourceFile]]:
    """Column names -> the files that have them, in this order. A file without a line has none, and is left out."""
    with ThreadPoolExecutor(_THREADS) as pool:
        headers = list(pool.map(lambda file: _csv_header(spark, source, file), files))
    groups: dict[tuple[str, ...], list[SourceFile]] = {}
    for file, header in zip(files, headers, strict=True):
        if header:
            groups.setdefault(header, []).append(file)
    return groups


def matching_files(spark: SparkSession, path: str) -> list[SourceFile]:
    """Every file that a file, folder or glob matches, without what is hidden."""
    place, file_system = _open(spark, path)
    found: list[SourceFile] = []
    for status in file_system.globStatus(place) or ():
        root = status.getPath().toString()
        if status.isFile():
            found.append(_source_file(status))
        else:
            inside = file_system.listFiles(status.getPath(), True)
            while inside.hasNext():
                child = inside.next()
                if not _is_hidden(child.getPath().toString().removeprefix(root)):
                    found.append(_source_file(child))
    return found


def _delta_version(spark: SparkSession, source: Source) -> list[SourceFile]:
    from delta.tables import DeltaTable

    if not DeltaTable.isDeltaTable(spark, source.path):
        return []
    last = DeltaTable.forPath(spark, source.path).history(1).first()
    assert last is not None, "a Delta table has a history"
    return [SourceFile(source.path, f"version {last['version']}")]


def _open(spark: SparkSession, path: str) -> tuple[Any, Any]:
    place = jvm(spark).org.apache.hadoop.fs.Path(path)
    return place, place.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())


def _source_file(status: Any) -> SourceFile:
    size = int(status.getLen())
    return SourceFile(status.getPath().toString(), stamp_of(size, int(status.getModificationTime())), size)


def stamp_of(size: int, changed: int) -> str:
    """What tells a file from another of its name: bytes, and when it was written, in milliseconds."""
    return f"{size} bytes, changed {changed}"


def _is_hidden(inside: str) -> bool:
    """Spark's own rule: names that start with `_` or `.` are no data, but for partition folders (`_day=1`)."""
    parts = [part for part in inside.split("/") if part]
    return any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts)


def _looks_like_parquet(spark: SparkSession, file: SourceFile) -> bool:
    if file.size < _SHORTEST_PARQUET:
        return False
    place, file_system = _open(spark, file.path)
    stream = file_system.open(place)
    try:
        first = stream.readInt()
        stream.seek(file.size - 4)
        return first in _PARQUET_MAGIC and stream.readInt() in _PARQUET_MAGIC
    finally:
        stream.close()


def _csv_header(spark: SparkSession, source: Source, file: SourceFile) -> tuple[str, ...]:
    options = {key.lower(): str(value) for key, value in source.options.items()}
    line = _first_line(spark, file, options.get("encoding", options.get("charset", "UTF-8")), options.get("comment"))
    if line is None:
        return ()
    separator = options.get("sep", options.get("delimiter", ",")).replace("\\t", "\t")
    quote = options.get("quote", '"')
    if len(separator) > 1 or len(quote) != 1:
        names = line.split(separator)
    else:
        names = next(csv.reader([line], delimiter=separator, quotechar=quote))
    header = tuple(name or f"_c{position}" for position, name in enumerate(names))
    lowered = [name.lower() for name in header]
    twice = sorted({name for name in header if lowered.count(name.lower()) > 1})
    if twice:
        raise UnreadableError(
            f"Source '{source.name}': the header of '{file.path}' has the column '{twice[0]}' twice; name it apart."
        )
    return header


def _first_line(spark: SparkSession, file: SourceFile, encoding: str, comment: str | None) -> str | None:
    place, file_system = _open(spark, file.path)
    factory = jvm(spark).org.apache.hadoop.io.compress.CompressionCodecFactory(file_system.getConf())
    codec = factory.getCodec(place)
    stream = file_system.open(place)
    try:
        lines = stream if codec is None else jvm(spark).java.io.DataInputStream(codec.createInputStream(stream))
        while (line := lines.readLine()) is not None:
            # readLine gives one character a byte.
            text = str(line).encode("latin-1").decode(encoding, errors="replace").removeprefix("\ufeff")
            if text.strip() and not (comment and text.startswith(comment)):
                return text
        return None
    finally:
        stream.close()
