"""What people did, and measuring some from their own events, whatever the tables of sessions and features say."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame

from segmentation.config.rules import Rule
from segmentation.config.settings import Settings
from segmentation.features.build import keep_until, measure_features
from segmentation.sessions.attach import attach_persons, keep_behaviour, keep_statements
from segmentation.sessions.kept import cut_kept_sessions


def own_behaviour(events: DataFrame, owners: DataFrame, settings: Settings, as_of: date) -> DataFrame:
    """The events that features are measured of, with `person_id`: those that count, are somebody's, and happened before
    what `features.before` names. Grain in and out: one event; `owners`: rows as of `identity_map`."""
    owned = attach_persons(keep_behaviour(events, as_of, settings), owners, list(settings.identity.identifiers))
    return keep_until(owned, settings.features.before) if settings.features.before else owned


def own_statements(events: DataFrame, owners: DataFrame, settings: Settings, as_of: date) -> DataFrame:
    """The events that say people's attributes: those of `own_behaviour`, and the rows of link tables up to the same
    moment. Grains as there."""
    owned = attach_persons(keep_statements(events, as_of, settings), owners, list(settings.identity.identifiers))
    before, links = settings.features.before, settings.identity.link_events
    if before is None:
        return owned
    # A row of a link table is nobody's behaviour, and nothing ends with it.
    return keep_until(owned, Rule(all=[before, Rule(not_=Rule(event=links))]) if links else before)


def measure_people(events: DataFrame, owners: DataFrame, settings: Settings, as_of: date) -> DataFrame:
    """The features at the end of `as_of` of whoever is among `owners` (rows as of `identity_map`): rows as of
    `measure_features`, the same that the stage `features` would write."""
    owned = own_behaviour(events, owners, settings, as_of)
    sessions = cut_kept_sessions(owned, settings, as_of)
    stated = own_statements(events, owners, settings, as_of)
    return measure_features(owned, sessions, settings.features, as_of, settings.identity.attributes, stated)
