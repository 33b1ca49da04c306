"""How a table of the warehouse is declared: its grain, its columns, its keys and its layout."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from segmentation.contracts.errors import MissingColumnsError

STRING, LONG, DOUBLE, BOOLEAN = StringType(), LongType(), DoubleType(), BooleanType()
DATE, TIMESTAMP = DateType(), TimestampType()
MONEY = DecimalType(18, 4)
STRINGS = ArrayType(STRING)
STRING_MAP = MapType(STRING, STRING)
LONG_MAP = MapType(STRING, LONG)
DOUBLE_MAP = MapType(STRING, DOUBLE)


@dataclass(frozen=True)
class Col:
    """One column: its name, Spark type, meaning, and whether every row has it."""

    name: str
    type: DataType
    comment: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """A Delta table: ``grain`` says in words what one row is, ``keys`` in columns.

    ``partition_by`` is for tables of which a writer owns and replaces whole slices; ``cluster_by`` (liquid
    clustering) for large ones that are read by a range. ``open_columns`` lets a table carry more columns than are
    declared, and says of what type and meaning. ``unindexed`` columns get no file statistics: neither personal values
    nor ids of people must reach the Delta log, where an erasure could not take them out. An ``on_demand`` table is
    made when it is first needed; the others are there after a whole run. ``aged_by`` is the column by which rows may
    be deleted when they are old; of those that are alike in ``holds_for``, the newest holds on, and stays.
    """

    name: str
    grain: str
    columns: tuple[Col, ...]
    keys: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    open_columns: tuple[str, str] | None = None
    on_demand: bool = False
    aged_by: str | None = None
    holds_for: tuple[str, ...] = ()
    unindexed: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> StructType:
        """The columns as a Spark schema, with comments; Delta itself refuses null in a required one."""
        return StructType([StructField(c.name, c.type, not c.required, {"comment": c.comment}) for c in self.columns])

    @property
    def delta_properties(self) -> dict[str, str]:
        """The table's properties, with the columns of which Delta is to keep statistics."""
        if not self.unindexed:
            return dict(self.properties)
        without = {*self.unindexed, *self.partition_by}
        indexed = [c.name for c in self.columns if c.name not in without and _has_statistics(c.type)]
        return {**self.properties, "delta.dataSkippingStatsColumns": ",".join(indexed)}

    def row(self) -> Column:
        """A row as one value that can be compared: a map cannot, its entries can."""
        maps = {column.name for column in self.columns if isinstance(column.type, MapType)}
        return F.struct(
            *(F.sort_array(F.map_entries(name)).alias(name) if name in maps else name for name in self.column_names)
        )

    def changes(self, before: DataFrame, now: DataFrame) -> DataFrame:
        """Rows of this table that are new or say something else than the one with the same keys, and, with `gone`,
        those that are no more. Grain in: rows of the table, or of the same part of it, then and now."""
        sides = [
            frame.select(*self.keys, self.row().alias(f"{when} row"), F.struct(*self.column_names).alias(when))
            for when, frame in (("then", self.conform(before)), ("now", self.conform(now)))
        ]
        both = sides[0].join(sides[1], list(self.keys), "full").where("NOT `then row` <=> `now row`")
        return both.select(F.coalesce("now", "then").alias("row"), F.col("now").isNull().alias("gone")).select(
            "row.*", "gone"
        )

    def conform(self, df: DataFrame) -> DataFrame:
        """`df` with exactly this table's columns, in order, each of its declared type.

        Open tables keep their further columns behind the declared ones. Raises `MissingColumnsError`.
        """
        check_columns(df, self.column_names, f"the rows for table '{self.name}'")
        declared: list[Column] = [F.col(c.name).cast(c.type).alias(c.name) for c in self.columns]
        further = [F.col(name) for name in df.columns if name not in self.column_names] if self.open_columns else []
        return df.select(*declared, *further)


def check_columns(df: DataFrame, needed: tuple[str, ...] | list[str] | set[str], what: str) -> None:
    """Raises `MissingColumnsError`, naming `what`, if `df` lacks one of the `needed` columns."""
    missing = set(needed) - set(df.columns)
    if missing:
        raise MissingColumnsError(what, missing, df.columns)


def _has_statistics(kind: DataType) -> bool:
    return not isinstance(kind, (MapType, ArrayType, BooleanType))
