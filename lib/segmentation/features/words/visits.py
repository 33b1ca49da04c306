"""What people's sessions are like."""

from __future__ import annotations

from segmentation.contracts.feature_info import FeatureInfo

VISITS = (
    FeatureInfo(
        "sessions",
        "visits",
        "visits",
        "Sessions.",
        "activity",
        "often-visiting",
        "seldom-visiting",
        "make {value}",
    ),
    FeatureInfo(
        "sessions_last_30",
        "visits in the last 30 days",
        "visits",
        "Sessions that began in the last 30 days.",
        "activity",
        "currently visiting",
        "currently away",
        "paid {value} in the last 30 days",
    ),
    FeatureInfo(
        "session_duration_mean",
        "mean length of visits",
        "seconds",
        "Seconds from the first to the last event of a session, on average.",
        "visits",
        "long-visit",
        "short-visit",
        "stay {value} a visit",
    ),
    FeatureInfo(
        "session_duration_median",
        "usual length of visits",
        "seconds",
        "Seconds from the first to the last event of a session, median.",
        "visits",
        "long-visit",
        "short-visit",
        "stay {value} a visit",
    ),
    FeatureInfo(
        "events_per_session",
        "events a visit",
        "events",
        "Events of a session, on average.",
        "visits",
        "exploring",
        "brief",
        "do {value} things a visit",
    ),
    FeatureInfo(
        "bounce_rate",
        "bounce rate",
        "share",
        "Sessions with one event only, of all.",
        "visits",
        "bouncing",
        "staying",
        "leave at once on {value} of visits",
    ),
    FeatureInfo(
        "conversion_rate",
        "conversion rate",
        "share",
        "Sessions with a declared conversion event, of all.",
        "conversion",
        "converting",
        "browsing",
        "convert on {value} of visits",
    ),
)
