"""What the sources deliver now: their files opened and their mappings checked, all before anything is written."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from segmentation.config.settings import Settings
from segmentation.config.sources import Source
from segmentation.contracts.errors import ConfigError, InputError, Problem, UnreadableError
from segmentation.ingest.batches import Batch, Ledger
from segmentation.ingest.files import SourceFile, list_files
from segmentation.ingest.mapping import Mapping, check_mapping, quoted
from segmentation.ingest.reading import SourceRows, describe_rows, read_rows
from segmentation.ingest.repairs import read_repaired
from segmentation.ingest.stream import STREAM, follow
from segmentation.ingest.topics import parse_messages
from segmentation.ingest.unreadable import Unreadable, read_or_set_aside, without_unreadable
from segmentation.privacy.key import load_key


@dataclass(frozen=True)
class Delivery:
    """Files of one source that belong to one batch, opened."""

    files: tuple[SourceFile, ...]
    rows: SourceRows
    mapping: Mapping
    batch: Batch | None = None
    """A batch that was begun and not finished; None: a new one."""
    notes: tuple[str, ...] = ()
    """What is odd about it, whatever its rows say."""

    @property
    def source(self) -> Source:
        return self.mapping.source

    @property
    def schema(self) -> str:
        """The source's own columns in these files, as DDL."""
        own: Any = self.rows.df.select(*(quoted(column) for column in self.rows.own))._jdf
        return str(own.schema().toDDL())


def open_deliveries(spark: SparkSession, settings: Settings, ledger: Ledger) -> list[Delivery | Unreadable]:
    """Every unfinished batch, then for each source its new files, and which of these are set aside; of sources that are
    streams see `follow_deliveries`.

    Raises `ConfigError` with all problems of all mappings, also of sources that deliver nothing new; then `InputError`
    for the first source whose files are missing or cannot be read.
    """
    problems: list[Problem] = []
    failures: list[InputError] = []
    begun: list[Delivery] = []
    new: list[Delivery | Unreadable] = []
    for number, source in enumerate(settings.sources):
        try:
            groups = _groups(spark, source, ledger)
        except InputError as error:
            failures.append(error)
            groups = [(None, ())]
        for batch, files in groups:
            is_new = batch is None and source.stream is None and bool(ledger.new_files(source.name, files))
            rows: SourceRows | None = None
            unreadable: tuple[SourceFile, ...] = ()
            if files and not failures:
                try:
                    if is_new:
                        rows, unreadable = read_or_set_aside(spark, source, files)
                    else:
                        rows = read_rows(spark, source, files)
                except InputError as error:
                    # What was set aside, or is about to be by a stream, was only looked at to check the mapping.
                    is_damaged = isinstance(error, UnreadableError) and source.unreadable == "set_aside"
                    if batch is not None or is_new or not is_damaged:
                        failures.append(error)
            mapping, found = check_mapping(spark, source, f"sources.{number}.columns", settings.identity, rows)
            problems += [problem for problem in found if problem not in problems]
            if unreadable:
                new.append(Unreadable(source, unreadable, len(files)))
            if rows is not None and batch is not None:
                begun.append(Delivery(tuple(files), rows, mapping, batch))
            elif rows is not None and is_new:
                new.append(Delivery(tuple(file for file in files if file not in unreadable), rows, mapping))
    if problems:
        raise ConfigError(problems)
    if failures:
        raise failures[0]
    unknown = sorted({batch.source for batch in ledger.begun} - {source.name for source in settings.sources})
    if unknown:
        raise InputError(
            f"A batch of source '{unknown[0]}' was begun and not finished, and the configuration has no such "
            "source any more: put it back for one run."
        )
    return [*begun, *new]


def without_damaged(
    spark: SparkSession, settings: Settings, delivery: Delivery, error: UnreadableError
) -> tuple[Delivery | None, Unreadable]:
    """What is left of a new delivery of which only its rows showed that a file cannot be read (`error`), and which
    those are. Raises the error where its source refuses such files, or where it is no new delivery; `ConfigError`
    where the mapping does not fit the rest."""
    source, files = delivery.source, delivery.files
    if delivery.batch is not None or delivery.rows.is_masked:
        raise error
    rows, unreadable = without_unreadable(spark, source, files, error)
    aside = Unreadable(source, unreadable, len(files))
    if rows is None:
        return None, aside
    key = f"sources.{settings.sources.index(source)}.columns"
    mapping, problems = check_mapping(spark, source, key, settings.identity, rows)
    if problems:
        raise ConfigError(problems)
    return Delivery(tuple(file for file in files if file not in unreadable), rows, mapping), aside


