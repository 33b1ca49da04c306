"""A Delta table as a destination: each delivery is one commit, and a reader sees the one before or the one after."""

from __future__ import annotations

from collections.abc import Sequence

from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.exports import PERSON_ID
from segmentation.contracts.errors import DeliveryError

_PROPERTIES = {
    # Statistics would write ids of people into the log, where an erasure could not take them out.
    "delta.dataSkippingNumIndexedCols": "0",
    # Whom a vector marks as deleted is still in the file.
    "delta.enableDeletionVectors": "false",
}


def is_there(spark: SparkSession, path: str) -> bool:
    """Whether a Delta table is at a path."""
    return DeltaTable.isDeltaTable(spark, path)


def bring_up_to_date(
    path: str,
    what: str,
    rows: DataFrame,
    removed: DataFrame | None,
    columns: Sequence[str],
) -> None:
    """Makes the table at `path` have `rows`, in one commit.

    `removed` (`person_id`): whom to take out; the others who are there stay. None: nobody else stays.
    `what` goes into errors: `the export 'lake'`. Raises `DeliveryError`.
    """
    try:
        if removed is None:
            writer = rows.select(*columns).write.format("delta").mode("overwrite").options(**_PROPERTIES)
            writer.option("overwriteSchema", True).save(path)
            return
        table, gone = DeltaTable.forPath(rows.sparkSession, path), F.lit(True).alias("_gone")
        changes = rows.select(*columns).withColumn("_gone", F.lit(False))
        changes = changes.unionByName(removed.select(PERSON_ID, gone), allowMissingColumns=True)
        values: dict[str, str | Column] = {column: F.col(f"change.{column}") for column in columns}
        (
            table.alias("row")
            .merge(changes.alias("change"), f"row.{PERSON_ID} = change.{PERSON_ID}")
            .whenMatchedDelete("change._gone")
            .whenMatchedUpdate(set=values)
            .whenNotMatchedInsert("NOT change._gone", values=values)
            .withSchemaEvolution()
            .execute()
        )
    except (PySparkException, Py4JJavaError) as error:
        raise DeliveryError(
            f"The Delta table of {what} could not be written ({type(error).__name__}): see that its folder may be "
            "written to and has room, then run the command again."
        ) from error
