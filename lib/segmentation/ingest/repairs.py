"""Refused rows that were repaired by hand: handing them out to be edited, and reading what comes back.

A refused row is told by a hash of its text. Each line that is handed out carries it, and says with it, when it comes
back, which row of the quarantine it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StringType, StructField, StructType

from segmentation.config.sources import Source
from segmentation.contracts.errors import InputError
from segmentation.ingest.conform import RAW_JSON, REASONS, Conformed
from segmentation.ingest.files import SourceFile
from segmentation.ingest.masking import BROKEN_ROW, without_notes
from segmentation.ingest.reading import BROKEN, SourceRows, describe_rows, explained

ROW = "_refused_row"
"""Key of a line: which refused row it is."""

WAS_REPAIRED = "repaired"
"""The reason of a row that is good by the rules of now, and was taken in already as it was repaired."""

_AS_TEXT = {"primitivesAsString": "true"}
_BY, _THERE = "_by", "_there"


@dataclass(frozen=True)
class Repaired:
    """Lines that came back."""

    rows: SourceRows
    """Those whose row still waits."""
    lines: int
    waiting: int
    """How many of the lines these are; the rest was handed in before, or is refused no more."""


def waiting_lines(quarantine: DataFrame, batch_id: str) -> DataFrame:
    """The refused rows of a batch which nobody has repaired yet, to be edited. Grain: one row, as one column of JSON
    text. Rows of erased people have no text, and are not among them."""
    rows = _refused(quarantine, batch_id).where(F.col("repaired_by").isNull()).orderBy("raw")
    # `raw` is an object: its own text goes on behind the key, so that nothing of it is written anew.
    begun = F.concat(F.lit(f'{{"{ROW}":"'), row_id(F.col("raw")), F.lit('"'))
    rest = F.when(F.col("raw") == "{}", "}").otherwise(F.concat(F.lit(","), F.substring("raw", 2, 2**31 - 1)))
    return rows.select(F.concat(begun, rest).alias("line"))


def row_id(raw: Column) -> Column:
    """What tells a refused row of a batch from others: 32 hexadecimal digits. Equal rows are one."""
    return F.substring(F.sha2(raw, 256), 1, 32)


def read_repaired(
    spark: SparkSession,
    source: Source,
    files: Sequence[SourceFile],
    schema: str,
    quarantine: DataFrame,
    batch_id: str,
    by: str,
    is_begun: bool,
) -> Repaired:
    """Rows that were repaired, of the batch `batch_id` with the columns `schema` (DDL), to be taken in as the batch
    `by`. A row that `by` itself was given waits for it still, as when a run was killed. Where `by` was begun
    and not finished (`is_begun`), a row may have left the quarantine since, as when its person was erased: it does not
    wait then.

    Raises `InputError` where a line is no JSON object, names no refused row of the batch, or has a column that its
    source does not.
    """
    paths = [file.path for file in files]
    with explained(source, files, is_masked=True):
        found = spark.read.options(**_AS_TEXT).json(paths).schema
        known = _columns(source, schema, found)
        columns = StructType([*known, *(StructField(name, StringType()) for name in (ROW, BROKEN_ROW, BROKEN))])
        lines = spark.read.schema(columns).options(mode="PERMISSIVE", columnNameOfCorruptRecord=BROKEN).json(paths)
        refused = _refused(quarantine, batch_id).groupBy(row_id(F.col("raw")).alias(ROW))
        there = refused.agg(F.max("repaired_by").alias(_BY)).withColumn(_THERE, F.lit(True))
        told = lines.join(there, ROW, "left")
        waits = F.col(_THERE) & (F.col(_BY).isNull() | (F.col(_BY) == by))
        is_strange = F.col(_THERE).isNull()
        # Whatever else may stand there is not shown.
        named = F.when(is_strange & F.col(ROW).rlike("^[0-9a-f]{32}$"), F.col(ROW))
        total, strange, waiting, first = told.agg(
            F.count("*"), F.count_if(is_strange), F.count_if(waits), F.min(named)
        ).collect()[0]
    if not total or (strange and not is_begun):
        which = f" ('{first}' first)" if first else ""
        raise InputError(
            f"{strange:,} of {total:,} repaired rows name no refused row of batch '{batch_id}' as `{ROW}`{which}: "
            "write its rows with `segmentation replay --batch ID --refused FILE`, and change everything in a line but "
            "that."
        )
    broken = F.coalesce(BROKEN, BROKEN_ROW)
    rows = told.where(waits).withColumn(BROKEN, broken).drop(BROKEN_ROW, _BY, _THERE)
    clear = without_notes(rows, [field.name for field in known])
    described = describe_rows(spark, source, clear, beside=(ROW,))
    return Repaired(replace(described, is_masked=True), total, waiting)


def mark_repaired(quarantine: DataFrame, batch_id: str, handed_in: DataFrame, by: str) -> DataFrame:
    """All refused rows of a batch, those that were handed in (`ROW`) marked as repaired by the batch `by`."""
    ids = handed_in.select(F.col(ROW).alias("_id")).distinct().withColumn(_THERE, F.lit(True))
    rows = quarantine.where(F.col("batch_id") == batch_id).withColumn("_id", row_id(F.col("raw")))
    marked = F.coalesce("repaired_by", F.when(F.col(_THERE), F.lit(by)))
    return rows.join(ids, "_id", "left").withColumn("repaired_by", marked).drop("_id", _THERE)


def was_repaired(quarantine: DataFrame, batch_id: str) -> DataFrame:
    """The refused rows of a batch that were repaired. Grain: one row, as `_refused_row`."""
    rows = _refused(quarantine, batch_id).where(F.col("repaired_by").isNotNull())
    return rows.select(row_id(F.col("raw")).alias(ROW)).distinct()


def leave_repaired(conformed: Conformed, repaired: DataFrame) -> Conformed:
    """The rows of a batch that is taken in again, each with its raw form; refused are also those that are good now and
    were repaired (`was_repaired`), or one thing would be told twice. Same grain.

    A row is told by its raw form: not where the mapping takes other columns for personal since.
    """
    told = conformed.df.withColumn(ROW, row_id(F.col(RAW_JSON)))
    told = told.join(repaired.withColumn(_THERE, F.lit(True)), ROW, "left")
    is_good = F.size(REASONS) == 0
    rows = told.withColumns(
        {
            REASONS: F.when(is_good & F.col(_THERE), F.array(F.lit(WAS_REPAIRED))).otherwise(F.col(REASONS)),
            RAW_JSON: F.when(~is_good | F.col(_THERE), F.col(RAW_JSON)),
        }
    )
    return replace(conformed, df=rows.drop(ROW, _THERE), reasons=(*conformed.reasons, WAS_REPAIRED))


def keep_marks(refused: DataFrame, quarantine: DataFrame | None, batch_ids: Sequence[str]) -> DataFrame:
    """Rows that batches refuse, marked (`repaired_by`) as those were which they refused before; without a quarantine
    from before, as new."""
    if quarantine is None:
        return refused.withColumn("repaired_by", F.lit(None).cast("string"))
    before = quarantine.where(F.col("batch_id").isin(*batch_ids) & F.col("repaired_by").isNotNull())
    marks = before.groupBy("batch_id", row_id(F.col("raw")).alias("_id")).agg(F.max("repaired_by").alias("repaired_by"))
    told = refused.withColumn("_id", row_id(F.col("raw")))
    return told.join(marks, ["batch_id", "_id"], "left").drop("_id")


def _refused(quarantine: DataFrame, batch_id: str) -> DataFrame:
    return quarantine.where((F.col("batch_id") == batch_id) & F.col("raw").isNotNull())


def _columns(source: Source, schema: str, found: StructType) -> list[StructField]:
    """The columns of the batch, and those that its source may have beside them and the lines do."""
    then = StructType.fromDDL(schema)
    assert isinstance(then, StructType), "columns with their types"
    columns: dict[str, tuple[str, DataType]] = {field.name.lower(): (field.name, field.dataType) for field in then}
    optional = {name.lower() for name in source.optional}
    for field in found:
        if field.name in (ROW, BROKEN_ROW, "_corrupt_record"):
            continue
        if field.name.lower() in columns:
            name = columns[field.name.lower()][0]
            if field.name != name:
                # JSON is read by exact names: it would be taken for a row without that column.
                raise InputError(
                    f"Source '{source.name}': repaired rows have the column '{field.name}', which is '{name}' in the "
                    "batch: spell it like that."
                )
            continue
        if field.name.lower() not in optional:
            raise InputError(
                f"Source '{source.name}': repaired rows have the column '{field.name}', which the batch did not have; "
                "name it as the source does, or declare it as `optional`."
            )
        columns[field.name.lower()] = (field.name, field.dataType)
    return [StructField(name, kind) for name, kind in columns.values()]
