"""`feature_days`: what features need of each day, kept, so that a new day reads a day.

The rows are by identifier, not by person: whose they are is found when they are read, so people who become one, or two,
or others, change none of them. They are by batch too, so what comes in late is added beside what was there.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.settings import Settings
from segmentation.features.measures import Measures
from segmentation.runtime.rebuild import is_full
from segmentation.runtime.stage import StageContext
from segmentation.sessions.attach import LEADING, check_amounts, is_known, keep_behaviour, name_leading

FEWEST_EVENTS = 3_000_000
"""Of fewer, all are measured sooner than days are kept and read again."""

_MOST_DAYS = 100
"""Days that are made anew at most, before all are."""


def are_kept(settings: Settings, events: int) -> bool:
    """Whether days are kept: they are where what counts is the same for every person and at every date, and where that
    is worth it."""
    same_for_all = settings.features.before is None and settings.point_in_time.events == "happened"
    return same_for_all and events >= FEWEST_EVENTS


def keep_days(context: StageContext, measures: Measures) -> bool:
    """Brings the table up to the events: adds what is new, where that can be told, and makes all anew else. Whether it
    could be told."""
    table = _Days(context, measures)
    if is_full(context) or not table.go_on():
        table.make_all()
        return False
    return True


def drop_days(context: StageContext) -> None:
    """Empties the table where none are kept: a later run could not tell what has become of the events meanwhile."""
    warehouse = context.warehouse
    if warehouse.content("feature_days") and not warehouse.read("feature_days").isEmpty():
        warehouse.replace("feature_days", warehouse.read("feature_days").limit(0))


def read_days(context: StageContext) -> DataFrame:
    """The rows up to the date."""
    return context.warehouse.read("feature_days").where(F.col("day") <= F.lit(context.as_of))


class _Days:
    """The table, and the events that it is made from."""

    def __init__(self, context: StageContext, measures: Measures) -> None:
        self._context, self._measures = context, measures
        self._warehouse = context.warehouse

    def make_all(self) -> None:
        check_amounts(self._context.read("events"), self._context.as_of, self._context.settings)
        self._warehouse.replace("feature_days", self._summarize(self._behaviour(self._context.as_of)))

    def go_on(self) -> bool:
        """Adds what has come since the stage last ended; whether that could be told."""
        context, earlier = self._context, self._context.earlier
        if earlier is None or "events" not in earlier.inputs:
            return False
        changes = self._warehouse.changes_since("events", earlier.inputs["events"])
        if changes is None or "other" in changes:
            return False
        newest = F.max("batch_seq").alias("batch"), F.max("day").alias("day")
        last = self._warehouse.read("feature_days").agg(*newest).first()
        if last is None or last["day"] is None:
            return False
        # Whatever date is asked for, no day that is there may lose what has come in since.
        until = max(context.as_of, last["day"])
        flagged = self._flagged_days(until, last["batch"]) if "updated" in changes else []
        if len(flagged) > _MOST_DAYS:
            return False
        is_new = (F.col("batch_seq") > last["batch"]) | (F.col("event_date") > F.lit(last["day"]))
        # No amount of before is without a rate: it was counted.
        check_amounts(context.read("events").where(is_new), until, context.settings)
        behaviour, anew = self._behaviour(until), F.col("event_date").isin(flagged)
        if flagged:
            rows = self._summarize(behaviour.where(anew))
            self._warehouse.replace_slice("feature_days", rows, day=tuple(flagged))
        added = behaviour.where(is_new & ~anew)
        if not added.isEmpty():
            self._warehouse.append("feature_days", self._summarize(added))
        return True

    def _behaviour(self, until: date) -> DataFrame:
        return keep_behaviour(self._context.read("events"), until, self._context.settings)

    def _summarize(self, behaviour: DataFrame) -> DataFrame:
        """Events to rows of the table; what carries no identifier that is anybody's is left out."""
        named = name_leading(behaviour, list(self._context.settings.identity.identifiers))
        return self._measures.summarize(named.where(F.col(LEADING[0]).isNotNull()), (*LEADING, "batch_seq"))

    def _flagged_days(self, until: date, newest: int) -> list[date]:
        """Days of which new events showed that earlier ones are a program's."""
        if "bots" not in self._context.settings.traffic.leave_out:
            return []
        known = self._context.read("events").where(is_known(until, self._context.settings))
        days = known.where(F.col("is_bot") & (F.col("batch_seq") > newest)).select("event_date").distinct()
        return sorted(row["event_date"] for row in days.limit(_MOST_DAYS + 1).collect())
