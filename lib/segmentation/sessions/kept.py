"""The sessions that are kept: those that are not older than `maintenance.keep_rows_days` says."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.settings import Settings
from segmentation.contracts.table import check_columns
from segmentation.sessions.cut import cut_sessions


def cut_kept_sessions(owned: DataFrame, settings: Settings, as_of: date) -> DataFrame:
    """The sessions that are kept at `as_of`, of events that carry `person_id`: grains as of `cut_sessions`."""
    return keep_recent(
        cut_sessions(owned, settings.sessions, as_of, list(settings.identity.identifiers)), settings, as_of
    )


def keep_recent(sessions: DataFrame, settings: Settings, as_of: date) -> DataFrame:
    """Those of `sessions` that are kept at `as_of`. Grain in and out: one session."""
    check_columns(sessions, ("session_start",), "the sessions")
    oldest = oldest_kept(settings, as_of)
    return sessions if oldest is None else sessions.where(F.col("session_start") >= F.lit(oldest))


def oldest_kept(settings: Settings, as_of: date) -> date | None:
    """The first day of which sessions are kept; None: all are."""
    days = sessions_age(settings)
    return None if days is None else as_of - timedelta(days=days)


def sessions_age(settings: Settings) -> int | None:
    """For how many days before the date sessions are kept; None: for ever."""
    return settings.maintenance.keep_rows_days.get("sessions")
