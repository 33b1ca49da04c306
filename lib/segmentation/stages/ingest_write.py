"""How batches that may be taken in are written: together, each table once, in an order that a kill does not hurt.

First their rows in the ledger say `planned`; then come refused rows, clear values, events and statements of consent;
then the rows of the ledger say `done`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from segmentation.activation.consent import keep_newest, read_signals, read_statements
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import InputError
from segmentation.ingest.batches import DONE, PLANNED, SET_ASIDE, Batch, Counts
from segmentation.ingest.conform import PERSONAL, RAW_JSON, REASONS
from segmentation.ingest.deliveries import Delivery
from segmentation.ingest.duplicates import Suspects, find_suspects, split_duplicates
from segmentation.ingest.near_duplicates import split_near_duplicates
from segmentation.ingest.repairs import keep_marks, mark_repaired
from segmentation.ingest.sampling import is_left_out
from segmentation.ingest.traffic import (
    busy_days,
    flag_busy_days,
    flag_programs,
    forget_properties,
    seen_programs,
    suspect_days,
)
from segmentation.ingest.volume import find_anomalies, history_days, refuse_anomalies
from segmentation.privacy.vault import new_vault_rows
from segmentation.runtime.plans import counted
from segmentation.runtime.stage import StageContext
from segmentation.runtime.warehouse import Written

FROM_THE_FUTURE = "consent_from_the_future"
"""Statements said later than they were taken in: nobody knows when they hold, so they are counted and left out."""

ROWS_A_FILE, ROWS_A_TASK = 1_000_000, 200_000


@dataclass(frozen=True)
class Judged:
    """A batch that may be taken in."""

    delivery: Delivery
    batch: Batch
    counts: Counts
    rows: DataFrame
    """Conformed, and kept while they are written."""
    changes: list[str]
    """How the source's columns differ from those of its batch before."""
    kinds: Mapping[str, str]
    """What the values of its columns of text look like."""


