"""Ingest: sources -> `events`, `events_quarantine`, `vault`, `consent`, with `ingest_batches` as the ledger.

A batch is the new files of one source, or what was added to a table since the last batch of its stream. It is judged
before anything of it is written; then its row in the ledger says `planned`, its refused rows, clear values, events and
statements of consent are written, and the row says `done`. A run that was killed in between finishes the planned batch
first, and replaces what was written of it. A stream's checkpoint moves on when its batch is done: it says what is new,
and the ledger what was taken in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.activation.consent import keep_newest, read_signals, read_statements
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import InputError
from segmentation.ingest.batches import (
    DONE,
    PLANNED,
    Batch,
    Counts,
    Ledger,
    count_rows,
    judge,
    listed,
    read_ledger,
)
from segmentation.ingest.conform import PERSONAL, RAW_JSON, REASONS, conform_rows
from segmentation.ingest.deliveries import Delivery, follow_deliveries, needed_key, open_deliveries
from segmentation.ingest.drift import find_changes, refuse_changes
from segmentation.ingest.duplicates import Suspects, find_suspects, split_duplicates
from segmentation.ingest.erased import turn_away_erased
from segmentation.ingest.freshness import find_stale, refuse_stale
from segmentation.ingest.mapping import quoted
from segmentation.ingest.near_duplicates import split_near_duplicates
from segmentation.ingest.reading import explained
from segmentation.ingest.stream import INFER
from segmentation.ingest.traffic import busy_days, flag_busy_days, flag_programs, forget_properties, suspect_days
from segmentation.ingest.volume import find_anomalies, history_days, refuse_anomalies
from segmentation.privacy.key import load_key
from segmentation.privacy.vault import new_vault_rows
from segmentation.runtime.configured import configured
from segmentation.runtime.plans import settled
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.runtime.warehouse import Written

FROM_THE_FUTURE = "consent_from_the_future"
"""Statements said later than they were taken in: nobody knows when they hold, so they are counted and left out."""

REPLAY = "replay"
"""The stage's option that names a batch to take in again."""

STREAMS = "_streams"
"""Folder of the warehouse with how far each stream was read."""

ROWS_A_FILE, ROWS_A_TASK = 1_000_000, 200_000


@dataclass(frozen=True)
class Taken:
    """One batch, taken in."""

    counts: Counts
    accepted: int
    duplicates: int
    flags: dict[str, int]
    """Events that it flagged, by what as."""
    notes: list[str]
    """What is odd about it as a whole, for people to look at."""


def run(context: StageContext) -> Outcome:
    """Takes in what is new. Raises `ConfigError` for a wrong mapping, `InputError` for a delivery that is refused."""
    ledger = read_ledger(context.warehouse.read_or_empty("ingest_batches"))
    if replayed := context.options.get(REPLAY):
        ledger = ledger.begin_again(replayed, context.now)
    key = needed_key(context.settings)
    newest = dict(ledger.newest)
    taken, seq = [], ledger.last_seq
    with closing(_deliveries(context, ledger, replayed)) as deliveries:
        for delivery in deliveries:
            seq += delivery.batch is None
            batch = delivery.batch or Batch(delivery.source.name, delivery.files, seq, context.now)
            context.tell(f"source {delivery.source.name}: {len(delivery.files)} files")
            taken.append(_take_in(context, ledger, delivery, batch, key))
            if last := taken[-1].counts.last:
                newest[batch.source] = max(last, newest.get(batch.source, last))
    stale = find_stale(context.settings.sources, newest, context.as_of_option or context.now.date())
    refuse_stale(context.settings.sources, stale)
    quiet = [f"{source}: {said}" for source, said in stale.items()]
    if not taken:
        figures = {"warnings": len(quiet)} if quiet else {}
        return Outcome(0, 0, figures, mode="incremental", message="; ".join(["no new files", *quiet]))
    reasons = _summed(batch.counts.reasons for batch in taken)
    flags = _summed(batch.flags for batch in taken)
    notes = [*(note for batch in taken for note in batch.notes), *quiet]
    early = sum(batch.counts.warnings.get(FROM_THE_FUTURE, 0) for batch in taken)
    return Outcome(
        rows_in=sum(batch.counts.read for batch in taken),
        rows_out=sum(batch.accepted for batch in taken),
        figures={
            "quarantined": sum(batch.counts.quarantined for batch in taken),
            "duplicates": sum(batch.duplicates for batch in taken),
            **{name: n for name, n in {**flags, FROM_THE_FUTURE: early, "warnings": len(notes)}.items() if n},
        },
        mode="incremental" if ledger.last_seq else "full",
        message="; ".join(filter(None, [listed(reasons), *notes])),
    )


