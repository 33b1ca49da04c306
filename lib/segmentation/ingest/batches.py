"""Batches: which files a source delivers that are not taken in yet, and what came of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.errors import ConfigError, InputError
from segmentation.ingest.conform import REASONS, WARNINGS, Conformed
from segmentation.ingest.erased import ERASED
from segmentation.ingest.files import SourceFile

PLANNED, DONE, SET_ASIDE = "planned", "done", "set_aside"


@dataclass(frozen=True)
class Batch:
    """New files of one source, taken in together. The same files are always the same batch."""

    source: str
    files: tuple[SourceFile, ...]
    seq: int
    at: datetime
    repairs: str | None = None
    """The batch whose refused rows these files have, repaired; None: they are the source's own."""

    @property
    def id(self) -> str:
        said = [self.source, *(f"{file.path}\n{file.stamp}" for file in sorted(self.files))]
        if self.repairs is not None:
            said.append(self.repairs)
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Counts:
    """Rows of a batch, by what becomes of them."""

    read: int
    good: int
    quarantined: int
    reasons: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Entry:
    """What the ledger says of one batch."""

    batch: Batch
    is_done: bool
    schema: str | None
    """The source's columns in it, as DDL."""
    last: date | None = None
    """Date of its newest event."""
    is_set_aside: bool = False
    """Whether its files could not be read, and were left alone."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """What the values of its columns of text looked like, see `find_kinds`."""


@dataclass(frozen=True)
class Ledger:
    """What `ingest_batches` says: every batch, in the order of arrival."""

    entries: tuple[Entry, ...]

    @cached_property
    def done(self) -> Mapping[str, frozenset[tuple[str, str]]]:
        """Source -> path and stamp of each file that was taken in, or set aside."""
        found: dict[str, set[tuple[str, str]]] = {}
        for entry in self.entries:
            if entry.is_done or entry.is_set_aside:
                files = found.setdefault(entry.batch.source, set())
                files.update((file.path, file.stamp) for file in entry.batch.files)
        return {source: frozenset(files) for source, files in found.items()}

    @property
    def begun(self) -> tuple[Batch, ...]:
        """Batches that were begun and not finished."""
        return tuple(entry.batch for entry in self.entries if not entry.is_done and not entry.is_set_aside)

    @property
    def last_seq(self) -> int:
        """The last number that was given."""
        return self.entries[-1].batch.seq if self.entries else 0

    @cached_property
    def newest(self) -> Mapping[str, date]:
        """Source -> date of its newest event."""
        found: dict[str, date] = {}
        for entry in self.entries:
            if entry.is_done and entry.last is not None:
                found[entry.batch.source] = max(entry.last, found.get(entry.batch.source, entry.last))
        return found

    def new_files(self, source: str, files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
        """Those that were neither taken in nor set aside."""
        known = self.done.get(source, frozenset())
        return tuple(file for file in files if (file.path, file.stamp) not in known)

    def without_set_aside(self, source: str, files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
        """Those of which it is not known that they cannot be read."""
        entries = [entry for entry in self.entries if entry.is_set_aside and entry.batch.source == source]
        aside = {(file.path, file.stamp) for entry in entries for file in entry.batch.files}
        return tuple(file for file in files if (file.path, file.stamp) not in aside)

    def before(self, batch: Batch) -> Entry | None:
        """The source's delivery before this one; None: there is none."""
        earlier = [entry for entry in self.deliveries(batch.source) if entry.batch.seq < batch.seq]
        return earlier[-1] if earlier else None

    def schema_before(self, batch: Batch) -> str | None:
        """The source's columns in its delivery before this one, as DDL; None: there is none."""
        earlier = self.before(batch)
        return earlier.schema if earlier else None

    def deliveries(self, source: str) -> list[Entry]:
        """A source's own batches that were read, without those of repaired rows."""
        own = [entry for entry in self.entries if entry.batch.source == source and not entry.is_set_aside]
        return [entry for entry in own if entry.batch.repairs is None]

    def find(self, batch_id: str) -> Entry:
        """What is said of one batch. Raises `ConfigError` if there is none."""
        for entry in self.entries:
            if entry.batch.id == batch_id:
                return entry
        raise ConfigError(
            f"There is no batch '{batch_id}': `segmentation show ingest_batches` lists those that were taken in."
        )

    def begin_again(self, batch_id: str, at: datetime) -> Ledger:
        """The ledger as if this batch had been begun only, at this time. Raises `ConfigError` if there is none."""
        again = self.find(batch_id)
        begun = replace(again, batch=replace(again.batch, at=at), is_done=False, is_set_aside=False)
        return Ledger(tuple(begun if entry is again else entry for entry in self.entries))


