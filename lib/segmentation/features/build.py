"""Measuring everyone at the end of a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.features import FeatureSettings
from segmentation.config.identity import AttributeRule
from segmentation.config.rules import Rule
from segmentation.contracts.table import check_columns
from segmentation.features.attributes import known_attributes
from segmentation.features.compile import compile_features
from segmentation.features.journeys import list_journeys
from segmentation.features.library import Source
from segmentation.features.measures import Measures
from segmentation.features.rules import rule_column


def measure_features(
    events: DataFrame,
    sessions: DataFrame,
    settings: FeatureSettings,
    as_of: date,
    attributes: Mapping[str, AttributeRule] | None = None,
    stated: DataFrame | None = None,
) -> DataFrame:
    """All declared features of everyone with an event.

    In: events with `person_id`, and sessions, none of which is after the end of `as_of`; the rules of the attributes
    that features name, and the events that say these (`stated`; default: the same). Out: one row a person with
    `person_id`, `as_of`, `feature_set` and a DOUBLE column a feature, in the order of their declaration. Each of the
    two tables is read once, whatever the number of features, and once more for journeys and for attributes; `sessions`
    only where a feature needs it.
    """
    check_columns(events, ("person_id", "event_id", "event_date"), "the events to measure")
    plan = FeaturePlan(settings, as_of, attributes)
    journeys = list_journeys(events, settings, as_of) if plan.needs_journeys else None
    known = known_attributes(events if stated is None else stated, attributes or {}) if plan.needs_attributes else None
    return plan.measure(plan.days.compute(events), sessions, journeys, known)


class FeaturePlan:
    """What all declared features need, found before anything is read.

    `attributes`: the rules of those that features name.
    """

    def __init__(
        self, settings: FeatureSettings, as_of: date, attributes: Mapping[str, AttributeRule] | None = None
    ) -> None:
        self._settings = settings
        self._version = settings.version(attributes)
        self._source = Source.of(settings, as_of)
        self._source.events.count()  # so that there are days to read, whatever is declared
        self._features = compile_features(self._source)

    @property
    def days(self) -> Measures:
        """What is needed of the events, day by day."""
        return self._source.events

    @property
    def needs_journeys(self) -> bool:
        """Whether a feature is of journeys."""
        return self._source.journeys.asked

    @property
    def needs_attributes(self) -> bool:
        """Whether a feature is of people's attributes."""
        return self._source.attributes.asked

    def measure(
        self, figures: DataFrame, sessions: DataFrame, journeys: DataFrame | None, attributes: DataFrame | None
    ) -> DataFrame:
        """As `measure_features`, of what `days` computed or combined; `journeys` (`list_journeys`) and `attributes`
        (`known_attributes`) where they are needed."""
        source, features = self._source, self._features
        if source.sessions.asked:
            check_columns(sessions, ("person_id", "session_id", "session_start"), "the sessions to measure")
            figures = figures.join(source.sessions.compute(sessions), "person_id", "left")
        if source.journeys.asked:
            assert journeys is not None, "asked for where they are needed"
            figures = figures.join(source.journeys.compute(journeys), "person_id", "left")
        if source.attributes.asked:
            assert attributes is not None, "asked for where they are needed"
            figures = figures.join(attributes, "person_id", "left")
        measured = figures.select("person_id", *(f.filled() for f in features if not f.over_features))
        combined = {feature.name: feature for feature in features}
        for level in self._settings.combination_levels():
            measured = measured.select("*", *(combined[name].filled() for name in level))
        return measured.select(
            "person_id",
            F.lit(source.as_of).alias("as_of"),
            F.lit(self._version).alias("feature_set"),
            *(feature.name for feature in features),
        )


def keep_until(events: DataFrame, rule: Rule) -> DataFrame:
    """What each person did before their first event that meets `rule`; of people without one, all.

    In and out: one row an event, with `person_id`.
    """
    first = F.min(F.when(rule_column(rule, "events"), F.col("event_ts"))).over(Window.partitionBy("person_id"))
    return events.withColumn("_until", first).where("_until IS NULL OR event_ts < _until").drop("_until")