@dataclass(frozen=True)
class Group:
    """Batches that are taken in together at one moment: new ones of different sources, or one that was begun before."""

    batches: tuple[Judged, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(one.batch.id for one in self.batches)

    @property
    def is_begun(self) -> bool:
        """Whether something of it may have been written already."""
        return any(one.delivery.batch is not None for one in self.batches)

    @property
    def at(self) -> datetime:
        return self.batches[0].batch.at

    @property
    def read(self) -> int:
        return sum(one.counts.read for one in self.batches)

    @property
    def good(self) -> int:
        return sum(one.counts.good for one in self.batches)

    @property
    def quarantined(self) -> int:
        return sum(one.counts.quarantined for one in self.batches)

    @cached_property
    def rows(self) -> DataFrame:
        """All rows, with `batch_id` and `batch_seq`."""
        each = (
            one.rows.withColumns({"batch_id": F.lit(one.batch.id), "batch_seq": F.lit(one.batch.seq)})
            for one in self.batches
        )
        return reduce(DataFrame.unionByName, each)

    def among(self, dates: Column, days: Mapping[str, int] | None = None) -> Column:
        """Whether a date is among those of a batch, or up to `days` (source -> number, else none) before or after."""
        near = [
            dates.between(one.counts.first - around, one.counts.last + around)
            for one in self.batches
            if one.counts.first and one.counts.last
            for around in [timedelta(days=(days or {}).get(one.batch.source, 0))]
        ]
        return reduce(or_, near, F.lit(False))


@dataclass(frozen=True)
class Taken:
    """A group that was taken in."""

    group: Group
    duplicates: int
    sampled: int
    """Rows left out because others stand for them."""
    early: int
    """Statements of consent that were left out (`FROM_THE_FUTURE`)."""
    flags: Mapping[str, int]
    """Events that it flagged, its own and earlier ones, by what as."""
    notes: list[str]
    """What is odd about a batch as a whole, for people to look at."""

    @property
    def accepted(self) -> int:
        return self.group.good - self.duplicates - self.sampled


def write_group(context: StageContext, group: Group) -> Taken:
    """Writes the batches of a group. Raises `InputError` where its files changed meanwhile, or a source's policy
    refuses unusual days; nothing of the group is in `events` then."""
    warehouse, settings = context.warehouse, context.settings

    def put(name: str, rows: DataFrame, batch_column: str = "batch_id") -> Written:
        """Nothing of a new batch can be in a table yet; what one that was begun has left there is replaced."""
        if group.is_begun:
            return warehouse.replace_slice(name, rows, **{batch_column: group.ids})
        return warehouse.append(name, rows)

    good = group.rows.where(F.size(REASONS) == 0)
    new, duplicates = _without_duplicates(context, group, good)
    is_sampled = any(one.delivery.source.sample for one in group.batches)
    kept_of, left_out = _sampled(new) if is_sampled else (new, {})
    anomalies = {one.batch.id: _volume_anomalies(context, group, one, new) for one in group.batches}
    statements, early = _statements(context, group, new)
    records = _ledger_rows(context, group, duplicates, left_out, early, anomalies)
    put("ingest_batches", records)

    quarantined = 0
    warehouse.ensure("events_quarantine")
    # A batch that was begun before may have refused rows then, and none now.
    if group.is_begun or group.quarantined:
        refused = group.rows.where(F.size(REASONS) > 0).withColumnsRenamed({REASONS: "reasons", RAW_JSON: "raw"})
        # They are few, and lie among all the others.
        few = refused.repartition(max(1, -(-group.quarantined // ROWS_A_TASK)))
        before = warehouse.read("events_quarantine") if group.is_begun else None
        marked = keep_marks(few, before, group.ids)
        quarantined = put("events_quarantine", marked.withColumn("quarantined_ts", F.lit(group.at))).rows
    warehouse.ensure("vault")
    if any(one.delivery.mapping.personal(settings.identity) for one in group.batches):
        of_events = good.where(~is_left_out()) if is_sampled else good
        values = of_events.select("batch_id", "batch_seq", F.inline(PERSONAL))
        put("vault", new_vault_rows(values, warehouse.read_or_empty("vault"), group.ids), "first_batch_id")
    repeated, sampled = sum(duplicates.values()), sum(left_out.values())
    with ExitStack() as kept:
        busy = _busy_days(context, group, new, kept)
        events = _laid_out(_flagged(context, group, kept_of, busy, kept), group.good - sampled, context.spark)
        found = Observation()
        if group.good > repeated + sampled:  # what never meets a row may be planned away, and is never answered
            events = events.observe(found, F.count_if("is_bot").alias("bots"), F.count_if("is_test").alias("tests"))
        accepted = put("events", events).rows
        if accepted + quarantined + repeated + sampled != group.read:
            warehouse.replace_slice("events", new.limit(0), batch_id=group.ids)
            raise _changed_meanwhile(group, accepted, quarantined, repeated, sampled)
        flags = Counter(found.get if accepted else {})
        if busy is not None:
            flags["bots"] += _flag_earlier(context, group, busy)
    for one in group.batches:
        if repaired := one.batch.repairs:
            before, handed_in = warehouse.read("events_quarantine"), one.delivery.rows.df
            marked = mark_repaired(before, repaired, handed_in, one.batch.id)
            warehouse.replace_slice("events_quarantine", marked, batch_id=repaired)
    # Last, so that batches which are refused after all have neither granted nor withdrawn anything.
    warehouse.ensure("consent")
    if settings.consent or settings.global_privacy_control:
        put("consent", statements)
    warehouse.replace_slice("ingest_batches", records.withColumn("status", F.lit(DONE)), batch_id=group.ids)
    notes = [
        f"{one.batch.source}: {note}"
        for one in group.batches
        for note in (*one.delivery.notes, *one.changes, *anomalies[one.batch.id])
    ]
    return Taken(group, repeated, sampled, sum(early.values()), flags, notes)


def write_set_aside(context: StageContext, batch: Batch) -> None:
    """Says in the ledger that files were left alone, so that they are told once and looked at when they change."""
    counts = dict.fromkeys(("rows_read", "accepted", "quarantined", "duplicates", "sampled"), 0)
    rows = [{**_named(batch), "status": SET_ASIDE, **counts}]
    context.warehouse.append("ingest_batches", _ledger_frame(context, rows))


def _changed_meanwhile(group: Group, accepted: int, quarantined: int, duplicates: int, sampled: int) -> InputError:
    names = ", ".join(f"'{one.batch.source}'" for one in group.batches)
    who, whose = ("Source", "its") if len(group.batches) == 1 else ("Sources", "their")
    return InputError(
        f"{who} {names}: {group.read:,} rows were read, but {accepted:,} accepted, {quarantined:,} quarantined, "
        f"{duplicates:,} duplicate and {sampled:,} left out by sampling: {whose} files changed while they were read. "
        "Start again when they are at rest."
    )


def _statements(context: StageContext, group: Group, new: DataFrame) -> tuple[DataFrame, dict[str, int]]:
    """What the group says of consent, and how much more of each batch is from the future."""
    settings = context.settings
    trust = list(settings.identity.identifiers)
    said = context.spark.createDataFrame([], CATALOGUE["consent"].schema)
    if settings.consent:
        said = read_statements(new, settings.consent, trust)
    control = settings.global_privacy_control
    signals = read_signals(new, control, trust) if control else said.limit(0)
    in_time = F.col("consent_ts") <= F.lit(group.at)
    # Looking costs a pass over the rows: not where all of it is of days before.
    has_later = any(one.counts.last and one.counts.last >= group.at.date() for one in group.batches)
    early = _count_by_batch(said.unionByName(signals).where(~in_time)) if has_later else {}
    said = said.where(in_time)
    return said.unionByName(keep_newest(signals.where(in_time))) if control else said, early


def _count_by_batch(rows: DataFrame) -> dict[str, int]:
    return {row["batch_id"]: row["count"] for row in rows.groupBy("batch_id").count().collect()}


def _without_duplicates(context: StageContext, group: Group, good: DataFrame) -> tuple[DataFrame, dict[str, int]]:
    """The rows that are new, and how many of each batch are not."""
    if not group.good:
        return good, {}
    # An id made of the content holds the time, so only its own date matters; an id of the source's may come again with
    # another time, if not with one far away.
    sources = [one.delivery.source for one in group.batches]
    earlier = _events_around(
        context, group, {source.name: source.duplicate_days for source in sources if source.columns.event_id}
    )
    suspects = find_suspects(good, earlier).hashes.localCheckpoint()
    new, found = good, {}
    if suspects.count():
        keep_last = [source.name for source in sources if source.keep == "last"]
        new, duplicates = split_duplicates(good, earlier, Suspects(suspects), keep_last)
        found = _count_by_batch(duplicates)
    for source in sources:
        if source.near_duplicate_seconds:
            of_source = F.col("source") == source.name
            own = _events_around(context, group, {source.name: 1}).where(of_source)
            near = source.near_duplicate_seconds
            once, repeats = split_near_duplicates(new.where(of_source), own, near, source.keep)
            new = new.where(~of_source).unionByName(once)
            for batch_id, count in _count_by_batch(repeats).items():
                found[batch_id] = found.get(batch_id, 0) + count
    return new, found


def _sampled(new: DataFrame) -> tuple[DataFrame, dict[str, int]]:
    """The events that are kept, and how many of each batch are not."""
    return new.where(~is_left_out()), _count_by_batch(new.where(is_left_out()))


def _volume_anomalies(context: StageContext, group: Group, one: Judged, new: DataFrame) -> list[str]:
    """Raises `InputError` where the source's policy takes none."""
    volume, counts, source = one.delivery.source.volume, one.counts, one.batch.source
    if volume is None or counts.first is None or counts.last is None:
        return []
    columns = ("event_name", "event_date", "weight")
    of_source = F.col("source") == source
    earlier = _events_around(context, group, {source: history_days(volume).days}).where(of_source)
    # Nothing of the new is left out yet: each stands for itself.
    unsampled = new.where(of_source).withColumn("weight", F.lit(None).cast("bigint"))
    events = earlier.select(*columns).unionByName(unsampled.select(*columns))
    anomalies = find_anomalies(events, counts.first, counts.last, volume)
    if anomalies and volume.policy == "refuse":
        refuse_anomalies(source, anomalies)
    return anomalies


def _events_around(context: StageContext, group: Group, days: Mapping[str, int] | None = None) -> DataFrame:
    """Events of other batches on the days of these, and some `days` before and after those of a source."""
    events = context.warehouse.read_or_empty("events").where(~F.col("batch_id").isin(*group.ids))
    return events.where(group.among(F.col("event_date"), days))


def _busy_days(context: StageContext, group: Group, new: DataFrame, kept: ExitStack) -> DataFrame | None:
    """Identifiers and days that the group shows to be no person's; None: there are none."""
    settings = context.settings
    passive = [*settings.sessions.passive_events, *settings.identity.link_events]
    rates, how = settings.traffic.bots.rates, (list(settings.identity.identifiers), passive)
    if not group.good or not rates.limited:
        return None
    earlier = _events_around(context, group)
    suspects = suspect_days(new, earlier, rates, *how).localCheckpoint()
    if suspects.isEmpty():
        return None
    busy = kept.enter_context(counted(busy_days(new, earlier, suspects, rates, *how)))
    return None if busy.isEmpty() else busy


def _flagged(context: StageContext, group: Group, new: DataFrame, busy: DataFrame | None, kept: ExitStack) -> DataFrame:
    """The new events as they are kept: with `is_bot`, and without what was only to be looked at."""
    traffic, flagged = context.settings.traffic, new
    bots = traffic.bots
    says_agent = any(bots.user_agent in one.delivery.source.columns.properties for one in group.batches)
    if says_agent and (bots.known or bots.agents):
        # Counted first, and so are busy days: Spark brings the few to the events, and does not sort these by them.
        programs = kept.enter_context(counted(seen_programs(new, traffic)))
        flagged = flag_programs(new, programs, traffic)
    if busy is not None:
        flagged = flag_busy_days(flagged, busy, bots.rates, list(context.settings.identity.identifiers))
    return forget_properties(flagged, traffic)


def _flag_earlier(context: StageContext, group: Group, busy: DataFrame) -> int:
    """Flags events of earlier batches on days that only this group shows to be too busy, and returns how many."""
    settings = context.settings
    unflagged = _events_around(context, group).where(~F.col("is_bot"))
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


def _ledger_rows(
    context: StageContext,
    group: Group,
    duplicates: Mapping[str, int],
    left_out: Mapping[str, int],
    early: Mapping[str, int],
    anomalies: Mapping[str, list[str]],
) -> DataFrame:
    rows = []
    for one in group.batches:
        batch, counts = one.batch, one.counts
        late = {FROM_THE_FUTURE: early[batch.id]} if batch.id in early else {}
        values = {
            **_named(batch),
            "status": PLANNED,
            "source_schema": one.delivery.schema,
            "source_kinds": dict(one.kinds),
            "schema_changes": one.changes,
            "volume_anomalies": anomalies[batch.id],
            "rows_read": counts.read,
            "accepted": counts.good - duplicates.get(batch.id, 0) - left_out.get(batch.id, 0),
            "quarantined": counts.quarantined,
            "duplicates": duplicates.get(batch.id, 0),
            "sampled": left_out.get(batch.id, 0),
            "reasons": {**counts.warnings, **late, **counts.reasons},
            "min_event_date": counts.first,
            "max_event_date": counts.last,
            "repairs": batch.repairs,
        }
        rows.append(values)
    return _ledger_frame(context, rows)


def _named(batch: Batch) -> dict[str, object]:
    """What a row of the ledger says of a batch before anything is known of its rows."""
    return {
        "batch_id": batch.id,
        "batch_seq": batch.seq,
        "source": batch.source,
        "files": [file.path for file in batch.files],
        "file_stamps": [file.stamp for file in batch.files],
        "ingested_ts": batch.at,
    }


def _ledger_frame(context: StageContext, rows: Sequence[Mapping[str, object]]) -> DataFrame:
    table = CATALOGUE["ingest_batches"]
    return context.spark.createDataFrame([tuple(map(row.get, table.column_names)) for row in rows], table.schema)