def read_ledger(ingest_batches: DataFrame) -> Ledger:
    """The ledger from the table. One row a batch comes to the driver, with the names of its files."""
    taken = ("files", "file_stamps")
    said = ("source_schema", "source_kinds", "max_event_date", "repairs")
    columns = ("batch_seq", "source", "status", *taken, "ingested_ts", *said)
    entries = []
    for row in ingest_batches.select(*columns).orderBy("batch_seq").collect():
        files = tuple(map(SourceFile, row["files"] or (), row["file_stamps"] or ()))
        batch = Batch(row["source"], files, row["batch_seq"], row["ingested_ts"], row["repairs"])
        status, schema, last = row["status"], row["source_schema"], row["max_event_date"]
        kinds = row["source_kinds"] or {}
        entries.append(Entry(batch, status == DONE, schema, last, status == SET_ASIDE, kinds))
    return Ledger(tuple(entries))


def count_rows(conformed: Conformed) -> Counts:
    """The counts of a batch, in one pass."""
    good = F.size(REASONS) == 0
    totals = [
        F.count("*").alias("read"),
        F.count_if(good).alias("good"),
        F.min(F.when(good, F.col("event_date"))).alias("first"),
        F.max(F.when(good, F.col("event_date"))).alias("last"),
    ]
    each = [
        F.count_if(F.array_contains(column, name)).alias(f"{column} {name}")
        for column, names in ((REASONS, conformed.reasons), (WARNINGS, conformed.warnings))
        for name in names
    ]
    row = conformed.df.agg(*totals, *each).first()
    assert row is not None, "an aggregate over everything gives one row"

    def found(column: str, names: Sequence[str]) -> dict[str, int]:
        return {name: row[f"{column} {name}"] for name in names if row[f"{column} {name}"]}

    return Counts(
        read=row["read"],
        good=row["good"],
        quarantined=row["read"] - row["good"],
        reasons=found(REASONS, conformed.reasons),
        warnings=found(WARNINGS, conformed.warnings),
        first=row["first"],
        last=row["last"],
    )


def judge(batch: Batch, counts: Counts, conformed: Conformed, max_bad_share: float) -> None:
    """Raises `InputError` for a batch that is refused whole; nothing of it has been written then."""
    fatal = {name: counts.reasons[name] for name in conformed.fatal if name in counts.reasons}
    if fatal:
        raise InputError(
            f"Source '{batch.source}': {listed(fatal)} of {counts.read:,} rows break a rule of severity fail; nothing "
            "of this batch was taken in. Repair the files, or change the rule."
        )
    bad = counts.quarantined - counts.reasons.get(ERASED, 0)
    if counts.read and bad / counts.read > max_bad_share:
        raise InputError(
            f"Source '{batch.source}': {bad:,} of {counts.read:,} rows are bad "
            f"({listed(counts.reasons)}), "
            f"more than max_bad_share {max_bad_share:g} allows; nothing of this batch was taken in."
        )


def listed(reasons: Mapping[str, int]) -> str:
    """`no_identifier 12, bad_event_ts 3`, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)