def _deliveries(context: StageContext, ledger: Ledger, replayed: str | None) -> Generator[Delivery]:
    """Of a replay the one batch; else everything: what was begun, what is new, and what streams bring, one source after
    the other."""
    spark, settings = context.spark, context.settings
    opened = open_deliveries(spark, settings, ledger)
    if replayed is not None:
        again = [delivery for delivery in opened if delivery.batch and delivery.batch.id == replayed]
        if not again:
            raise InputError(
                f"Batch '{replayed}' is of a table that is followed as a stream, whose rows are not read twice: take "
                "repaired rows in with a source of their own."
            )
        yield from again
        return
    yield from opened
    streams = [source for source in settings.sources if source.stream is not None]
    if streams and opened:
        # What was begun is done now: the streams do not bring it again.
        ledger = read_ledger(context.warehouse.read_or_empty("ingest_batches"))
    for source in streams:
        checkpoint = context.warehouse.path(f"{STREAMS}/{source.name}")
        with closing(follow_deliveries(spark, settings, ledger, source, checkpoint)) as following:
            with configured(spark, INFER):
                first = next(following, None)
            if first is not None:
                yield first
                yield from following


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _take_in(context: StageContext, ledger: Ledger, delivery: Delivery, batch: Batch, key: bytes | None) -> Taken:
    source = delivery.source
    settings = context.settings
    conformed = conform_rows(delivery.rows, delivery.mapping, settings.identity, key, settings.traffic, batch.at)
    if context.warehouse.exists("tombstones"):
        stones, needing = context.warehouse.read("tombstones"), "Tombstones of people who were erased"
        trust = list(settings.identity.identifiers)
        conformed = turn_away_erased(conformed, stones, key or load_key(what=needing), trust)
    with ExitStack() as kept:
        with explained(source, delivery.files):
            rows = kept.enter_context(settled(conformed.df))
            counts = count_rows(replace(conformed, df=rows))
        if not counts.read and source.name not in ledger.done:
            raise InputError(
                f"Source '{source.name}' is empty: its files have no row; check the path and the delivery."
            )
        judge(batch, counts, conformed, source.max_bad_share)
        changes = _schema_changes(ledger, delivery, batch)
        return _write(context, delivery, batch, counts, rows, changes)


def _schema_changes(ledger: Ledger, delivery: Delivery, batch: Batch) -> list[str]:
    """Raises `InputError` where the source's policy takes none."""
    source, before = delivery.source, ledger.schema_before(batch)
    if before is None or source.schema_changes == "accept":
        return []
    changes = find_changes(before, _schema(delivery))
    if changes and source.schema_changes == "refuse":
        refuse_changes(source.name, changes)
    return changes


