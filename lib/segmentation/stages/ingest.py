"""Ingest: sources -> `events`, `events_quarantine`, `vault`, `consent`, with `ingest_batches` as the ledger.

A batch is the new files of one source, or what was added to a table since the last batch of its stream. The new batches
of all sources are taken in as one group: each is judged before anything is written, and each table is written once for
all of them. A run that was killed finishes the batches that it had begun first, and replaces what was written of them.
A stream's checkpoint moves on when its batch is done: it says what is new, and the ledger what was taken in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from pyspark.sql import DataFrame

from segmentation.contracts.errors import InputError, UnreadableError
from segmentation.ingest.batches import Batch, Ledger, count_rows, judge, listed, read_ledger
from segmentation.ingest.conform import conform_rows
from segmentation.ingest.deliveries import Delivery, needed_key, without_damaged
from segmentation.ingest.drift import find_changes, find_retyped, refuse_changes
from segmentation.ingest.erased import turn_away_erased
from segmentation.ingest.freshness import find_recent, find_stale, refuse_stale
from segmentation.ingest.kinds import find_kinds
from segmentation.ingest.reading import explained
from segmentation.ingest.repairs import leave_repaired, was_repaired
from segmentation.ingest.unreadable import Unreadable
from segmentation.privacy.key import load_key
from segmentation.runtime.plans import settled
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.stages.ingest_plan import finish_repairs, open_handed_in, open_replayed, plan_groups
from segmentation.stages.ingest_write import FROM_THE_FUTURE, Group, Judged, Taken, write_group, write_set_aside

REPLAY, REPAIRED = "replay", "repaired"
"""The stage's options that name a batch to take in again, and the file of its repaired rows, where they are to be taken
in instead."""


def run(context: StageContext) -> Outcome:
    """Takes in what is new. Raises `ConfigError` for a wrong mapping, `InputError` for a delivery that is refused."""
    ledger = read_ledger(context.warehouse.read_or_empty("ingest_batches"))
    replayed, repaired = context.options.get(REPLAY), context.options.get(REPAIRED)
    if replayed and not repaired:
        ledger = ledger.begin_again(replayed, context.now)
    key = needed_key(context.settings)
    taken: list[Taken] = []
    aside: list[Unreadable] = []
    seq = ledger.last_seq
    with closing(_groups(context, ledger, replayed, repaired)) as groups:
        for group in groups:
            with ExitStack() as kept:
                judged, unreadable = _judge_all(context, ledger, group, seq, key, kept)
                if judged:
                    taken.append(write_group(context, Group(tuple(judged))))
            seq += sum(one.delivery.batch is None for one in judged)
            for one in unreadable:
                seq += 1
                write_set_aside(context, Batch(one.source.name, one.files, seq, context.now))
            aside += unreadable
    return _outcome(context, ledger, taken, aside)


def _groups(
    context: StageContext, ledger: Ledger, replayed: str | None, repaired: str | None
) -> Generator[Sequence[Delivery | Unreadable]]:
    """What is to be taken in, see `plan_groups`; of a replay, the one batch, after what was begun of its repair."""
    if replayed is None:
        yield from plan_groups(context, ledger)
        return
    yield from finish_repairs(context, ledger, replayed)
    if repaired is None:
        yield [open_replayed(context, ledger, replayed)]
    elif handed_in := open_handed_in(context, ledger, replayed, repaired):
        yield [handed_in]


def _judge_all(
    context: StageContext,
    ledger: Ledger,
    group: Sequence[Delivery | Unreadable],
    seq: int,
    key: bytes | None,
    kept: ExitStack,
) -> tuple[list[Judged], list[Unreadable]]:
    """Judges the batches of a group, the first new one of which is number `seq` + 1, and says what of it is set aside,
    also where only the rows show that a file cannot be read."""
    judged: list[Judged] = []
    aside = [one for one in group if isinstance(one, Unreadable)]
    waiting = [one for one in group if isinstance(one, Delivery)]
    repairs = context.options[REPLAY] if REPAIRED in context.options else None
    while waiting:
        delivery, *waiting = waiting
        number = seq + 1 + sum(one.delivery.batch is None for one in judged)
        batch = delivery.batch or Batch(delivery.source.name, delivery.files, number, context.now, repairs)
        try:
            judged.append(_judge(context, ledger, delivery, batch, key, kept))
        except UnreadableError as error:
            rest, unreadable = without_damaged(context.spark, context.settings, delivery, error)
            aside.append(unreadable)
            waiting = [rest, *waiting] if rest else waiting
    return judged, aside


def _judge(
    context: StageContext, ledger: Ledger, delivery: Delivery, batch: Batch, key: bytes | None, kept: ExitStack
) -> Judged:
    """Reads a batch and keeps its rows until `kept` is closed. Raises `InputError` where it is refused."""
    source, settings = delivery.source, context.settings
    context.tell(f"source {source.name}: {len(delivery.files)} files")
    repaired = None if delivery.batch is None else _repaired_rows(context, batch)
    conformed = conform_rows(
        delivery.rows,
        delivery.mapping,
        settings.identity,
        key,
        settings.traffic,
        batch.at,
        with_raw=repaired is not None,
    )
    if repaired is not None:
        conformed = leave_repaired(conformed, repaired)
    if context.warehouse.exists("tombstones"):
        stones, needing = context.warehouse.read("tombstones"), "Tombstones of people who were erased"
        trust = list(settings.identity.identifiers)
        conformed = turn_away_erased(conformed, stones, key or load_key(what=needing), trust)
    with explained(source, delivery.files, delivery.rows.is_masked):
        rows = kept.enter_context(settled(conformed.df))
        counts = count_rows(replace(conformed, df=rows))
    if not counts.read and batch.repairs is None and source.name not in ledger.done:
        raise InputError(f"Source '{source.name}' is empty: its files have no row; check the path and the delivery.")
    judge(batch, counts, conformed, source.max_bad_share)
    is_watched = source.schema_changes != "accept" and batch.repairs is None
    kinds = find_kinds(delivery.rows) if is_watched else {}
    changes = _schema_changes(ledger, delivery, batch, kinds) if is_watched else []
    return Judged(delivery, batch, counts, rows, changes, kinds)


def _repaired_rows(context: StageContext, batch: Batch) -> DataFrame | None:
    """Rows of a batch from before that were repaired, see `was_repaired`; None: there are none."""
    rows = was_repaired(context.warehouse.read_or_empty("events_quarantine"), batch.id)
    return None if rows.isEmpty() else rows


def _schema_changes(ledger: Ledger, delivery: Delivery, batch: Batch, kinds: Mapping[str, str]) -> list[str]:
    """How the source's columns differ from those of its delivery before. Raises `InputError` where its policy takes
    no change."""
    source, before = delivery.source, ledger.before(batch)
    if before is None or before.schema is None:
        return []
    changes = find_changes(before.schema, delivery.schema) + find_retyped(before.kinds, kinds)
    if changes and source.schema_changes == "refuse":
        refuse_changes(source.name, changes)
    return changes


def _outcome(context: StageContext, ledger: Ledger, groups: list[Taken], aside: list[Unreadable]) -> Outcome:
    """What all groups brought, and what was set aside. Raises `InputError` where a source has been quiet for longer
    than it may."""
    sources = context.settings.sources
    batches = [batch for taken in groups for batch in taken.group.batches]
    newest = dict(ledger.newest)
    for one in batches:
        if last := one.counts.last:
            newest[one.batch.source] = max(last, newest.get(one.batch.source, last))
    today = context.as_of_option or context.now.date()
    stale = find_stale(sources, newest, today, find_recent(context.warehouse.read_or_empty("events"), sources, today))
    refuse_stale(sources, stale)
    odd = [f"{one.source.name}: {one.note}" for one in aside]
    odd += [f"{source}: {said}" for source, said in stale.items()]
    files_aside = sum(len(one.files) for one in aside)
    if not batches:
        figures = {name: n for name, n in (("files_set_aside", files_aside), ("warnings", len(odd))) if n}
        nothing = "no row that waits to be repaired" if REPAIRED in context.options else "no new files"
        return Outcome(0, 0, figures, mode="incremental", message="; ".join(odd if aside else [nothing, *odd]))
    reasons = _summed(one.counts.reasons for one in batches)
    notes = [*(note for taken in groups for note in taken.notes), *odd]
    early = sum(taken.early for taken in groups)
    sampled = sum(taken.sampled for taken in groups)
    said = {
        "sampled": sampled,
        **_summed(taken.flags for taken in groups),
        FROM_THE_FUTURE: early,
        "files_set_aside": files_aside,
        "warnings": len(notes),
    }
    return Outcome(
        rows_in=sum(taken.group.read for taken in groups),
        rows_out=sum(taken.accepted for taken in groups),
        figures={
            "quarantined": sum(taken.group.quarantined for taken in groups),
            "duplicates": sum(taken.duplicates for taken in groups),
            **{name: n for name, n in said.items() if n},
        },
        mode="incremental" if ledger.last_seq else "full",
        message="; ".join(filter(None, [listed(reasons), *notes])),
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


STAGE = Stage(
    name="ingest",
    help="Take new files of the sources in: events, and rows refused with their reasons.",
    reads=(),
    writes=("events", "events_quarantine", "ingest_batches", "vault", "consent"),
    state=("ingest_batches",),
    run=run,
    depends_on=lambda settings: (
        settings.sources,
        settings.identity,
        settings.traffic,
        settings.consent,
        settings.global_privacy_control,
    ),
    needs=needed_key,
    reusable=False,
)
