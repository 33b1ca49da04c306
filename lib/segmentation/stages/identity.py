"""`events` and overrides → `identity_*`, `persons`, `person_attributes`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import MatchingSettings
from segmentation.config.overrides import read_overrides
from segmentation.config.settings import Settings
from segmentation.contracts.errors import InputError
from segmentation.contracts.identity import IDENTITY_OVERRIDES, IDENTITY_QUALITY, PERSON_ATTRIBUTES
from segmentation.identity.attributes import choose_attributes, rank_values
from segmentation.identity.batches import Batch, list_batches
from segmentation.identity.edges import judge_edges
from segmentation.identity.links import add_suggestions, new_links, pair_links, rate_confidence
from segmentation.identity.matching import list_records, match_records, reveal_values
from segmentation.identity.observations import combine_identifiers, list_identifiers, pair_identifiers
from segmentation.identity.overrides import (
    Decision,
    Manual,
    decide,
    decision_rows,
    plan_steps,
    read_decisions,
    resolve_entries,
)
from segmentation.identity.quality import Figure, judge_figures, measure_identity
from segmentation.identity.replay import Resolved, replay_batches
from segmentation.identity.tables import describe_persons, map_identifiers, tell_history
from segmentation.ingest.traffic import leave_out
from segmentation.runtime.rebuild import FULL, tell_differences
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.sessions.attach import attach_persons

_EARLIER_FIGURES = 2_000
"""Rows of `identity_quality` that are enough for what is usual."""


@dataclass(frozen=True)
class Resolution:
    """What all events and decisions come to, before anything is written; frames are persisted until the cache is
    cleared."""

    batches: list[Batch]
    identifiers: DataFrame
    resolved: Resolved
    edges: DataFrame
    """`identity_edges`."""
    manual: Manual
    """The overrides in force."""

    confidence: DataFrame | None
    """`rate_confidence`, where records were matched."""

    @property
    def identity_map(self) -> DataFrame:
        return map_identifiers(self.resolved.members, self.identifiers, self.confidence)


def run(context: StageContext) -> Outcome:
    """Resolves all events. Everything follows from them, and each table is replaced in one commit."""
    found = resolve(context, _Written(context))
    for table in ("identity_overrides", "identity_links", "person_attributes"):
        context.warehouse.ensure(table)
    context.tell("writing persons")
    write = context.warehouse.replace
    edges = write("identity_edges", found.edges)
    write("identity_history", tell_history(found.resolved.changes, found.resolved.members))
    persons = describe_persons(found.resolved.members, found.identifiers, _write_attributes(context, found))
    kept = write("persons", persons)
    mapped = write("identity_map", found.identity_map)
    quality = _write_quality(context)
    figures = {
        "persons": kept.rows,
        "edges": edges.rows,
        "edges_cut": sum(figure.count for figure in quality if figure.figure == "edges_refused"),
        "largest_person": sum(figure.count for figure in quality if figure.figure == "largest_component"),
    }
    if manual := found.manual:
        known = found.identifiers.join(manual.marks(context.spark), "node", "left_semi").count()
        figures |= {"overrides": len(manual.overrides), "identifiers_only_in_overrides": len(manual.nodes) - known}
    context.spark.catalog.clearCache()
    warnings = [figure.warning for figure in quality if figure.warning]
    unusual = f"unusual: {'; '.join(warnings)}" if warnings else ""
    return Outcome(
        rows_in=sum(batch.events for batch in found.batches),
        rows_out=mapped.rows,
        figures=figures,
        message="; ".join(filter(None, (tell_differences(context, "identity_map"), unusual))),
    )


class Memory:
    """What is new in a run and has to be known for ever: here it is forgotten, see `_Written`."""

    def keep_decisions(self, new: Sequence[Decision]) -> None:
        """Overrides that were added or taken out, before anything follows from them."""

    def keep_links(self, earlier: DataFrame, new: DataFrame) -> DataFrame:
        """Likely links; returns all that there are now."""
        return earlier.unionByName(new.localCheckpoint())


@dataclass(frozen=True)
class _Written(Memory):
    """Written down."""

    context: StageContext

    def keep_decisions(self, new: Sequence[Decision]) -> None:
        if new:
            schema = IDENTITY_OVERRIDES.schema
            values = [tuple(row[name] for name in schema.names) for decision in new for row in decision_rows(decision)]
            rows = self.context.spark.createDataFrame(values, schema).coalesce(1)
            self.context.warehouse.append("identity_overrides", rows)

    def keep_links(self, earlier: DataFrame, new: DataFrame) -> DataFrame:
        self.context.warehouse.append("identity_links", new)
        return self.context.warehouse.read("identity_links")


def resolve(context: StageContext, memory: Memory) -> Resolution:
    """Lives through all batches and decisions. Raises `InputError` where no event carries an identifier, one carries a
    type that is not declared, or a blocking rule makes too large a block."""
    settings = context.settings.identity
    context.tell("reading identifiers")
    events = leave_out(context.read("events"), context.settings.traffic.leave_out)
    combinations = combine_identifiers(events, settings.describing).localCheckpoint()
    batches = list_batches(combinations)
    if not batches:
        raise InputError("No event carries an identifier: map `identifiers` of a source in the configuration.")
    identifiers = list_identifiers(combinations, settings).localCheckpoint()
    _check(identifiers)
    earlier = read_decisions(context.read_or_empty("identity_overrides"))
    entries = read_overrides(settings.overrides) if settings.overrides else []
    decisions = decide(earlier, resolve_entries(context.spark, entries, settings), batches[-1].seq)
    memory.keep_decisions(decisions[len(earlier) :])
    pairs = pair_identifiers(combinations)
    links = None
    if settings.matching:
        links = _match(context, events, settings.matching, batches[-1], memory)
        pairs = pairs.unionByName(pair_links(links, batches, settings.matching))
    context.tell("joining identifiers")
    steps = plan_steps(batches, decisions)
    resolved = replay_batches(identifiers, pairs.localCheckpoint(), steps, settings)
    edges = judge_edges(resolved.edges, resolved.members, resolved.hubs, settings, steps[-1])
    confidence = None
    if settings.matching and links is not None:
        confidence = rate_confidence(resolved.members, edges, settings.one_task_edges)
        edges = add_suggestions(edges, links, settings.matching)
    return Resolution(batches, identifiers, resolved, edges, steps[-1].manual, confidence)


def _match(
    context: StageContext, events: DataFrame, matching: MatchingSettings, newest: Batch, memory: Memory
) -> DataFrame:
    """All likely links, those of this run among them."""
    context.tell("matching records")
    records = list_records(events, matching)
    clear = reveal_values(records, context.read_or_empty("vault"), context.settings.identity).localCheckpoint()
    earlier = context.read_or_empty("identity_links")
    found = match_records(clear, matching)
    if found is None:
        context.tell("too few records are alike to learn from: none is matched")
        return earlier
    return memory.keep_links(earlier, new_links(found, earlier, newest, matching))


def _write_attributes(context: StageContext, found: Resolution) -> DataFrame | None:
    """Writes every value of every attribute down, and returns those of the golden record; None where none is wanted."""
    rules = context.settings.identity.attributes
    warehouse = context.warehouse
    if not rules:
        if not context.read_or_empty("person_attributes").isEmpty():
            warehouse.replace("person_attributes", context.spark.createDataFrame([], PERSON_ATTRIBUTES.schema))
        return None
    trust = list(context.settings.identity.identifiers)
    events = leave_out(context.read("events"), context.settings.traffic.leave_out)
    warehouse.replace("person_attributes", rank_values(attach_persons(events, found.identity_map, trust), rules))
    return choose_attributes(warehouse.read("person_attributes"))


def _write_quality(context: StageContext) -> list[Figure]:
    """Measures what was written, against earlier runs."""
    warehouse = context.warehouse
    measured = measure_identity(*(warehouse.read(name) for name in ("persons", "identity_map", "identity_edges")))
    rows = context.read_or_empty("identity_quality").orderBy(F.desc("measured_ts")).limit(_EARLIER_FIGURES)
    judged = judge_figures(measured, [(row["figure"], row["of"], row["ratio"]) for row in rows.collect()])
    schema = IDENTITY_QUALITY.schema
    values = [
        (warehouse.run_id, context.now, f.figure, f.of, f.count, f.ratio, f.low, f.high, f.warning) for f in judged
    ]
    warehouse.append("identity_quality", context.spark.createDataFrame(values, schema).coalesce(1))
    return judged


def _depends_on(settings: Settings) -> object:
    """The file of overrides goes by its size and time: a hash of it would be one of the personal values in it."""
    path = settings.identity.overrides
    stat = Path(path).stat() if path and Path(path).exists() else None
    return (settings.identity, settings.traffic.leave_out, stat and (stat.st_size, stat.st_mtime_ns))


def _check(identifiers: DataFrame) -> None:
    """Raises `InputError` for a type that the configuration does not know, and where two identifiers share a node."""
    row = identifiers.agg(
        F.collect_set(F.when(F.col("rank").isNull(), F.col("type"))).alias("unknown"),
        (F.count("*") - F.count_distinct("node")).alias("shared"),
    ).first()
    assert row is not None, "an aggregate without groups has one row"
    if row["unknown"]:
        names = ", ".join(f"'{name}'" for name in sorted(row["unknown"])[:5])
        raise InputError(
            f"The table 'events' holds identifiers of the type {names}, which identity.identifiers does not declare: "
            "add it there, in its place in the order of trust."
        )
    if row["shared"]:
        raise InputError(
            f"{row['shared']} identifiers share a 64-bit name with another: report this, with the row count."
        )


STAGE = Stage(
    name="identity",
    help="Find out which identifiers are one person: events → identity_*, persons.",
    reads=("events", "vault"),
    writes=(
        "identity_overrides",
        "identity_links",
        "identity_edges",
        "identity_history",
        "person_attributes",
        "persons",
        "identity_map",
        "identity_quality",
    ),
    state=("identity_overrides", "identity_links", "identity_quality", "person_attributes", "identity_map"),
    run=run,
    depends_on=_depends_on,
    options=(FULL,),
)