def _write(
    context: StageContext, delivery: Delivery, batch: Batch, counts: Counts, conformed: DataFrame, changes: list[str]
) -> Taken:
    """Writes one batch: ledger, quarantine, vault, events, ledger."""
    warehouse = context.warehouse

    def put(name: str, rows: DataFrame, batch_column: str = "batch_id") -> Written:
        """Nothing of a new batch can be in a table yet; what one that was begun has left there is replaced."""
        if delivery.batch is None:
            return warehouse.append(name, rows)
        return warehouse.replace_slice(name, rows, **{batch_column: batch.id})

    rows = conformed.withColumns({"batch_id": F.lit(batch.id), "batch_seq": F.lit(batch.seq)})
    good = rows.where(F.size(REASONS) == 0)
    new, duplicates = _without_duplicates(context, delivery, batch, counts, good)
    anomalies = _volume_anomalies(context, delivery, batch, counts, new)
    statements, early = _statements(context, batch, counts, new)
    if early:
        counts = replace(counts, warnings={**counts.warnings, FROM_THE_FUTURE: early})
    record = _ledger_row(context, delivery, batch, counts, duplicates, changes, anomalies)
    put("ingest_batches", record)

    quarantined = 0
    warehouse.ensure("events_quarantine")
    # A batch that was begun before may have refused rows then, and none now.
    if counts.quarantined or delivery.batch:
        refused = rows.where(F.size(REASONS) > 0).withColumnsRenamed({REASONS: "reasons", RAW_JSON: "raw"})
        refused = refused.withColumn("quarantined_ts", F.lit(batch.at))
        quarantined = put("events_quarantine", refused).rows
    warehouse.ensure("vault")
    if delivery.mapping.personal(context.settings.identity):
        values = good.select(F.inline(PERSONAL))
        fresh = new_vault_rows(values, warehouse.read_or_empty("vault"), batch.id)
        put("vault", fresh, "first_batch_id")
    busy = _busy_days(context, batch, counts, new)
    flagged = _flagged(context, delivery, new, busy)
    accepted = put("events", _laid_out(flagged, counts.good, context.spark)).rows

    if accepted + quarantined + duplicates != counts.read:
        warehouse.replace_slice("events", new.limit(0), batch_id=batch.id)
        raise InputError(
            f"Source '{batch.source}': {counts.read:,} rows were read, but {accepted:,} accepted, {quarantined:,} "
            f"quarantined and {duplicates:,} duplicate: its files changed while they were read. "
            "Start again when they are at rest."
        )
    flags = _count_flags(context, batch)
    if busy is not None:
        flags["bots"] += _flag_earlier(context, batch, counts, busy)
    # Last, so that a batch that is refused after all has neither granted nor withdrawn anything.
    settings = context.settings
    warehouse.ensure("consent")
    if settings.consent or settings.global_privacy_control:
        put("consent", statements)
    warehouse.replace_slice("ingest_batches", record.withColumn("status", F.lit(DONE)), batch_id=batch.id)
    return Taken(counts, accepted, duplicates, flags, [f"{batch.source}: {note}" for note in (*changes, *anomalies)])


def _statements(context: StageContext, batch: Batch, counts: Counts, new: DataFrame) -> tuple[DataFrame, int]:
    """What the batch says of consent, and how much more is from the future."""
    settings = context.settings
    trust = list(settings.identity.identifiers)
    said = context.spark.createDataFrame([], CATALOGUE["consent"].schema)
    if settings.consent:
        said = read_statements(new, settings.consent, trust)
    control = settings.global_privacy_control
    signals = read_signals(new, control, trust) if control else said.limit(0)
    in_time = F.col("consent_ts") <= F.lit(batch.at)
    # Looking costs a pass over the batch: not where all of it is of days before.
    has_later = counts.last is not None and counts.last >= batch.at.date()
    early = said.unionByName(signals).where(~in_time).count() if has_later else 0
    said = said.where(in_time)
    return said.unionByName(keep_newest(signals.where(in_time))) if control else said, early


def _without_duplicates(
    context: StageContext, delivery: Delivery, batch: Batch, counts: Counts, good: DataFrame
) -> tuple[DataFrame, int]:
    """The rows that are new, and how many are not."""
    if not counts.good:
        return good, 0
    # An id made of the content holds the time, so only its own date matters; an id of the source's may come again with
    # another time, if not with one far away.
    source = delivery.source
    earlier = _events_around(context, batch, counts, source.duplicate_days if source.columns.event_id else 0)
    suspects = find_suspects(good, earlier).hashes.localCheckpoint()
    new, count = good, 0
    if suspects.count():
        new, duplicates = split_duplicates(good, earlier, Suspects(suspects))
        count = duplicates.count()
    if source.near_duplicate_seconds:
        own = _events_around(context, batch, counts, days=1).where(F.col("source") == source.name)
        new, repeats = split_near_duplicates(new, own, source.near_duplicate_seconds)
        count += repeats.count()
    return new, count


def _volume_anomalies(
    context: StageContext, delivery: Delivery, batch: Batch, counts: Counts, new: DataFrame
) -> list[str]:
    """Raises `InputError` where the source's policy takes none."""
    volume = delivery.source.volume
    if volume is None or counts.first is None or counts.last is None:
        return []
    columns = ("event_name", "event_date")
    earlier = _events_around(context, batch, counts, history_days(volume).days).where(F.col("source") == batch.source)
    events = earlier.select(*columns).unionByName(new.select(*columns))
    anomalies = find_anomalies(events, counts.first, counts.last, volume)
    if anomalies and volume.policy == "refuse":
        refuse_anomalies(batch.source, anomalies)
    return anomalies


