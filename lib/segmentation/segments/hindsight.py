"""Would people have moved had we known less: whose their identifiers are, or of events that came late?

Each is measured anew only for those of the people who moved whom it can matter to, from their own events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.settings import Settings
from segmentation.contracts.table import check_columns
from segmentation.features.people import measure_people
from segmentation.sessions.attach import attach_persons, keep_behaviour

_KEY = ["identifier_type", "identifier_value"]
_OWNED = (*_KEY, "person_id")

Place = Callable[[DataFrame], DataFrame]
"""Features -> `person_id` and `segment_id`."""


@dataclass(frozen=True)
class Evidence:
    """What people are measured from: all events up to now, and whose each identifier is now and was before.

    `known_seq`: the newest batch that was there before; `before_as_of`: the date that was measured then.
    """

    events: DataFrame
    map_before: DataFrame
    map_now: DataFrame
    known_seq: int
    before_as_of: date
    now_as_of: date

    @property
    def came_late(self) -> Column:
        """Whether an event happened by the date of before, and was not there yet."""
        return (F.col("batch_seq") > self.known_seq) & (F.col("event_date") <= F.lit(self.before_as_of))


def blame_hindsight(changes: DataFrame, evidence: Evidence, place: Place, settings: Settings) -> DataFrame:
    """Changes whose cause is `behaviour` -> `identity` or `late_data`, where the person would have stayed without.

    In: what `explain_moves` gives, persisted; `place`: by the model that makes it a change of behaviour. Out: the same
    rows. What is known of identity is asked for first.
    """
    check_columns(changes, ("person_id", "from_segment_id", "cause"), "the changes")
    for cause, find, measure in (
        ("identity", find_regrouped, measure_as_grouped_before),
        ("late_data", find_with_late_events, measure_without_late_events),
    ):
        moved = changes.where("cause = 'behaviour'").select("person_id", "from_segment_id")
        people = find(moved, evidence, settings).localCheckpoint()
        if people.isEmpty():
            continue
        placed = place(measure(people, evidence, settings))
        stayed = moved.join(placed, "person_id").where("segment_id = from_segment_id").select("person_id")
        changes = (
            changes.join(stayed.withColumn("stayed", F.lit(True)), "person_id", "left")
            .withColumn("cause", F.when(F.col("stayed"), F.lit(cause)).otherwise(F.col("cause")))
            .drop("stayed")
        )
    return changes


def find_regrouped(people: DataFrame, evidence: Evidence, settings: Settings) -> DataFrame:
    """`person_id` of those of `people` who have an identifier that was another person's, or had one that now is."""
    check_columns(people, ["person_id"], "the people")
    before, now = evidence.map_before.select(*_OWNED), evidence.map_now.select(*_OWNED)

    def changed(own: DataFrame, others: DataFrame) -> DataFrame:
        theirs = own.join(people.select("person_id"), "person_id", "left_semi")
        both = theirs.join(others.withColumnRenamed("person_id", "other"), _KEY)
        return both.where("person_id <> other").select("person_id")

    return changed(now, before).union(changed(before, now)).distinct()


def find_with_late_events(people: DataFrame, evidence: Evidence, settings: Settings) -> DataFrame:
    """`person_id` of those of `people` who have an event that came late."""
    check_columns(people, ["person_id"], "the people")
    behaviour = keep_behaviour(evidence.events, evidence.before_as_of, settings)
    owners = evidence.map_now.join(people.select("person_id"), "person_id", "left_semi")
    late = attach_persons(behaviour.where(evidence.came_late), owners, list(settings.identity.identifiers))
    return late.select("person_id").distinct()


def measure_as_grouped_before(people: DataFrame, evidence: Evidence, settings: Settings) -> DataFrame:
    """The features that `people` would have now if each identifier were still whose it was.

    An identifier that was not there before is its owner's of now. Rows as of `measure_features`.
    """
    chosen = people.select("person_id")
    before, now = evidence.map_before.select(*_OWNED), evidence.map_now.select(*_OWNED)
    fresh = now.join(chosen, "person_id", "left_semi").join(before, _KEY, "left_anti")
    owners = before.join(chosen, "person_id", "left_semi").unionByName(fresh.select(*_OWNED))
    return measure_people(evidence.events, owners, settings, evidence.now_as_of)


def measure_without_late_events(people: DataFrame, evidence: Evidence, settings: Settings) -> DataFrame:
    """The features that `people` would have now if what came late had not come. Rows as of `measure_features`."""
    owners = evidence.map_now.join(people.select("person_id"), "person_id", "left_semi").select(*_OWNED)
    return measure_people(evidence.events.where(~evidence.came_late), owners, settings, evidence.now_as_of)
