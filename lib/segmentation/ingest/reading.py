"""Reading a source's files: every row comes through, the broken ones with their text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.readwriter import DataFrameReader
from pyspark.sql.types import StringType, StructField, StructType

from segmentation.config.sources import Lookup, Scalar, Source
from segmentation.contracts.errors import EmptyError, InputError, UnreadableError
from segmentation.ingest.files import SourceFile, csv_headers, unreadable_parquet

BROKEN = "_broken_row"
"""Column with the text of a row that its format could not make out; null for all others."""

BYTES_A_TASK, LARGE = 4 << 20, 1 << 30
"""Of files: what is worth a task of its own, and what Spark is left to split by itself."""

_DEFAULTS: dict[str, dict[str, Scalar]] = {
    # No types are guessed from the data: the mapping says them, so that a row means the same beside any other rows.
    # Quotes inside quotes are doubled (RFC 4180).
    "csv": {"header": True, "escape": '"'},
    "json": {"primitivesAsString": True},
    "parquet": {"mergeSchema": True},
    "delta": {},
}


@dataclass(frozen=True)
class SourceRows:
    """The rows of some files of a source, with the columns of its reference tables beside its own."""

    df: DataFrame
    own: tuple[str, ...]
    """The source's own columns: what a quarantined row is shown with."""
    columns: tuple[str, ...]
    """The columns that its mapping may name."""
    ambiguous: tuple[str, ...]
    """Columns that both the source and one of its reference tables have; the source's own is taken."""
    as_read: DataFrame
    """The rows before anything was done with them: the first of them cost little to look at."""
    is_masked: bool = False
    """Whether they come back from the quarantine, where tokens stand for personal values."""