def _events_around(context: StageContext, batch: Batch, counts: Counts, days: int = 0) -> DataFrame:
    """Events of other batches on the days of this one, and some days before and after."""
    assert counts.first, "a batch with good rows has dates"
    assert counts.last, "a batch with good rows has dates"
    around = timedelta(days=days)
    events = context.warehouse.read_or_empty("events").where(F.col("batch_id") != batch.id)
    return events.where(F.col("event_date").between(counts.first - around, counts.last + around))


def _busy_days(context: StageContext, batch: Batch, counts: Counts, new: DataFrame) -> DataFrame | None:
    """Identifiers and days that this batch shows to be no person's; None: there are none."""
    settings = context.settings
    rates, how = settings.traffic.bots.rates, (list(settings.identity.identifiers), settings.sessions.passive_events)
    if not counts.good or not rates.limited:
        return None
    earlier = _events_around(context, batch, counts)
    suspects = suspect_days(new, earlier, rates, *how).localCheckpoint()
    if suspects.isEmpty():
        return None
    busy = busy_days(new, earlier, suspects, rates, *how).localCheckpoint()
    return None if busy.isEmpty() else busy


def _flagged(context: StageContext, delivery: Delivery, new: DataFrame, busy: DataFrame | None) -> DataFrame:
    """The new events as they are kept: with `is_bot`, and without what was only to be looked at."""
    settings = context.settings
    says_agent = settings.traffic.bots.user_agent in delivery.source.columns.properties
    flagged = flag_programs(new, settings.traffic) if says_agent else new
    if busy is not None:
        flagged = flag_busy_days(flagged, busy, settings.traffic.bots.rates, list(settings.identity.identifiers))
    return forget_properties(flagged, settings.traffic)


def _count_flags(context: StageContext, batch: Batch) -> dict[str, int]:
    taken = context.warehouse.read("events").where(F.col("batch_id") == batch.id)
    row = taken.agg(F.count_if("is_bot").alias("bots"), F.count_if("is_test").alias("tests")).first()
    assert row is not None, "an aggregate without groups has one row"
    return row.asDict()


def _flag_earlier(context: StageContext, batch: Batch, counts: Counts, busy: DataFrame) -> int:
    """Flags events of earlier batches on days that only this batch shows to be too busy, and returns how many."""
    settings = context.settings
    unflagged = _events_around(context, batch, counts).where(~F.col("is_bot"))
    rates, trust = settings.traffic.bots.rates, list(settings.identity.identifiers)
    found = flag_busy_days(unflagged, busy, rates, trust).where("is_bot").select("event_id", "event_date", "is_bot")
    return context.warehouse.merge(
        "events",
        found.localCheckpoint(),
        ["event_id", "event_date"],
        lambda merge: merge.whenMatchedUpdate(set={"is_bot": "change.is_bot"}),
    )


def _laid_out(rows: DataFrame, count: int, spark: SparkSession) -> DataFrame:
    """The rows in few files, each of a stretch of time of its own, so that readers of some days skip the others."""
    tasks = min(spark.sparkContext.defaultParallelism, -(-count // ROWS_A_TASK))
    return rows.repartitionByRange(max(1, tasks, -(-count // ROWS_A_FILE)), "event_ts")


def _schema(delivery: Delivery) -> str:
    own = delivery.rows.df.select(*(quoted(column) for column in delivery.rows.own)).schema
    return ", ".join(f"{quoted(f.name)} {f.dataType.simpleString()}" for f in own)


def _ledger_row(
    context: StageContext,
    delivery: Delivery,
    batch: Batch,
    counts: Counts,
    duplicates: int,
    changes: list[str],
    anomalies: list[str],
) -> DataFrame:
    values = {
        "batch_id": batch.id,
        "batch_seq": batch.seq,
        "source": batch.source,
        "status": PLANNED,
        "files": [file.path for file in batch.files],
        "file_stamps": [file.stamp for file in batch.files],
        "source_schema": _schema(delivery),
        "schema_changes": changes,
        "volume_anomalies": anomalies,
        "rows_read": counts.read,
        "accepted": counts.good - duplicates,
        "quarantined": counts.quarantined,
        "duplicates": duplicates,
        "reasons": {**counts.warnings, **counts.reasons},
        "min_event_date": counts.first,
        "max_event_date": counts.last,
        "ingested_ts": batch.at,
    }
    table = CATALOGUE["ingest_batches"]
    return context.spark.createDataFrame([tuple(values.get(name) for name in table.column_names)], table.schema)


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
    reusable=False,
)
