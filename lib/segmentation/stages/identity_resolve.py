"""Who is who, worked out and not written: of all identifiers, or of those that something new is said of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import MatchingSettings
from segmentation.config.overrides import read_overrides
from segmentation.contracts.errors import InputError
from segmentation.identity.batches import Batch, list_batches
from segmentation.identity.edges import judge_edges
from segmentation.identity.links import add_suggestions, new_links, pair_links, rate_confidence
from segmentation.identity.matching import find_initials, list_records, match_records, reveal_values
from segmentation.identity.observations import (
    carrying,
    combine_identifiers,
    list_identifiers,
    name_ends,
    name_node,
    pair_identifiers,
    recall_combinations,
    touching,
)
from segmentation.identity.overrides import (
    Decision,
    Manual,
    Step,
    decide,
    plan_steps,
    read_decisions,
    resolve_entries,
)
from segmentation.identity.replay import Resolved, replay_batches, replay_touched
from segmentation.identity.tables import map_identifiers
from segmentation.identity.touched import (
    find_groups,
    go_on_from,
    name_all,
    touched_by_links,
    touched_by_overrides,
)
from segmentation.ingest.traffic import leave_out
from segmentation.runtime.stage import Earlier, StageContext

FEWEST_ROWS = 1_000_000
"""Of fewer identifiers and pairs in all batches, everybody is resolved sooner than those who are touched are found."""

_MOST_TOUCHED = 0.3
"""Of a larger share of the identifiers, everybody is resolved as soon."""


@dataclass(frozen=True)
class Sightings:
    """What events say about identifiers."""

    fresh: DataFrame
    """`combine_identifiers` of what the stage has not seen yet, persisted."""
    stored: DataFrame | None = None
    """Rows of `identity_sightings` that hold beside them."""
    known: int | None = None
    """The newest batch that the stage has been through; null: none that it could go on from."""
    anew: tuple[int, ...] = ()
    """Batches up to that one of which `fresh` has everything, since events of them count no more."""
    flagged: DataFrame | None = None
    """The combinations in which those events were."""

    def combinations(self, within: DataFrame | None = None) -> DataFrame:
        """Of all batches, see `combine_identifiers`; with `within` of those stored only the ones that have one of
        these identifiers (`node`)."""
        if self.stored is None:
            return self.fresh
        stored = self.stored if within is None else carrying(self.stored, within)
        return recall_combinations(stored).unionByName(self.fresh)


@dataclass(frozen=True)
class Resolution:
    """What sightings and decisions come to, before anything is written; frames are persisted until the cache is
    cleared."""

    sightings: Sightings
    batches: list[Batch]
    identifiers: DataFrame
    resolved: Resolved
    edges: DataFrame
    """`identity_edges`."""
    manual: Manual
    """The overrides in force."""

    confidence: DataFrame | None
    """`rate_confidence`, where records were matched."""

    within: DataFrame | None = None
    """The identifiers (`node`) that all of this is about; null: all."""

    @property
    def identity_map(self) -> DataFrame:
        return map_identifiers(self.resolved.members, self.identifiers, self.resolved.hubs, self.confidence)


class Memory:
    """What is new in a run and has to be known for ever: here it is forgotten."""

    def keep_decisions(self, new: Sequence[Decision]) -> None:
        """Overrides that were added or taken out, before anything follows from them."""

    def keep_links(self, earlier: DataFrame, new: DataFrame) -> DataFrame:
        """Likely links; returns all that there are now."""
        return earlier.unionByName(new)


def resolve(context: StageContext, memory: Memory, earlier: Earlier | None = None) -> Resolution:
    """Lives through all batches and decisions; where the stage can go on from `earlier`, and that is worth it, only
    with those whom anything new could move.

    Raises `InputError` where no event carries an identifier, one carries a type that is not declared, or a blocking
    rule makes too large a block.
    """
    settings = context.settings.identity
    context.tell("reading identifiers")
    events = leave_out(context.read("events"), context.settings.traffic.leave_out)
    sightings = _observe(context, events, earlier)
    batches = list_batches(sightings.fresh, *([] if sightings.stored is None else [sightings.stored]))
    if not batches:
        raise InputError("No event carries an identifier: map `identifiers` of a source in the configuration.")
    before = read_decisions(context.read_or_empty("identity_overrides"))
    entries = read_overrides(settings.overrides) if settings.overrides else []
    decisions = decide(before, resolve_entries(context.spark, entries, settings), batches[-1].seq)
    steps = plan_steps(batches, decisions)
    matching = settings.matching
    links = new = None
    if matching:
        links = context.read_or_empty("identity_links")
        if _brings_records(sightings, matching):
            new = _match(context, events, matching, batches[-1], links)
    within = _find_within(context, sightings, batches, steps, new)
    initials = None
    if settings.told_apart:
        initials = find_initials(events, context.read_or_empty("vault"), settings)
    combinations = sightings.combinations(within)
    if within is not None:
        combinations = combinations.localCheckpoint()
    identifiers = list_identifiers(combinations, settings, within, initials).localCheckpoint()
    _check(identifiers)
    memory.keep_decisions(decisions[len(before) :])
    if links is not None and new is not None:
        links = memory.keep_links(links, new)
    pairs = pair_identifiers(combinations, within)
    if matching and links is not None:
        tied = pair_links(links, batches, matching)
        pairs = pairs.unionByName(tied if within is None else touching(tied, within))
    pairs = pairs.localCheckpoint()
    context.tell("joining identifiers")
    if within is None:
        resolved = replay_batches(identifiers, pairs, steps, settings)
        hubs = resolved.hubs
    else:
        resolved = replay_touched(identifiers, pairs, steps, settings)
        hubs = resolved.hubs.unionByName(_hubs_elsewhere(context.read("identity_map"), within))
    edges = judge_edges(resolved.edges, resolved.members, hubs, settings, steps[-1])
    confidence = None
    if matching and links is not None:
        confidence = rate_confidence(resolved.members, edges, settings.one_task_edges)
        if within is not None:
            links = touching(name_ends(links), within).drop("left_node", "right_node")
        edges = add_suggestions(edges, links, matching)
    return Resolution(sightings, batches, identifiers, resolved, edges, steps[-1].manual, confidence, within)


def _observe(context: StageContext, events: DataFrame, earlier: Earlier | None) -> Sightings:
    """Reads the events of batches that are new, or of which some events count no more; of all where that cannot be
    told."""
    describing = context.settings.identity.describing
    stored = context.read_or_empty("identity_sightings")
    known = stored.agg(F.max("batch_seq")).collect()[0][0] if earlier else None
    done = context.warehouse.changes_since("events", earlier.inputs.get("events", -1)) if earlier else None
    if known is None or done is None or "other" in done:
        return Sightings(combine_identifiers(events, describing).localCheckpoint())
    anew: tuple[int, ...] = ()
    flagged = None
    if "updated" in done and "bots" in context.settings.traffic.leave_out:
        # New events showed that earlier ones of the same days are a program's.
        bots = context.read("events").where("is_bot")
        days = bots.where(F.col("batch_seq") > known).select("event_date").distinct()
        theirs = bots.where(F.col("batch_seq") <= known).join(days, "event_date", "left_semi")
        flagged = combine_identifiers(theirs, describing).localCheckpoint()
        anew = tuple(sorted(row[0] for row in flagged.select("batch_seq").distinct().collect()))
    unread = (F.col("batch_seq") > known) | F.col("batch_seq").isin(*anew)
    fresh = combine_identifiers(events.where(unread), describing).localCheckpoint()
    rest = stored.where(~F.col("batch_seq").isin(*anew)) if anew else stored
    return Sightings(fresh, rest, known, anew, flagged)


def _find_within(
    context: StageContext, sightings: Sightings, batches: list[Batch], steps: list[Step], links: DataFrame | None
) -> DataFrame | None:
    """The identifiers (`node`) of all groups in which anything is new, `links` among it; None: all are to be resolved,
    as what is new reaches further than groups do, or because that is as soon done."""
    if sightings.known is None or sum(batch.rows for batch in batches) < FEWEST_ROWS:
        return None
    then = context.read("identity_map")
    touched = name_all(sightings.fresh.where(F.col("batch_seq") > sightings.known))
    if sightings.flagged is not None:
        before = list_batches(context.read("identity_sightings"))
        flagged = name_all(sightings.flagged).localCheckpoint()
        # A hub of old that was seen with fewer than it seemed may never have been one, and ties who was apart.
        if not go_on_from(before, batches) or not _hubs(then).join(flagged, "node", "left_semi").isEmpty():
            return None
        touched = touched.union(flagged)
    if links is not None:
        touched = touched.union(touched_by_links(links))
    named = {node for step in steps for node in step.manual.nodes}
    touched = touched.union(touched_by_overrides(then, named)).distinct().localCheckpoint()
    within = find_groups(touched, then).persist()
    return within if within.count() < _MOST_TOUCHED * then.count() else None


def _hubs(identity_map: DataFrame) -> DataFrame:
    nodes = name_node("identifier_type", "identifier_value").alias("node")
    return identity_map.where("hub_reason IS NOT NULL").select(nodes, "hub_reason")


def _hubs_elsewhere(identity_map: DataFrame, within: DataFrame) -> DataFrame:
    return _hubs(identity_map).join(within, "node", "left_anti")


def _brings_records(sightings: Sightings, matching: MatchingSettings) -> bool:
    """Whether there can be a record, or something said of one, that the stage has not seen. Of the same records it
    would find the same links."""
    if sightings.known is None or sightings.flagged is not None:
        return True
    is_record = F.exists("identifiers", lambda e: e["type"].isin(*matching.records))
    return not sightings.fresh.where(is_record).isEmpty()


def _match(
    context: StageContext, events: DataFrame, matching: MatchingSettings, newest: Batch, earlier: DataFrame
) -> DataFrame | None:
    """Likely links that are not among the earlier ones; None where there are too few records to tell."""
    context.tell("matching records")
    records = list_records(events, matching)
    clear = reveal_values(records, context.read_or_empty("vault"), context.settings.identity).localCheckpoint()
    found = match_records(clear, matching)
    if found is None:
        context.tell("too few records are alike to learn from: none is matched")
        return None
    return new_links(found, earlier, newest, matching).localCheckpoint()


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