def open_repaired(
    spark: SparkSession, settings: Settings, ledger: Ledger, batch: Batch, quarantine: DataFrame, is_begun: bool
) -> Delivery | None:
    """Repaired rows that are to be taken in as `batch`; None: all were handed in before. One that was begun and not
    finished (`is_begun`) is delivered also where no row of it waits any more, so that it can be finished.

    Raises `ConfigError` for a mapping that is wrong, `InputError` where the source is gone from the configuration, or
    the rows are not what they should be (`read_repaired`).
    """
    assert batch.repairs is not None, "a batch of repaired rows"
    number = next((n for n, source in enumerate(settings.sources) if source.name == batch.source), None)
    if number is None:
        raise InputError(
            f"Batch '{batch.repairs}' is of the source '{batch.source}', which the configuration does not have any "
            "more: put it back for one run."
        )
    source, schema = settings.sources[number], ledger.find(batch.repairs).schema or ""
    found = read_repaired(spark, source, batch.files, schema, quarantine, batch.repairs, batch.id, is_begun)
    mapping, problems = check_mapping(spark, source, f"sources.{number}.columns", settings.identity, found.rows)
    if problems:
        raise ConfigError(problems)
    before = found.lines - found.waiting
    notes = (f"{before:,} rows were handed in before, or are no refused rows any more",) if before else ()
    known = next((entry.batch for entry in ledger.entries if entry.batch.id == batch.id), None)
    return Delivery(batch.files, found.rows, mapping, known, notes) if found.waiting or is_begun else None


def follow_deliveries(
    spark: SparkSession, settings: Settings, ledger: Ledger, source: Source, checkpoint: str
) -> Generator[Sequence[Delivery | Unreadable]]:
    """What came to a source that is a stream since the checkpoint: a list for each batch of it, of the delivery and of
    what was set aside of it.

    A delivery counts as taken in once the next one is asked for. What the ledger has is left out: a run may have been
    killed between the two. Raises as `open_deliveries`, and `InputError` where the source cannot be followed.
    """
    key = f"sources.{settings.sources.index(source)}.columns"
    before = next((entry.schema for entry in reversed(ledger.deliveries(source.name))), None)
    with closing(follow(spark, source, checkpoint)) as stream:
        for files, added in stream:
            new = ledger.new_files(source.name, files)
            if not new:
                continue
            rows: SourceRows | None
            unreadable: tuple[SourceFile, ...] = ()
            if added is None:
                rows, unreadable = read_or_set_aside(spark, source, new)
            else:
                parsed = parse_messages(spark, source, added, before) if source.format == "kafka" else added
                rows = describe_rows(spark, source, parsed)
            found: list[Delivery | Unreadable] = []
            if rows is not None:
                mapping, problems = check_mapping(spark, source, key, settings.identity, rows)
                if problems:
                    raise ConfigError(problems)
                good = tuple(file for file in new if file not in unreadable)
                begun = (batch for batch in ledger.begun if batch.source == source.name and batch.files == good)
                delivery = Delivery(good, rows, mapping, next(begun, None))
                before = delivery.schema
                found.append(delivery)
            yield [*found, Unreadable(source, unreadable, len(new))] if unreadable else found


def validate_sources(spark: SparkSession, settings: Settings) -> list[Problem]:
    """Every problem of every mapping, found without taking anything in; files that are missing are none of these."""
    problems: list[Problem] = []
    for number, source in enumerate(settings.sources):
        try:
            rows = read_rows(spark, source, list_files(spark, source)[-1:])
        except InputError:
            rows = None
        problems += check_mapping(spark, source, f"sources.{number}.columns", settings.identity, rows)[1]
    return problems


def needed_key(settings: Settings) -> bytes | None:
    """The key of the tokens, where a source maps a personal identifier. Raises `ConfigError` when it is missing."""
    return load_key() if settings.maps_personal_identifiers else None


def _groups(spark: SparkSession, source: Source, ledger: Ledger) -> list[tuple[Batch | None, Sequence[SourceFile]]]:
    """Files to open together: those of an unfinished batch, and the new ones; else the newest, to check the mapping."""
    listed = _there(spark, source)
    groups: list[tuple[Batch | None, Sequence[SourceFile]]] = []
    taken: set[tuple[str, str]] = set()
    for batch in ledger.begun:
        is_streamed = batch.files[0].stamp.startswith(STREAM)
        if batch.source == source.name and batch.repairs is None and not is_streamed:
            groups.append((batch, _still_there(source, batch, listed)))
            taken |= {(file.path, file.stamp) for file in batch.files}
    new = [file for file in ledger.new_files(source.name, listed) if (file.path, file.stamp) not in taken]
    if source.stream is not None:
        new = []
    if new or not groups:
        groups.append((None, new or ledger.without_set_aside(source.name, listed)[-1:]))
    return groups


def _there(spark: SparkSession, source: Source) -> list[SourceFile]:
    """The files of a source; of a stream that nothing came to yet, none."""
    try:
        return list_files(spark, source)
    except InputError:
        if source.stream is None:
            raise
        return []


def _still_there(source: Source, batch: Batch, listed: Sequence[SourceFile]) -> list[SourceFile]:
    if source.format == "delta":
        return list(batch.files)
    by_name = {(file.path, file.stamp): file for file in listed}
    gone = [file.path for file in batch.files if (file.path, file.stamp) not in by_name]
    if gone:
        raise InputError(
            f"Source '{source.name}': a batch is to be taken in again, and its file '{gone[0]}' is gone or has changed "
            "since: put it back as it was, then start again."
        )
    return [by_name[file.path, file.stamp] for file in batch.files]
