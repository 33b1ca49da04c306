"""`live`: people come into live audiences as soon as an event of theirs brings it about → `audience_members`.

The events that were taken in since the last time come as a stream, with a checkpoint in the warehouse. Whoever has one
of them is judged by the same rules and code as at the end of a date: their features are measured anew, from their own
events up to now, and their segment is the published one. People whom `identity` does not know yet, and those who leave,
wait for the next run of the pipeline.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.audiences import KEY
from segmentation.activation.membership_limits import limit_entries
from segmentation.config.audiences import ALL_CAMPAIGNS
from segmentation.contracts.errors import InputError
from segmentation.experiments.holdouts import assign_arms, control_group
from segmentation.experiments.merges import follow_merges
from segmentation.ingest.micro_batches import take_batches
from segmentation.runtime.plans import settled
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour
from segmentation.stages import audiences
from segmentation.stages.audiences import meeting_rules, merged_people, needed_key
from segmentation.stages.ingest_plan import STREAMS

CHECKPOINT = f"{STREAMS}/_audiences"


def run(context: StageContext) -> Outcome:
    """Brings in who meets a live audience since the last time. A batch whose writing was cut short comes again, and
    whoever is in already stays in once.

    Raises `InputError` where `audiences` has never run: it says from which events on the stream begins.
    """
    live = [audience.name for audience in context.settings.audiences if audience.live]
    if not live:
        return Outcome(0, 0, mode="incremental", message="no audience is live")
    reader = context.warehouse.follow("events", _judged_until(context))
    if context.settings.has_control_groups:
        _follow_merges(context)
    seen, entered = 0, Counter[str]()
    with closing(take_batches(reader, "live audiences", context.warehouse.path(CHECKPOINT))) as batches:
        for batch in batches:
            context.tell(f"batch {batch.number}")
            with settled(_people_of(context, batch.rows_in(context.spark))) as people:
                seen += people.count()
                entered.update(_bring_in(context, people, live))
    told = ", ".join(f"{name} {people:,}" for name, people in sorted(entered.items()) if people)
    return Outcome(
        rows_in=seen,
        rows_out=entered.total(),
        figures={"entered": entered.total()},
        mode="incremental",
        message=f"came in: {told}" if told else "nobody came in",
    )


def _judged_until(context: StageContext) -> int:
    """The version of `events` that `audiences` has judged everyone by last."""
    runs = context.read_or_empty("runs").where("stage = 'audiences' AND status = 'succeeded'")
    row = runs.orderBy(F.col("ended_ts").desc()).select(F.col("inputs")["events"].alias("version")).first()
    if row is None or row["version"] is None:
        raise InputError("Nobody has been judged by the audiences yet: run `segmentation audiences` first.")
    return int(row["version"])


def _people_of(context: StageContext, events: DataFrame) -> DataFrame:
    """`person_id` of those who did something, each once, and `entered_ts`: since when they are in what they come into
    by that."""
    behaviour = keep_behaviour(events, context.as_of, context.settings)
    owned = attach_persons(behaviour, context.read_owners(), list(context.settings.identity.identifiers))
    # An event that comes late brings people in on the date that is judged, and not before.
    began = F.lit(context.as_of).cast("timestamp")
    return owned.groupBy("person_id").agg(F.greatest(F.max("event_ts"), began).alias("entered_ts"))


def _bring_in(context: StageContext, people: DataFrame, live: list[str]) -> dict[str, int]:
    """Writes who comes into which live audience, and returns how many."""
    warehouse, settings = context.warehouse, context.settings
    members = warehouse.read_or_empty("audience_members")
    found = meeting_rules(context, people.select("person_id"))
    limited = limit_entries(found, members, settings.audiences, settings.entry_limit, context.as_of)
    inside = members.where("left_as_of IS NULL").select(*KEY)
    entering = limited.where(F.col("audience").isin(live)).join(inside, KEY, "left_anti")
    with settled(entering) as new:
        counts = {row["audience"]: row["count"] for row in new.groupBy("audience").count().collect()}
        if not counts:
            return {}
        if settings.has_control_groups:
            _assign(context, new, live)
        nothing = F.lit(None)
        dates = {"entered_as_of": F.lit(context.as_of), "left_as_of": nothing, "left_ts": nothing}
        warehouse.append("audience_members", new.select(*KEY).join(people, "person_id").withColumns(dates))
    return counts


def _follow_merges(context: StageContext) -> None:
    """Gives people who turned out to be one since the last time the first arm of theirs, before anybody comes in."""
    before = context.read_or_empty("holdouts")
    if not before.isEmpty() and not (merged := merged_people(context, before)).isEmpty():
        context.warehouse.replace("holdouts", follow_merges(before, merged))


def _assign(context: StageContext, new: DataFrame, live: list[str]) -> None:
    """Gives whoever is new an arm that stands, before anybody sees them in an audience."""
    audiences_ = [audience for audience in context.settings.audiences if audience.live]
    shares = {audience.name: audience.holdout for audience in audiences_ if audience.holdout is not None}
    before = context.warehouse.read_or_empty("holdouts")
    chosen = new.join(control_group(before, ALL_CAMPAIGNS), "person_id", "left_anti")
    key = needed_key(context.settings) or b""
    arms = assign_arms(before, chosen, shares, key, context.as_of, standing=live)
    context.warehouse.append("holdouts", arms.join(before.select(*KEY), KEY, "left_anti"))


STAGE = Stage(
    name="live",
    help="Bring people into live audiences as their events come in.",
    reads=(*audiences.STAGE.reads, "runs"),
    writes=("audience_members", "holdouts"),
    state=("audience_members", "holdouts"),
    run=run,
    depends_on=audiences.STAGE.depends_on,
    needs=audiences.STAGE.needs,
    reusable=False,
)
