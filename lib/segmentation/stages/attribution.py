"""What led people to convert, by channel and segment: for a command, and not a part of the pipeline."""

from __future__ import annotations

from pyspark.sql import functions as F

from segmentation.config.attribution import AttributionSettings
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError, Problem
from segmentation.experiments.attribution import Attribution, attribute, list_journeys
from segmentation.features.rules import field_column, rule_column
from segmentation.runtime.plans import settled
from segmentation.runtime.stage import StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour

READS = ("events", "identity_map", "identity_history", "segments_current")


def find_settings(settings: Settings) -> AttributionSettings:
    """What the configuration says of it; raises `ConfigError` where it says nothing."""
    if settings.attribution is None:
        said = "is missing: say which field names the channel of an event, such as `{channel: properties.channel}`"
        raise ConfigError([Problem("attribution", said)])
    return settings.attribution


def attribute_conversions(context: StageContext) -> Attribution:
    """Conversions up to the date, shared out among the touches before them; people by their segment of now.

    Raises `ConfigError` where the configuration does not say how, `InputError` where there are too many channels.
    """
    settings, wanted = context.settings, find_settings(context.settings)
    behaviour = keep_behaviour(context.read("events"), context.as_of, settings)
    owned = attach_persons(behaviour, context.read_owners(), list(settings.identity.identifiers))
    touches = F.lit(True) if wanted.touches is None else rule_column(wanted.touches, "events")
    conversion = rule_column(wanted.conversion or settings.features.purchase, "events")
    journeys = list_journeys(owned, field_column(wanted.channel, "events"), touches, conversion, wanted.window_days)
    segments = context.read_or_empty("segments_current").select("person_id", "segment_id")
    with settled(journeys.join(segments, "person_id", "left")) as placed:
        return attribute(placed, wanted.half_life_days, context.as_of)
