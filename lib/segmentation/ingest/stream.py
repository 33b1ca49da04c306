"""A source as a stream: Structured Streaming keeps, in a checkpoint, how far it has been read."""

from __future__ import annotations

import logging
from collections.abc import Generator
from queue import Queue
from threading import Thread

from pyspark.errors import AnalysisException, PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.sources import Source, StreamSettings
from segmentation.contracts.errors import InputError
from segmentation.ingest.files import SourceFile, stamp_of

INFER = {"spark.sql.streaming.schemaInference": "true"}
"""What the session has to be set to while `follow` begins: files are listed by a reader that brings its own columns."""

STREAM = "stream"
"""How the stamp begins under which rows of a table that is followed are known."""

Arrivals = Generator[tuple[list[SourceFile], DataFrame | None]]

_NEVER = "36500d"
"""A file is looked at however old it is: the default forgets files that are a week older than the newest."""


_GATEWAY = logging.getLogger("py4j.clientserver")


class _NotTakenError(Exception):
    """Ends the stream, whose batch then comes again; why it was not taken in is told by who takes it in."""


def _is_news(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], _NotTakenError))


def follow(spark: SparkSession, source: Source, checkpoint: str) -> Arrivals:
    """What came since the checkpoint, batch after batch: new files; or, of a table, one name for what was added to it,
    and these rows.

    A batch counts as taken in once the next one is asked for. Who stops before gets the same one again: close the
    iterator then. Batches are handed over to the caller's thread, so that they are worked on in its session. Raises
    `InputError` where the source cannot be followed.
    """
    assert source.stream is not None, "only sources that are streams"
    arrived: Queue[tuple[DataFrame, int] | None] = Queue()
    taken: Queue[bool] = Queue()
    failures: list[StreamingQueryException] = []

    def hand_over(rows: DataFrame, number: int) -> None:
        arrived.put((rows, number))
        if not taken.get():
            raise _NotTakenError

    read = _read_table if source.format == "delta" else _list
    try:
        reader = read(spark, source, source.stream)
    except AnalysisException as error:
        raise _explain(source, error) from error
    query = (
        reader.writeStream.queryName(f"ingest {source.name}")
        .foreachBatch(hand_over)
        .option("checkpointLocation", checkpoint)
        .trigger(availableNow=True)
        .start()
    )

    def watch() -> None:
        try:
            query.awaitTermination()
        except StreamingQueryException as error:
            failures.append(error)
        finally:
            arrived.put(None)

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    _GATEWAY.addFilter(_is_news)
    try:
        while (batch := arrived.get()) is not None:
            is_taken = False
            try:
                yield _name(spark, source, query.id, *batch)
                is_taken = True
            finally:
                taken.put(is_taken)
        for failure in failures:
            raise _explain(source, failure) from failure
    finally:
        query.stop()
        watcher.join()
        _GATEWAY.removeFilter(_is_news)


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


def _name(
    spark: SparkSession, source: Source, query: str, rows: DataFrame, number: int
) -> tuple[list[SourceFile], DataFrame | None]:
    if source.format != "delta":
        found = rows.collect()  # as many as a batch may have
        files = [SourceFile(row["path"], stamp_of(row["length"], row["changed"]), row["length"]) for row in found]
        return sorted(files), None
    # The rows belong to the stream's own session, which is a copy.
    own = spark._jsparkSession.createDataFrame(rows._jdf.toJavaRDD(), rows._jdf.schema())
    return [SourceFile(source.path, f"{STREAM} {query}, batch {number}")], DataFrame(own, spark)


def _explain(source: Source, failure: PySparkException) -> InputError:
    said = str(failure)
    if "DELTA_SOURCE" in said:
        return InputError(
            f"Source '{source.name}': rows of its table were changed or deleted, and a stream takes in what is added. "
            "To pass over such changes, set `options: {skipChangeCommits: true}`."
        )
    return InputError(
        f"Source '{source.name}' cannot be followed as a stream [{failure.getCondition() or 'STREAM_FAILED'}]; check "
        "its path: a stream needs a folder, a glob or a Delta table that is there."
    )
