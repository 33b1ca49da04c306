"""Measuring everyone at the end of a date."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.config.features import FeatureSettings
from segmentation.config.rules import Rule
from segmentation.contracts.table import check_columns
from segmentation.features.compile import combination_levels, compile_features
from segmentation.features.journeys import list_journeys
from segmentation.features.library import Source
from segmentation.features.rules import rule_column


def measure_features(
    events: DataFrame, sessions: DataFrame, settings: FeatureSettings, as_of: date, journeys: DataFrame | None = None
) -> DataFrame:
    """All declared features of everyone with an event.

    In: events with `person_id`, and sessions, none of which is after the end of `as_of`. Out: one row a person with
    `person_id`, `as_of`, `feature_set` and a DOUBLE column a feature, in the order of their declaration. Each of the
    two tables is read once, whatever the number of features; `sessions` only where a feature needs it. `journeys` are
    those of the events (`list_journeys`); where a feature needs them and they are not given, they are found.
    """
    source = Source.of(settings, as_of)
    source.events.count()
    features = compile_features(source)
    check_columns(events, ("person_id", "event_id", "event_date"), "the events to measure")
    figures = source.events.compute(events)
    if source.sessions.asked:
        check_columns(sessions, ("person_id", "session_id", "session_start"), "the sessions to measure")
        figures = figures.join(source.sessions.compute(sessions), "person_id", "left")
    if source.journeys.asked:
        known = journeys if journeys is not None else list_journeys(events, settings, as_of)
        figures = figures.join(source.journeys.compute(known), "person_id", "left")
    measured = figures.select("person_id", *(f.filled() for f in features if not f.over_features))
    combined = {feature.name: feature for feature in features}
    for level in combination_levels(settings):
        measured = measured.select("*", *(combined[name].filled() for name in level))
    return measured.select(
        "person_id",
        F.lit(as_of).alias("as_of"),
        F.lit(feature_set(settings)).alias("feature_set"),
        *(feature.name for feature in features),
    )


def keep_until(events: DataFrame, rule: Rule) -> DataFrame:
    """What each person did before their first event that meets `rule`; of people without one, all.

    In and out: one row an event, with `person_id`.
    """
    first = F.min(F.when(rule_column(rule, "events"), F.col("event_ts"))).over(Window.partitionBy("person_id"))
    return events.withColumn("_until", first).where("_until IS NULL OR event_ts < _until").drop("_until")


def feature_set(settings: FeatureSettings) -> str:
    """The version of a set of features: a hash of its definitions."""
    return settings.definitions.sha256()[:16]
