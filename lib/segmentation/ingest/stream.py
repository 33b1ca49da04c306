"""A source as a stream: Structured Streaming keeps, in a checkpoint, how far it has been read."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import pyspark
from pyspark.errors import AnalysisException, PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import Source, StreamSettings
from segmentation.contracts.errors import InputError
from segmentation.ingest.files import SourceFile, stamp_of
from segmentation.ingest.micro_batches import MicroBatch, take_batches
from segmentation.ingest.topics import read_topic

INFER = {"spark.sql.streaming.schemaInference": "true"}
"""What the session has to be set to while `follow` begins: files are listed by a reader that brings its own columns."""

STREAM = "stream"
"""How the stamp begins under which rows of a table that is followed are known."""

Arrivals = Generator[tuple[list[SourceFile], DataFrame | None]]

_NEVER = "36500d"
"""A file is looked at however old it is: the default forgets files that are a week older than the newest."""


def follow(spark: SparkSession, source: Source, checkpoint: str) -> Arrivals:
    """What came since the checkpoint, batch after batch: new files; or, of a table or topic, one name for what was
    added to it, and these rows.

    A batch counts as taken in once the next one is asked for. Who stops before gets the same one again: close the
    iterator then. Batches are handed over to the caller's thread, so that they are worked on in its session. Raises
    `InputError` where the source cannot be followed.
    """
    assert source.stream is not None, "only sources that are streams"
    read = {"delta": _read_table, "kafka": read_topic}.get(source.format, _list)
    try:
        with closing(take_batches(read(spark, source, source.stream), f"ingest {source.name}", checkpoint)) as batches:
            for batch in batches:
                yield _name(spark, source, batch)
    except (AnalysisException, StreamingQueryException) as error:
        raise _explain(source, error) from error


def _list(spark: SparkSession, source: Source, settings: StreamSettings) -> DataFrame:
    """The names of new files. Their rows are read by the same readers as without a stream."""
    files = spark.readStream.format("binaryFile").options(
        recursiveFileLookup="true", maxFilesPerTrigger=str(settings.most_files), maxFileAge=_NEVER
    )
    return files.load(source.path).select("path", F.unix_millis("modificationTime").alias("changed"), "length")


def _read_table(spark: SparkSession, source: Source, settings: StreamSettings) -> DataFrame:
    options = {key: str(value) for key, value in source.options.items()}
    table = spark.readStream.format("delta").options(maxFilesPerTrigger=str(settings.most_files), **options)
    return table.load(source.path)


def _name(spark: SparkSession, source: Source, batch: MicroBatch) -> tuple[list[SourceFile], DataFrame | None]:
    if source.format not in ("delta", "kafka"):
        found = batch.rows.collect()  # as many as a batch may have
        files = [SourceFile(row["path"], stamp_of(row["length"], row["changed"]), row["length"]) for row in found]
        return sorted(files), None
    name = SourceFile(source.path, f"{STREAM} {batch.query}, batch {batch.number}")
    return [name], batch.rows_in(spark)


def _explain(source: Source, failure: PySparkException) -> InputError:
    said = str(failure)
    if "DELTA_SOURCE" in said:
        return InputError(
            f"Source '{source.name}': rows of its table were changed or deleted, and a stream takes in what is added. "
            "To pass over such changes, set `options: {skipChangeCommits: true}`."
        )
    if source.format == "kafka":
        return _explain_topic(source, failure)
    return InputError(
        f"Source '{source.name}' cannot be followed as a stream [{failure.getCondition() or 'STREAM_FAILED'}]; check "
        "its path: a stream needs a folder, a glob or a Delta table that is there."
    )


def _explain_topic(source: Source, failure: PySparkException) -> InputError:
    what = f"Source '{source.name}': the topic '{source.path}'"
    if failure.getCondition() == "DATA_SOURCE_NOT_FOUND" or "data source: kafka" in str(failure):
        return InputError(
            f"{what} cannot be read, since Spark was started without its connector for Kafka: start it with "
            f"--packages org.apache.spark:spark-sql-kafka-0-10_2.13:{pyspark.__version__}."
        )
    if "failOnDataLoss" in str(failure):
        return InputError(
            f"{what} has lost messages that were not taken in yet: Kafka keeps them for a time only. To go on without "
            "them, set `options: {failOnDataLoss: false}`."
        )
    return InputError(
        f"{what} cannot be read [{failure.getCondition() or 'STREAM_FAILED'}]: see that it is there, that its servers "
        "answer (kafka.bootstrap.servers), and that its options are right."
    )
