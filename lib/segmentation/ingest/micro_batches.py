"""The batches of a Structured Streaming query, one after the other, in the thread and session of who works on them."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from queue import Queue
from threading import Thread

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

_GATEWAY = logging.getLogger("py4j.clientserver")


@dataclass(frozen=True)
class MicroBatch:
    """One batch of a query; `rows` belong to the query's own session, which is a copy."""

    query: str
    number: int
    rows: DataFrame

    def rows_in(self, spark: SparkSession) -> DataFrame:
        """The rows in another session."""
        own = spark._jsparkSession.createDataFrame(self.rows._jdf.toJavaRDD(), self.rows._jdf.schema())
        return DataFrame(own, spark)


class _NotTakenError(Exception):
    """Ends the query, whose batch then comes again; why it was not taken in is told by who takes it in."""


def _is_news(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], _NotTakenError))


def take_batches(reader: DataFrame, name: str, checkpoint: str) -> Generator[MicroBatch]:
    """What is there now and was not by the checkpoint, batch after batch.

    A batch counts as taken once the next one is asked for. Who stops before gets the same one again: close the
    generator then. Raises `StreamingQueryException`.
    """
    arrived: Queue[tuple[DataFrame, int] | None] = Queue()
    taken: Queue[bool] = Queue()
    failures: list[StreamingQueryException] = []

    def hand_over(rows: DataFrame, number: int) -> None:
        arrived.put((rows, number))
        if not taken.get():
            raise _NotTakenError

    query = (
        reader.writeStream.queryName(name)
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
                rows, number = batch
                yield MicroBatch(query.id, number, rows)
                is_taken = True
            finally:
                taken.put(is_taken)
        if failures:
            raise failures[0]
    finally:
        query.stop()
        watcher.join()
        _GATEWAY.removeFilter(_is_news)
