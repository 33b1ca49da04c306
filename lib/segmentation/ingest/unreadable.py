"""Finding the files of a delivery that cannot be read, so that the others can be taken in without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import SparkSession

from segmentation.config.sources import Source
from segmentation.contracts.errors import EmptyError, UnreadableError
from segmentation.ingest.files import SourceFile
from segmentation.ingest.reading import SourceRows, explained, read_rows


@dataclass(frozen=True)
class Unreadable:
    """Files of one source that were set aside: they are looked at again when they have changed."""

    source: Source
    files: tuple[SourceFile, ...]
    among: int
    """Files that came, these among them."""

    @property
    def note(self) -> str:
        """What is said of them: the first by its name."""
        return (
            f"{len(self.files):,} of {self.among:,} files cannot be read as {self.source.format}, "
            f"'{self.files[0].path}' first, and are set aside until they come anew"
        )


def find_unreadable(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    """Those that cannot be read to their end, each by itself. Halves are read, so that a few bad ones among many good
    ones are found by reading each good one a few times, and not by a job a file."""
    if _is_readable(spark, source, files):
        return ()
    if len(files) == 1:
        return tuple(files)
    half = len(files) // 2
    return find_unreadable(spark, source, files[:half]) + find_unreadable(spark, source, files[half:])


def read_or_set_aside(
    spark: SparkSession, source: Source, files: Sequence[SourceFile]
) -> tuple[SourceRows | None, tuple[SourceFile, ...]]:
    """The rows of these files, without those that its source sets aside, and the latter; None: nothing is left.

    Raises `UnreadableError` where the source refuses such files, or where each can be read and all together cannot.
    """
    try:
        return read_rows(spark, source, files), ()
    except UnreadableError as error:
        return without_unreadable(spark, source, files, error)


def without_unreadable(
    spark: SparkSession, source: Source, files: Sequence[SourceFile], error: UnreadableError
) -> tuple[SourceRows | None, tuple[SourceFile, ...]]:
    """The same for files that could not be read for what `error` says."""
    bad = find_unreadable(spark, source, files) if source.unreadable == "set_aside" else ()
    if not bad:
        raise error
    good = [file for file in files if file not in bad]
    try:
        return (read_rows(spark, source, good) if good else None), bad
    except EmptyError:
        return None, bad


def _is_readable(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> bool:
    try:
        with explained(source, files):
            read_rows(spark, source, files).df.write.format("noop").mode("overwrite").save()
    except EmptyError:
        return True
    except UnreadableError:
        return False
    return True
