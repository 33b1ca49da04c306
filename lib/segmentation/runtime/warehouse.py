"""The Delta tables of one warehouse: reading them at a pinned version, and the ways in which they are written.

Every write can be made twice: it replaces exactly what it owns, carries a transaction id, has a new run's id in its
rows, or takes out what may be gone already. Every commit carries the run's id as Delta user metadata.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.readwriter import DataFrameWriter

from segmentation.config.paths import is_catalog
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import InputError, WarehouseBusyError
from segmentation.contracts.table import Table
from segmentation.runtime.commits import CLEANS_UP, MOVES_ONLY, Change, Commit, change_of, newest_commit
from segmentation.runtime.configured import configured
from segmentation.runtime.files import drop_files, drop_older_files, folder_bytes

READABLE = timedelta(days=365)
"""How long what is removed from a table stays readable, unless maintenance takes it away sooner."""

Clauses = Callable[[DeltaMergeBuilder], DeltaMergeBuilder]
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class Outside:
    """Any value of a LONG column but those from `first` to `last`, for `Warehouse.replace_slice`."""

    first: int
    last: int


@dataclass(frozen=True)
class Written:
    """What a write left: the table's Delta version, and the rows that this write put there."""

    version: int
    rows: int


@dataclass
class Warehouse:
    """Tables under a folder or URI, or in `catalog.schema`. `run_id` marks the commits."""

    spark: SparkSession
    root: str
    run_id: str = ""
    bytes_written: int = 0
    """Of the files of rows that were written through this object."""
    _alone: bool = False
    """Whether the lock is held, so that nobody else writes."""
    _known: set[str] = field(default_factory=set)
    _empty: set[str] = field(default_factory=set)
    """Tables made here that nothing has been written to yet."""
    _contents: dict[str, int] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)
    """Newest version of each table asked for or written: whoever holds the lock is the only writer."""

    def exists(self, name: str) -> bool:
        """Whether the table has been created."""
        if name in self._known:
            return True
        there = (
            self.spark.catalog.tableExists(f"{self.root}.{name}")
            if is_catalog(self.root)
            else DeltaTable.isDeltaTable(self.spark, self._path(name))
        )
        if there:
            self._known.add(name)
        return there

    def version(self, name: str) -> int | None:
        """The newest Delta version of a table, or None where it does not exist."""
        if name not in self._versions and self.exists(name):
            self._note(name, self._last_commit(name))
        return self._versions.get(name)

    def content(self, name: str) -> int | None:
        """The newest Delta version that changed a table's rows: what came later only moved them, so whoever has read it
        need not read again. None where the table does not exist."""
        if self.version(name) is not None and name not in self._contents:
            changes = self._delta(name).history().where(~F.col("operation").isin(*MOVES_ONLY))
            newest = changes.agg(F.max("version")).first()
            assert newest is not None, "an aggregate without groups has one row"
            self._contents[name] = self._versions[name] if newest[0] is None else int(newest[0])
        return self._contents.get(name)

    def changes_since(self, name: str, version: int) -> set[Change] | None:
        """What has been done to a table's rows since that version; None: it cannot be told, or that version may not be
        readable any more, as the table was cleaned up since."""
        now = self.version(name)
        if now is None or version > now or self._readable(name, version) != version:
            return None
        if version == now:
            return set()
        columns = ("operation", "operationParameters.mode", "operationMetrics")
        commits = self._delta(name).history(now - version).where(F.col("version") > version).select(*columns).collect()
        operations = {row["operation"] for row in commits}
        if len(commits) < now - version or operations & set(CLEANS_UP):
            return None
        return {
            change_of(row["operation"], row["mode"], row["operationMetrics"] or {})
            for row in commits
            if row["operation"] not in MOVES_ONLY
        }

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """A table as it is now, or was at a Delta version; where an erasure has purged that, at the oldest that can
        still be read, which is without the people erased. Raises `InputError` where it does not exist."""
        if not self.exists(name):
            raise InputError(
                f"The table '{name}' does not exist in this warehouse yet: run the stage that writes it first."
            )
        reader = self.spark.read
        if version is not None:
            reader = reader.option("versionAsOf", self._readable(name, version))
        df = (
            reader.table(f"{self.root}.{name}")
            if is_catalog(self.root)
            else reader.format("delta").load(self._path(name))
        )
        # A table that was made before a column of it was declared has nothing in it.
        there = set(df.columns)
        later = {col.name: F.lit(None).cast(col.type) for col in CATALOGUE[name].columns if col.name not in there}
        return df.withColumns(later) if later else df

    def follow(self, name: str, version: int) -> DataFrame:
        """Rows that are added to a table as a stream, which begins with this Delta version where it has no checkpoint;
        what is changed or deleted is passed over. The table must exist."""
        reader = self.spark.readStream.option("skipChangeCommits", "true").option("startingVersion", version)
        if is_catalog(self.root):
            return reader.table(f"{self.root}.{name}")
        return reader.format("delta").load(self._path(name))

    def read_or_empty(self, name: str, version: int | None = None) -> DataFrame:
        """A table, or no rows of its schema where it does not exist yet."""
        if self.exists(name):
            return self.read(name, version)
        return self.spark.createDataFrame([], CATALOGUE[name].schema)

    def ensure(self, name: str) -> None:
        """Makes a table without rows, where it does not exist yet."""
        self._create(CATALOGUE[name])

    def replace(self, name: str, df: DataFrame) -> Written:
        """Replaces all rows of a table in one commit."""
        return self._write(name, df, {}, "overwrite")

    def replace_slice(self, name: str, df: DataFrame, **columns: object) -> Written:
        """Replaces the rows in which the named columns have these values, of a tuple any of them, of `Outside` any
        but those, in one commit; `df` holds only such rows."""
        predicate = " AND ".join(_comparison(column, value) for column, value in columns.items())
        return self._write(name, df, {"replaceWhere": predicate}, "overwrite")

    def append(self, name: str, df: DataFrame) -> Written:
        """Adds rows of which none can be there yet, such as those of a new run."""
        return self._write(name, df, {}, "append")

    def append_once(self, name: str, df: DataFrame, writer: str, number: int) -> Written:
        """Appends the rows of transaction `number` of `writer`, unless that, or a later one, was made before.

        Delta skips a repeated transaction silently even if its rows differ: derive both from what the rows say.
        """
        return self._write(name, df, {"txnAppId": writer, "txnVersion": str(number)}, "append")

    def merge(
        self,
        name: str,
        changes: DataFrame,
        on: Sequence[str],
        clauses: Clauses,
    ) -> int:
        """Deletes or updates the rows that have the same values in the columns `on` as a row of `changes`, and rewrites
        only files that hold one; returns how many. `clauses` say what becomes of a `row` that meets its `change`.

        No value of `changes` reaches the Delta log. Nothing is committed where no row is met.
        """
        if not self.exists(name) or self.read(name).join(changes, list(on), "left_semi").isEmpty():
            return 0
        metrics = self._merge(name, changes, on, clauses)
        return int(metrics["numTargetRowsDeleted"]) + int(metrics["numTargetRowsUpdated"])

    def update(self, name: str, changes: DataFrame, gone: str, dates: Mapping[str, tuple[date, date]]) -> None:
        """Puts rows in the place of those with the same keys, or beside them where there are none, and takes out those
        of which the flag `gone` is set, in one commit. `dates` are the first and last (UTC) that TIMESTAMP columns
        have in `changes`: files of other dates are not read, and this is all of the rows that the Delta log gets."""
        table = CATALOGUE[name]
        values: dict[str, str | Column] = {column: f"change.`{column}`" for column in table.column_names}
        self._merge(
            name,
            changes,
            table.keys,
            lambda merge: (
                merge.whenMatchedDelete(f"change.`{gone}`")
                .whenMatchedUpdate(set=values)
                .whenNotMatchedInsert(f"NOT change.`{gone}`", values)
            ),
            dates,
        )

    def delete_older(self, name: str, column: str, day: date) -> int:
        """Deletes rows of which the DATE or TIMESTAMP in `column` is before `day`, UTC; returns how many."""
        older = F.col(column) < F.lit(day)
        rows = self.read(name).where(older).count()
        if rows:
            with configured(self.spark, {USER_METADATA: self.run_id}):
                self._delta(name).delete(older)
            self._note(name, self._last_commit(name))
        return rows

    def compact(self, name: str) -> int:
        """Puts small files of a table together, in the order of its clustering columns; returns by how many fewer there
        are. No row changes, and who reads an older version still can."""
        with configured(self.spark, {USER_METADATA: self.run_id}):
            (done,) = self._delta(name).optimize().executeCompaction().select("metrics.*").collect()
        self._versions.pop(name, None)
        return int(done["numFilesRemoved"] - done["numFilesAdded"])

    def changed_at(self, name: str, version: int | None = None) -> datetime | None:
        """When a version of a table was committed, by default the oldest that its history has; None: it is gone."""
        commits = self._delta(name).history()
        those = commits if version is None else commits.where(F.col("version") == version)
        row = those.agg(F.min("timestamp")).first()
        return None if row is None or row[0] is None else row[0].astimezone(UTC)

    def vacuum(self, name: str, keep: timedelta) -> int:
        """Deletes the files that no version of the last `keep` needs; returns how many bytes fewer there are.

        Delta goes by the table's property, and refuses to read what is older than that: it is `keep` meanwhile, and
        afterwards what reads everything that is left.
        """
        (location,) = self._delta(name).detail().select("location").collect()[0]
        before = folder_bytes(self.spark, location)
        with configured(self.spark, {USER_METADATA: self.run_id}):
            try:
                self._set_retention(name, keep)
                drop_files(self.spark, self._delta(name))
            finally:
                self._set_retention(name, keep + READABLE)
        self._versions.pop(name, None)
        return before - folder_bytes(self.spark, location)

    def purge(self, name: str) -> int:
        """Deletes every file that the newest version of a table does not need, whatever its age; returns that version.
        Older ones cannot be read any more, and readers of them fail: under the lock only."""
        (detail,) = self._delta(name).detail().select("location", "sizeInBytes", "properties").collect()
        has_vectors = detail["properties"].get("delta.enableDeletionVectors") == "true"
        if has_vectors:
            self.spark.sql(f"REORG TABLE {self._place(name)} APPLY (PURGE)")
            self._versions.pop(name, None)
        # Files never change, so a folder as large as the newest version has no other.
        if has_vectors or folder_bytes(self.spark, detail["location"]) != detail["sizeInBytes"]:
            drop_older_files(self.spark, self._delta(name))
        version = self.version(name)
        assert version is not None, "a table that was purged has a version"
        return version

    def path(self, inside: str) -> str:
        """A place for files that are not tables (models, checkpoints), beside the tables."""
        if is_catalog(self.root):
            raise InputError(
                "A warehouse named catalog.schema has no folder of its own for models: set one with --set."
            )
        return f"{self.root.rstrip('/')}/{inside}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the warehouse for one run. On a local folder the lock goes with the process, however it ends;
        elsewhere Delta's own conflict check lets one of two runs win. Raises `WarehouseBusyError`."""
        if "://" in self.root or is_catalog(self.root):
            yield
            return
        Path(self.root).mkdir(parents=True, exist_ok=True)
        with (Path(self.root) / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WarehouseBusyError(
                    "Another run is at work on this warehouse: wait until it has ended, then start again."
                ) from None
            self._alone = True
            try:
                yield
            finally:
                self._alone = False

    def _merge(
        self,
        name: str,
        changes: DataFrame,
        on: Sequence[str],
        clauses: Clauses,
        dates: Mapping[str, tuple[date, date]] | None = None,
    ) -> Mapping[str, str]:
        """The figures of the commit."""
        parts = [f"row.`{column}` = change.`{column}`" for column in on]
        for column, (first, last) in (dates or {}).items():
            parts.append(f"row.`{column}` >= DATE'{first}' AND row.`{column}` < DATE'{last + timedelta(days=1)}'")
        with configured(self.spark, {USER_METADATA: self.run_id}):
            clauses(self._delta(name).alias("row").merge(changes.alias("change"), " AND ".join(parts))).execute()
        last_commit = self._last_commit(name)
        self._note(name, last_commit)
        self.bytes_written += int(last_commit.metrics.get("numTargetBytesAdded", 0))
        return last_commit.metrics

    def _readable(self, name: str, version: int) -> int:
        if version == self.version(name) or not self.exists("erasures"):
            return version
        since = self.read("erasures").agg(F.max(F.col("readable_since")[name])).first()
        return max(version, (since and since[0]) or 0)

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def _delta(self, name: str) -> DeltaTable:
        if is_catalog(self.root):
            return DeltaTable.forName(self.spark, f"{self.root}.{name}")
        return DeltaTable.forPath(self.spark, self._path(name))

    def _write(self, name: str, df: DataFrame, options: dict[str, str], mode: str) -> Written:
        table = CATALOGUE[name]
        self._create(table)
        before = self.version(name)
        rows = table.conform(df)
        if mode == "overwrite" and self._alone and name in self._empty:
            # Nothing is there to replace, and Delta appends without working out the table's state: half the time.
            options, mode = {}, "append"
        # A table that was made before a column of it was declared gets the column with the next write.
        writer: DataFrameWriter = (
            rows.write.format("delta")
            .mode(mode)
            .option("userMetadata", self.run_id)
            .option("mergeSchema", "true")
            .options(**options)
        )
        if is_catalog(self.root):
            writer.saveAsTable(f"{self.root}.{name}")
        else:
            writer.save(self._path(name))
        self._empty.discard(name)
        last = self._last_commit(name)
        self._note(name, last)
        if self._versions[name] == before:  # nothing to commit: the last commit's figures are another write's
            return Written(self._versions[name], 0)
        self.bytes_written += int(last.metrics.get("numOutputBytes", 0))
        # Rows of others that lay in a file with rows to be replaced were written anew beside these.
        copied = int(last.metrics.get("numCopiedRows", 0))
        return Written(self._versions[name], int(last.metrics.get("numOutputRows", 0)) - copied)

    def _note(self, name: str, commit: Commit) -> None:
        """Remembers the newest commit of a table."""
        self._versions[name] = commit.version
        self._contents.pop(name, None)
        if commit.operation not in MOVES_ONLY:
            self._contents[name] = self._versions[name]

    def _place(self, name: str) -> str:
        """The table's name in SQL."""
        return f"{self.root}.{name}" if is_catalog(self.root) else f"delta.`{self._path(name)}`"

    def _set_retention(self, name: str, keep: timedelta) -> None:
        interval = f"interval {-(-int(keep.total_seconds()) // 3600)} hours"
        keys = ("delta.deletedFileRetentionDuration", "delta.logRetentionDuration")
        properties = ", ".join(f"'{key}' = '{interval}'" for key in keys)
        self.spark.sql(f"ALTER TABLE {self._place(name)} SET TBLPROPERTIES ({properties})")

    def _last_commit(self, name: str) -> Commit:
        if not is_catalog(self.root):
            found = newest_commit(self.spark, self._path(name), since=self._versions.get(name))
            if found is not None:
                return found
        last = self._delta(name).history(1).first()
        assert last is not None, "a table that was written has a history"
        return Commit(int(last["version"]), last["operation"], last["operationMetrics"] or {})

    def _create(self, table: Table) -> None:
        if self.exists(table.name):
            return
        builder = DeltaTable.createIfNotExists(self.spark).addColumns(table.schema).comment(table.grain)
        if is_catalog(self.root):
            builder = builder.tableName(f"{self.root}.{table.name}")
        else:
            builder = builder.location(self._path(table.name))
        if table.partition_by:
            builder = builder.partitionedBy(*table.partition_by)
        if table.cluster_by:
            builder = builder.clusterBy(*table.cluster_by)
        for key, value in table.delta_properties.items():
            builder = builder.property(key, value)
        builder.execute()
        self._known.add(table.name)
        self._empty.add(table.name)
        self._versions[table.name] = self._contents[table.name] = 0


def _comparison(column: str, value: object) -> str:
    if isinstance(value, Outside):
        return f"({column} < {value.first} OR {column} > {value.last})"
    values = f"IN ({', '.join(map(_literal, value))})" if isinstance(value, tuple) else f"= {_literal(value)}"
    return f"{column} {values}"


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
