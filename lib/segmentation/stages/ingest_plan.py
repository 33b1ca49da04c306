"""What a run of ingest takes in, and which batches of it together."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from segmentation.contracts.errors import InputError
from segmentation.ingest.batches import Batch, Ledger, read_ledger
from segmentation.ingest.deliveries import Delivery, follow_deliveries, open_deliveries, open_repaired
from segmentation.ingest.files import matching_files
from segmentation.ingest.stream import INFER
from segmentation.ingest.unreadable import Unreadable
from segmentation.runtime.configured import configured
from segmentation.runtime.stage import StageContext

STREAMS = "_streams"
"""Folder of the warehouse with how far each stream was read."""


def plan_groups(context: StageContext, ledger: Ledger) -> Generator[Sequence[Delivery | Unreadable]]:
    """Deliveries that are taken in together, and what of them is set aside: each batch that was begun alone, then what
    is new of all sources in one group, then what streams bring, batch by batch.

    A batch of a stream counts as taken in once the next group is asked for.
    """
    opened = open_deliveries(context.spark, context.settings, ledger)
    for repaired in dict.fromkeys(batch.repairs for batch in ledger.begun if batch.repairs is not None):
        yield from finish_repairs(context, ledger, repaired)
    yield from ([one] for one in opened if isinstance(one, Delivery) and one.batch is not None)
    if new := [one for one in opened if isinstance(one, Unreadable) or one.batch is None]:
        yield new
    if any(source.stream is not None for source in context.settings.sources):
        if opened:
            # What was begun is done now: the streams do not bring it again.
            ledger = read_ledger(context.warehouse.read_or_empty("ingest_batches"))
        with closing(_streamed(context, ledger)) as streamed:
            yield from streamed


def finish_repairs(context: StageContext, ledger: Ledger, repaired: str) -> Generator[Sequence[Delivery]]:
    """Each batch of repaired rows of the batch `repaired` that was begun and not finished. Its events may be there
    already, and of others that say the same nothing would be taken in."""
    for batch in ledger.begun:
        if batch.repairs == repaired:
            yield [_repaired_again(context, ledger, batch, is_begun=True)]


def open_replayed(context: StageContext, ledger: Ledger, batch_id: str) -> Delivery:
    """A batch that is to be taken in again (`Ledger.begin_again`). Raises `InputError` where it cannot be read."""
    opened = open_deliveries(context.spark, context.settings, ledger)
    batch = ledger.find(batch_id).batch
    if batch.repairs is not None:
        return _repaired_again(context, ledger, batch, is_begun=False)
    for one in opened:
        if isinstance(one, Delivery) and one.batch is not None and one.batch.id == batch_id:
            return one
    raise InputError(
        f"Batch '{batch_id}' is of a table or topic that is followed as a stream, whose rows are not read twice: those "
        "that were refused can be repaired, see `segmentation replay --help`."
    )


def open_handed_in(context: StageContext, ledger: Ledger, repaired: str, path: str) -> Delivery | None:
    """Repaired rows of the batch `repaired` in a file, folder or glob; None: all of them were taken in before, or just
    now (`finish_repairs`). Raises `InputError` where there is none."""
    source = ledger.find(repaired).batch.source
    files = tuple(sorted(matching_files(context.spark, path)))
    if not files:
        raise InputError(f"No file matches '{path}': name the one with the repaired rows.")
    batch = Batch(source, files, ledger.last_seq + 1, context.now, repaired)
    if batch.id in {begun.id for begun in ledger.begun}:
        return None
    return _open_repaired(context, ledger, batch, is_begun=False)


def _repaired_again(context: StageContext, ledger: Ledger, batch: Batch, is_begun: bool) -> Delivery:
    there = [file for known in batch.files for file in matching_files(context.spark, known.path)]
    gone = {(file.path, file.stamp) for file in batch.files} - {(file.path, file.stamp) for file in there}
    delivery = None if gone else _open_repaired(context, ledger, batch, is_begun)
    if delivery is None:
        raise InputError(
            f"Repaired rows of batch '{batch.repairs}' are to be taken in again, and their file "
            f"'{batch.files[0].path}' is gone or has changed since: put it back as it was, then start again."
        )
    return delivery


def _open_repaired(context: StageContext, ledger: Ledger, batch: Batch, is_begun: bool) -> Delivery | None:
    quarantine = context.warehouse.read_or_empty("events_quarantine")
    return open_repaired(context.spark, context.settings, ledger, batch, quarantine, is_begun)


def _streamed(context: StageContext, ledger: Ledger) -> Generator[Sequence[Delivery | Unreadable]]:
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
