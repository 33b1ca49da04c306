"""What `segmentation identity` would do with another configuration, without doing it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.held import read_held
from segmentation.activation.log import read_standings
from segmentation.contracts.errors import InputError
from segmentation.identity.comparison import Change, Difference, count_difference, find_biggest, place_identifiers
from segmentation.runtime.stage import StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour
from segmentation.sessions.cut import cut_sessions
from segmentation.stages.identity_resolve import Memory, Resolution, resolve

READS = ("events", "identity_overrides", "identity_map", "identity_edges", "sessions", "segments_current",
         "export_log", "export_members")  # fmt: skip


@dataclass(frozen=True)
class Preview:
    """Counts of what is there now and would not be the same; nothing of it is written."""

    as_of: date
    people: Difference
    sessions_moved: int
    """Sessions that would be another person's, or be cut otherwise."""
    memberships_moved: int
    """Segment memberships of people whose identifiers change: gone, or to be scored again."""
    export_rows_moved: int
    """Rows that destinations have of these people."""
    biggest: list[Change]


def preview(context: StageContext) -> Preview:
    """The configuration of `context` against the tables as they are, which stay so.

    Raises `InputError` where identities were never resolved, and as the stage does.
    """
    if "identity_map" not in context.inputs:
        raise InputError("There is nothing to compare with yet: run `segmentation identity` first.")
    found = resolve(context, Memory())
    context.tell("comparing")
    placed = place_identifiers(context.read("identity_map"), found.identity_map, found.identifiers).persist()
    moved = placed.where(~F.col("old_id").eqNullSafe(F.col("new_id")))
    people = (
        moved.select(F.explode(F.array("old_id", "new_id")).alias("person_id")).dropna().distinct().localCheckpoint()
    )
    preview = Preview(
        as_of=context.as_of,
        people=count_difference(placed),
        sessions_moved=_count_sessions(context, found, people),
        memberships_moved=context.read_or_empty("segments_current").join(people, "person_id", "left_semi").count(),
        export_rows_moved=_count_held(context, people),
        biggest=find_biggest(placed, context.read("identity_edges"), found.edges),
    )
    context.spark.catalog.clearCache()
    return preview


def _count_held(context: StageContext, people: DataFrame) -> int:
    """Rows that destinations have of `people` since their last deliveries."""
    rows = context.read_or_empty("export_members").join(people, "person_id", "left_semi")
    standings = read_standings(context.read_or_empty("export_log"))
    held = [read_held(rows, name, standing.last) for name, standing in standings.items() if standing.last]
    return sum(theirs.count() for theirs in held)


def _count_sessions(context: StageContext, found: Resolution, people: DataFrame) -> int:
    """Sessions of `people` that cutting their events anew would not give."""
    before = context.read_or_empty("sessions").join(people, "person_id", "left_semi")
    trust = list(context.settings.identity.identifiers)
    owners = found.identity_map.join(people, "person_id", "left_semi")
    behaviour = keep_behaviour(context.read("events"), context.as_of, context.settings)
    events = attach_persons(behaviour, owners, trust)
    after = cut_sessions(events, context.settings.sessions, context.as_of, trust)
    return before.join(after, ["person_id", "session_start", "session_end"], "left_anti").count()
