"""`events` and overrides → `identity_*`, `persons`, `person_attributes`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.settings import Settings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.identity import IDENTITY_OVERRIDES, IDENTITY_QUALITY, PERSON_ATTRIBUTES
from segmentation.identity.attributes import choose_attributes, rank_values
from segmentation.identity.observations import keep_combinations, name_ends, name_node, touching
from segmentation.identity.overrides import Decision, decision_rows
from segmentation.identity.quality import Figure, judge_figures, measure_identity
from segmentation.identity.tables import describe_persons, tell_history
from segmentation.ingest.traffic import leave_out
from segmentation.privacy.audit import Act
from segmentation.runtime.plans import settled
from segmentation.runtime.rebuild import FULL, is_full, tell_differences
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.sessions.attach import attach_persons
from segmentation.stages.identity_resolve import Memory, Resolution, Sightings, resolve

_EARLIER_FIGURES = 2_000
"""Rows of `identity_quality` that are enough for what is usual."""


def run(context: StageContext) -> Outcome:
    """Resolves what has come since the stage last ended, where that can be told, and all events else."""
    found = resolve(context, _Written(context), None if is_full(context) else context.earlier)
    for table in ("identity_overrides", "identity_links", "person_attributes"):
        context.warehouse.ensure(table)
    context.tell("writing persons")
    _write_sightings(context, found.sightings)
    put = _Replaced(context) if found.within is None else _Updated(context, found.within)
    edges = put.pairs("identity_edges", found.edges)
    put.identifiers("identity_history", tell_history(found.resolved.changes, found.resolved.members))
    persons = describe_persons(found.resolved.members, found.identifiers, _write_attributes(context, found, put))
    kept = put.persons("persons", persons)
    mapped = put.identifiers("identity_map", found.identity_map)
    quality = _write_quality(context)
    figures = {
        "persons": kept,
        "edges": edges,
        "edges_cut": sum(figure.count for figure in quality if figure.figure == "edges_refused"),
        "largest_person": sum(figure.count for figure in quality if figure.figure == "largest_component"),
    }
    if found.within is not None:
        figures["identifiers_resolved"] = found.within.count()
    if manual := found.manual:
        known = found.identifiers.join(manual.marks(context.spark), "node", "left_semi").count()
        figures |= {"overrides": len(manual.overrides), "identifiers_only_in_overrides": len(manual.nodes) - known}
    context.spark.catalog.clearCache()
    warnings = [figure.warning for figure in quality if figure.warning]
    unusual = f"unusual: {'; '.join(warnings)}" if warnings else ""
    return Outcome(
        rows_in=sum(batch.events for batch in found.batches),
        rows_out=mapped,
        figures=figures,
        mode="full" if found.within is None else "incremental",
        message="; ".join(filter(None, (tell_differences(context, *_REWRITTEN), unusual))),
    )


@dataclass(frozen=True)
class _Written(Memory):
    """Written down."""

    context: StageContext

    def keep_decisions(self, new: Sequence[Decision]) -> None:
        if new:
            schema = IDENTITY_OVERRIDES.schema
            found = [row for decision in new for row in decision_rows(decision, self.context.now)]
            values = [tuple(row[name] for name in schema.names) for row in found]
            rows = self.context.spark.createDataFrame(values, schema).coalesce(1)
            self.context.warehouse.append("identity_overrides", rows)

    def keep_links(self, earlier: DataFrame, new: DataFrame) -> DataFrame:
        self.context.warehouse.append("identity_links", new)
        return self.context.warehouse.read("identity_links")


@dataclass(frozen=True)
class _Replaced:
    """Tables written whole: of everybody. Each method returns the table's rows."""

    context: StageContext

    def pairs(self, name: str, rows: DataFrame) -> int:
        return self.context.warehouse.replace(name, rows).rows

    identifiers = persons = pairs