def read_rows(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> SourceRows:
    """The rows of these files. Raises `UnreadableError`, naming the file, where one cannot be read at all, and
    `InputError` where they do not go together or a reference table is wrong."""
    with explained(source, files):
        match source.format:
            case "csv":
                df = _read_csv(spark, source, files)
            case "json":
                df = _read_json(spark, source, files)
            case "parquet":
                df = _read_parquet(spark, source, files)
            case "delta":
                version = files[0].stamp.removeprefix("version ")
                df = _reader(spark, source).option("versionAsOf", version).load(source.path)
        return replace(describe_rows(spark, source, _spread(spark, df, files)), as_read=df)


def describe_rows(spark: SparkSession, source: Source, df: DataFrame, beside: Sequence[str] = ()) -> SourceRows:
    """Rows of a source as they were read, with its reference tables beside them. Columns named in `beside` are not the
    source's, and stay in the frame only."""
    as_read, own = df, tuple(column for column in df.columns if column not in (BROKEN, *beside))
    if BROKEN not in df.columns:
        df = df.withColumn(BROKEN, F.lit(None).cast("string"))
    there = {column.lower() for column in own}
    missing = tuple(dict.fromkeys(column for column in source.optional if column.lower() not in there))
    df = df.withColumns({column: F.lit(None).cast("string") for column in missing})
    rows = SourceRows(df, own, (*own, *missing), (), as_read)
    for lookup in source.lookups:
        rows = _join_lookup(spark, source, lookup, rows)
    return rows


@contextmanager
def explained(source: Source, files: Sequence[SourceFile], is_masked: bool = False) -> Iterator[None]:
    """Turns what Spark raises on data that cannot be read into an `UnreadableError` that names the file, no value.
    `is_masked`: the files have rows that come back from the quarantine."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        said = str(error)
        name = next((file.path for file in files if file.path in said or file.path.removeprefix("file:") in said), None)
        condition = error.getCondition() if isinstance(error, PySparkException) else None
        where = f"the file '{name}'" if name else "its files"
        reason = f" [{condition}]" if condition else ""
        if is_masked:
            raise UnreadableError(
                f"Source '{source.name}': {where} of repaired rows cannot be read as JSON{reason}; nothing was "
                "taken in. Give a JSON object a line, as `segmentation replay --batch ID --refused FILE` writes them."
            ) from error
        raise UnreadableError(
            f"Source '{source.name}': {where} cannot be read as {source.format}{reason}; nothing of this batch was "
            "taken in. Deliver it again, or take it away."
        ) from error


def _spread(spark: SparkSession, df: DataFrame, files: Sequence[SourceFile]) -> DataFrame:
    """Rows of a few files, for as many tasks as are worth it: a Parquet file with one row group, or a compressed text,
    is read in one, and all that it takes to conform its rows would be done there. Large files are of many parts."""
    size = sum(file.size for file in files)
    tasks = min(spark.sparkContext.defaultParallelism, size // BYTES_A_TASK)
    return df.repartition(tasks) if len(files) < tasks and size <= LARGE else df


def _read_csv(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> DataFrame:
    if not _is_true(source.options.get("header", True)):
        paths = [file.path for file in files]
        return _with_schema(spark, source, files, _reader(spark, source).load(paths).schema)
    groups = csv_headers(spark, source, files)
    if not groups:
        raise EmptyError(f"Source '{source.name}': its files are empty, without even a header; nothing was taken in.")
    # Each header has its own reader: Spark would put the columns of all files in the order of the first.
    parts = []
    for header, members in groups.items():
        schema = StructType([StructField(name, StringType()) for name in header])
        if _is_true(source.options.get("inferSchema", False)):
            schema = _reader(spark, source).load([file.path for file in members]).schema
        parts.append(_with_schema(spark, source, members, schema))
    return reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), parts)


def _read_json(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> DataFrame:
    found = _reader(spark, source).load([file.path for file in files]).schema
    schema = StructType([field for field in found if field.name != BROKEN])
    if not schema.fields and any(file.size for file in files):
        raise UnreadableError(
            f"Source '{source.name}': no line of its files is a JSON object; check its format and path."
        )
    return _with_schema(spark, source, files, schema)


def _read_parquet(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> DataFrame:
    if broken := unreadable_parquet(spark, files):
        raise UnreadableError(
            f"Source '{source.name}': the file '{broken[0].path}' is not Parquet, or was cut short "
            f"({len(broken)} of {len(files)} files); nothing of this batch was taken in. "
            "Deliver it again, or take it away."
        )
    try:
        return _reader(spark, source).load([file.path for file in files])
    except (PySparkException, Py4JJavaError):
        _refuse_clash(spark, source, files)
        raise


def _refuse_clash(spark: SparkSession, source: Source, files: Sequence[SourceFile]) -> None:
    """Raises `InputError` where a column has different types in two of the files."""
    seen: dict[str, tuple[str, str]] = {}
    for file in files:
        for field in _reader(spark, source).load(file.path).schema:
            kind = field.dataType.simpleString()
            first, where = seen.setdefault(field.name, (kind, file.path))
            if first != kind:
                raise InputError(
                    f"Source '{source.name}': the column '{field.name}' is {first} in the file '{where}' and {kind} in "
                    f"'{file.path}'; nothing of this batch was taken in. Deliver one of them again, with the other's "
                    "type."
                )


def _with_schema(spark: SparkSession, source: Source, files: Sequence[SourceFile], schema: StructType) -> DataFrame:
    whole = StructType([*schema.fields, StructField(BROKEN, StringType())])
    return _reader(spark, source).schema(whole).load([file.path for file in files])


def _reader(spark: SparkSession, source: Source) -> DataFrameReader:
    forced: dict[str, Scalar] = {}
    if source.format in {"csv", "json"}:
        forced = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": BROKEN}
    return _configured(spark, source.format, {**source.options, **forced})


def _configured(spark: SparkSession, form: str, options: Mapping[str, Scalar]) -> DataFrameReader:
    merged = {**_DEFAULTS[form], **options}
    return spark.read.format(form).options(**{key: _text(value) for key, value in merged.items()})


def _join_lookup(spark: SparkSession, source: Source, lookup: Lookup, rows: SourceRows) -> SourceRows:
    what = f"Source '{source.name}': the reference table '{lookup.path}'"
    try:
        table = _configured(spark, lookup.format, lookup.options).load(lookup.path)
        missing = [name for name in lookup.on if name not in table.columns or name not in rows.columns]
        if missing:
            raise InputError(f"{what} cannot be joined: the column '{missing[0]}' is not on both sides.")
        if table.dropna(subset=lookup.on).groupBy(*lookup.on).count().where("count > 1").head(1):
            raise InputError(
                f"{what} has several rows for one {', '.join(lookup.on)}: it would make several events of one row."
            )
    except (PySparkException, Py4JJavaError) as error:
        raise InputError(f"{what} cannot be read as {lookup.format}; check its path and format.") from error
    new = [name for name in table.columns if name not in rows.columns]
    shared = [name for name in table.columns if name in rows.columns and name not in lookup.on]
    joined = rows.df.join(F.broadcast(table.select(*lookup.on, *new)), lookup.on, "left")
    return replace(rows, df=joined, columns=(*rows.columns, *new), ambiguous=(*rows.ambiguous, *shared))


def _is_true(value: Scalar) -> bool:
    return str(value).lower() == "true"


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
