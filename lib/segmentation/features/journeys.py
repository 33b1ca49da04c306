"""What people do one after the other: journeys, what follows what in them, and the paths to a target and away.

A journey is what one person did without a long pause, up to the target. Events of the target that follow each other
directly, like the lines of one basket, reach it once, unless repeats count. A journey that may still go on, because the
pause is not over at the end of the date, has no end yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.features import FeatureSettings
from segmentation.config.journeys import END, OTHER, START, JourneySettings
from segmentation.contracts.behaviour import JOURNEY_PATHS, JOURNEY_STEPS
from segmentation.contracts.table import check_columns
from segmentation.features.measures import Figure, ratio
from segmentation.features.rules import field_column, rule_column
from segmentation.sessions.attach import end_of

EARLIER = "…"
"""What stands for the first steps of a long path."""

MOST_PATHS = 50
"""Paths to the target, and as many away from it, that are kept."""

_HOUR_US = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def list_journeys(events: DataFrame, features: FeatureSettings, as_of: date) -> DataFrame:
    """Events -> one row a journey: `person_id`, `steps` ARRAY of STRING in order, `reached` (the target; it is the last
    step then), `open` (it may still go on).

    In: events with `person_id`, none after the end of `as_of`. Events at one moment are ordered by id. One shuffle.
    """
    settings = features.journeys
    assert settings is not None, "only where journeys are declared"
    check_columns(events, ("person_id", "event_ts", "event_id", "event_date"), "the events of journeys")
    reaches = rule_column(settings.target or features.purchase, "events")
    counts = settings.where or features.activity
    name = F.nullif(field_column(settings.step, "events"), F.lit(""))
    step = F.when(rule_column(counts, "events") if counts else F.lit(True), name)
    taken = events.where(F.col("event_date") > F.lit(as_of - timedelta(days=settings.window_days))).select(
        "person_id",
        "event_id",
        F.unix_micros("event_ts").alias("us"),
        F.coalesce(step, F.when(reaches, F.coalesce(name, "event_name"))).alias("step"),
        reaches.alias("reaches"),
    )
    order = Window.partitionBy("person_id").orderBy("us", "event_id")
    pause = F.lit(round(settings.pause_hours * _HOUR_US))
    goes_on = F.col("us") - F.lag("us").over(order) <= pause
    had_reached = F.lag("reaches").over(order)
    again = F.coalesce(goes_on & had_reached & F.col("reaches"), F.lit(False)) & F.lit(not settings.repeats)
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    numbered = (
        taken.where("step IS NOT NULL")
        .withColumns({"again": again, "begins": F.coalesce(~goes_on | (had_reached & ~again), F.lit(True))})
        .withColumn("journey", F.count_if("begins").over(so_far))
    )
    until = F.lit((end_of(as_of) - _EPOCH) // timedelta(microseconds=1))
    journeys = numbered.groupBy("person_id", "journey").agg(
        F.sort_array(F.collect_list(F.when(~F.col("again"), F.struct("us", "event_id", "step"))))["step"].alias(
            "steps"
        ),
        F.bool_or("reaches").alias("reached"),
        (F.max("us") + pause >= until).alias("lasts"),
    )
    steps = F.col("steps") if settings.repeats else _without_repeats(F.col("steps"))
    return journeys.select(
        "person_id", steps.alias("steps"), "reached", (F.col("lasts") & ~F.col("reached")).alias("open")
    )


def _without_repeats(steps: Column) -> Column:
    return F.filter(steps, lambda step, place: (place == 0) | (step != F.get(steps, place - 1)))


class JourneyFigures:
    """Figures asked of journeys, each a column to reckon with; see `Measures`."""

    def __init__(self, settings: JourneySettings | None) -> None:
        self._settings = settings
        self._totals: dict[str, Column] = {}
        self.figures: list[Figure] = []
        """What was asked for, in order."""

    @property
    def asked(self) -> bool:
        """Whether any feature needs journeys."""
        return bool(self._totals)

    def followed(self, gram: Sequence[str]) -> Column:
        """DOUBLE: of the times that all but the last of these steps were taken in a row and something, or the end,
        came next, the share in which the last did. Null where there was none."""
        walk = F.when(F.col("reached") | F.col("open"), F.col("steps")).otherwise(F.array_append("steps", F.lit(END)))
        before = self._sum(F.size(_places(walk, gram[:-1], followed=True)))
        return ratio(self._sum(F.size(_places(walk, gram)), gram, "follows"), before)

    def holding(self, gram: Sequence[str]) -> Column:
        """DOUBLE: the share of journeys in which these steps stand in a row."""
        held = (F.size(_places(F.col("steps"), gram)) > 0).cast("long")
        return ratio(self._sum(held, gram, "contains"), self._sum(F.lit(1)))

    def compute(self, journeys: DataFrame) -> DataFrame:
        """All figures asked for: one row a person, from `list_journeys`."""
        return journeys.groupBy("person_id").agg(*(column.alias(name) for name, column in self._totals.items()))

    def _sum(self, column: Column, gram: Sequence[str] = (), kind: str = "") -> Column:
        name = f"journeys_t{len(self._totals)}"
        self._totals[name] = F.sum(column)
        if kind:
            assert self._settings is not None, "only where journeys are declared"
            what = f"{kind} {' → '.join(gram)}"
            self.figures.append(
                Figure("events", "journeys", what, self._settings.step, None, self._settings.window_days)
            )
        return F.col(name)


def _places(walk: Column, gram: Sequence[str], followed: bool = False) -> Column:
    """ARRAY of those elements of `walk` at which `gram` begins; with `followed`, and does not end it."""

    def begins(step: Column, place: Column) -> Column:
        others = [F.get(walk, place + ahead) == wanted for ahead, wanted in enumerate(gram[1:], start=1)]
        after = [F.get(walk, place + len(gram)).isNotNull()] if followed else []
        return F.coalesce(reduce(and_, [step == gram[0], *others, *after]), F.lit(False))

    return F.filter(walk, begins)


def keep_common_steps(journeys: DataFrame, settings: JourneySettings) -> DataFrame:
    """The same journeys, in which all but the commonest steps are `(other)`."""
    counted = journeys.select(F.explode("steps").alias("step")).groupBy("step").count()
    common = [row["step"] for row in counted.orderBy(F.desc("count"), "step").limit(settings.most_steps).collect()]
    named = F.transform("steps", lambda step: F.when(step.isin(common), step).otherwise(F.lit(OTHER)))
    journeys = journeys.withColumn("steps", named)
    return journeys if settings.repeats else journeys.withColumn("steps", _without_repeats(F.col("steps")))


def count_steps(journeys: DataFrame, as_of: date) -> DataFrame:
    """Journeys -> the rows of `journey_steps`: what followed what, and how often of all that followed it."""
    ended = F.when(F.col("reached") | F.col("open"), F.array().cast("array<string>")).otherwise(F.array(F.lit(END)))
    walk = F.concat(F.array(F.lit(START)), F.col("steps"), ended)
    pairs = F.transform(
        F.slice(walk, 1, F.size(walk) - 1),
        lambda step, place: F.struct(step.alias("from_step"), F.get(walk, place + 1).alias("to_step")),
    )
    of_people = (
        journeys.select("person_id", F.inline(pairs))
        .groupBy("from_step", "to_step", "person_id")
        .agg(F.count("*").alias("times"))
    )
    counted = of_people.groupBy("from_step", "to_step").agg(F.sum("times").alias("times"), F.count("*").alias("people"))
    share = F.col("times") / F.sum("times").over(Window.partitionBy("from_step"))
    rows = counted.withColumns({"as_of": F.lit(as_of), "share": share})
    return rows.select(*JOURNEY_STEPS.column_names)


def count_paths(journeys: DataFrame, settings: JourneySettings, as_of: date) -> DataFrame:
    """Journeys -> the rows of `journey_paths`: the commonest paths to the target, and those that ended without it."""
    ranked = rank_paths(journeys, settings, MOST_PATHS)
    return ranked.withColumn("as_of", F.lit(as_of)).select(*JOURNEY_PATHS.column_names)


def rank_paths(journeys: DataFrame, settings: JourneySettings, most: int, by: Sequence[str] = ()) -> DataFrame:
    """The `most` commonest paths to the target, and as many that ended without it, of all or of each group.

    In: journeys, with the columns `by` that say of which group one is. Out: one row a group and path: `by`, `reached`,
    `path` ARRAY of STRING, `journeys`, `people`, `share` of all journeys of the group that ended so.
    """
    group = [*by, "reached"]
    longest = settings.longest_path
    last = F.slice("steps", -longest, longest)
    path = F.when(F.size("steps") > longest, F.concat(F.array(F.lit(EARLIER)), last)).otherwise(F.col("steps"))
    ended = journeys.where("NOT open").select("person_id", *group, path.alias("path"))
    of_people = ended.groupBy(*group, "path", "person_id").agg(F.count("*").alias("journeys"))
    counted = of_people.groupBy(*group, "path").agg(F.sum("journeys").alias("journeys"), F.count("*").alias("people"))
    place = F.row_number().over(Window.partitionBy(*group).orderBy(F.desc("journeys"), "path"))
    common = counted.withColumn("place", place).where(F.col("place") <= most).drop("place")
    whole = ended.groupBy(*group).agg(F.count("*").alias("all"))
    return common.join(F.broadcast(whole), group).withColumn("share", F.expr("journeys / all")).drop("all")