@dataclass(frozen=True)
class _Updated:
    """The same tables, of which the rows about some identifiers (`node`) are compared with those that were there, and
    only what differs is written."""

    context: StageContext
    within: DataFrame

    def pairs(self, name: str, rows: DataFrame) -> int:
        return self._put(name, touching(name_ends(self.context.read(name)), self.within), rows)

    def identifiers(self, name: str, rows: DataFrame) -> int:
        return self._put(name, self._theirs(name), rows)

    def persons(self, name: str, rows: DataFrame) -> int:
        people = self._theirs("identity_map").select("person_id").distinct()
        return self._put(name, self.context.read(name).join(people, "person_id", "left_semi"), rows)

    def _theirs(self, name: str) -> DataFrame:
        node = name_node("identifier_type", "identifier_value")
        return self.context.read(name).withColumn("node", node).join(self.within, "node", "left_semi")

    def _put(self, name: str, before: DataFrame, now: DataFrame) -> int:
        with settled(CATALOGUE[name].changes(before, now)) as changes:
            if not changes.isEmpty():
                self.context.warehouse.update(name, changes, "gone", {})
        return self.context.warehouse.read(name).count()


def _write_sightings(context: StageContext, sightings: Sightings) -> None:
    """Writes down which identifiers were seen together, so that the events need not be read for it again."""
    rows = keep_combinations(sightings.fresh)
    if sightings.known is None:
        context.warehouse.replace("identity_sightings", rows)
        return
    fresh = {row[0] for row in sightings.fresh.select("batch_seq").distinct().collect()}
    if batches := tuple(sorted(fresh.union(sightings.anew))):
        context.warehouse.replace_slice("identity_sightings", rows, batch_seq=batches)


def _write_attributes(context: StageContext, found: Resolution, put: _Replaced | _Updated) -> DataFrame | None:
    """Writes every value of every attribute down, and returns those of the golden record; None where none is wanted."""
    rules = context.settings.identity.attributes
    warehouse = context.warehouse
    if not rules:
        if not context.read_or_empty("person_attributes").isEmpty():
            warehouse.replace("person_attributes", context.spark.createDataFrame([], PERSON_ATTRIBUTES.schema))
        return None
    trust = list(context.settings.identity.identifiers)
    events = leave_out(context.read("events"), context.settings.traffic.leave_out)
    ranked = rank_values(attach_persons(events, found.identity_map, trust), rules).localCheckpoint()
    put.persons("person_attributes", ranked)
    return choose_attributes(ranked)


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


def _list_decisions(warehouse: Warehouse) -> list[Act]:
    """What runs found changed in the file of overrides: how many of each kind were added and removed."""
    dated = warehouse.read_or_empty("identity_overrides").where("decided_ts IS NOT NULL")
    counted: dict[tuple[int, datetime], dict[str, str]] = defaultdict(dict)
    for row in dated.groupBy("step", "decided_ts", "change", "action").count().collect():
        counted[row["step"], row["decided_ts"]][f"{row['change']} {row['action']}"] = str(row["count"])
    return [
        Act("override", f"identity, decision {step}", decided.astimezone(UTC), dict(sorted(detail.items())))
        for (step, decided), detail in sorted(counted.items())
    ]


def _depends_on(settings: Settings) -> object:
    return (settings.identity, settings.traffic.leave_out)


def _stamp_overrides(settings: Settings) -> object:
    """The file of overrides goes by its size and time: a hash of it would be one of the personal values in it."""
    path = settings.identity.overrides
    stat = Path(path).stat() if path and Path(path).exists() else None
    return stat and (stat.st_size, stat.st_mtime_ns)


_TABLES = (
    "identity_sightings",
    "identity_overrides",
    "identity_links",
    "identity_edges",
    "identity_history",
    "person_attributes",
    "persons",
    "identity_map",
    "identity_quality",
)
"""What the stage writes, and reads of what it left last time."""

_REWRITTEN = ("identity_map", "identity_edges", "identity_history", "persons", "person_attributes")
"""Those that are worked out from the events and overrides each time."""

STAGE = Stage(
    name="identity",
    help="Find out which identifiers are one person: events → identity_*, persons.",
    reads=("events", "vault"),
    writes=_TABLES,
    state=_TABLES,
    run=run,
    depends_on=_depends_on,
    follows=_stamp_overrides,
    incremental=True,
    options=(FULL,),
    acts=_list_decisions,
)
