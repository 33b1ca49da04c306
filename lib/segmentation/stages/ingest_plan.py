"""What a run of ingest takes in, and which batches of it together."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from segmentation.contracts.errors import InputError
from segmentation.ingest.batches import Ledger, read_ledger
from segmentation.ingest.deliveries import Delivery, follow_deliveries, open_deliveries
from segmentation.ingest.stream import INFER
from segmentation.runtime.configured import configured
from segmentation.runtime.stage import StageContext

STREAMS = "_streams"
"""Folder of the warehouse with how far each stream was read."""


def plan_groups(context: StageContext, ledger: Ledger, replayed: str | None) -> Generator[list[Delivery]]:
    """Deliveries that are taken in together: each batch that was begun alone, then what is new of all sources in one
    group, then what streams bring, batch by batch. Of a replay, the one batch.

    A batch of a stream counts as taken in once the next group is asked for.
    """
    opened = open_deliveries(context.spark, context.settings, ledger)
    if replayed is not None:
        yield [_replayed(opened, replayed)]
        return
    yield from ([delivery] for delivery in opened if delivery.batch is not None)
    if new := [delivery for delivery in opened if delivery.batch is None]:
        yield new
    if any(source.stream is not None for source in context.settings.sources):
        if opened:
            # What was begun is done now: the streams do not bring it again.
            ledger = read_ledger(context.warehouse.read_or_empty("ingest_batches"))
        with closing(_streamed(context, ledger)) as streamed:
            yield from ([delivery] for delivery in streamed)


def _replayed(opened: list[Delivery], batch_id: str) -> Delivery:
    for delivery in opened:
        if delivery.batch is not None and delivery.batch.id == batch_id:
            return delivery
    raise InputError(
        f"Batch '{batch_id}' is of a table or topic that is followed as a stream, whose rows are not read twice: take "
        "repaired rows in with a source of their own."
    )


def _streamed(context: StageContext, ledger: Ledger) -> Generator[Delivery]:
    for source in context.settings.sources:
        if source.stream is None:
            continue
        checkpoint = context.warehouse.path(f"{STREAMS}/{source.name}")
        with closing(follow_deliveries(context.spark, context.settings, ledger, source, checkpoint)) as following:
            with configured(context.spark, INFER):
                first = next(following, None)
            if first is not None:
                yield first
                yield from following
