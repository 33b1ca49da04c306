"""The names of the shipped features, and what some of them need to be told."""

from __future__ import annotations

from typing import Literal

WeekdayShare = Literal[
    "monday_share",
    "tuesday_share",
    "wednesday_share",
    "thursday_share",
    "friday_share",
    "saturday_share",
    "sunday_share",
]
"""Shares of the days of the week, Monday first."""

LibraryName = Literal[
    "recency",
    "frequency",
    "monetary",
    "average_basket_value",
    "items_per_basket",
    "tenure",
    "interpurchase_time",
    "interpurchase_cv",
    "purchase_days",
    "returns_share",
    "spend_trend",
    "inactivity",
    "days_active",
    "active_days_last_30",
    "events",
    "engagement",
    "weighted_engagement",
    "activity_trend",
    "sessions",
    "sessions_last_30",
    "session_duration_mean",
    "session_duration_median",
    "events_per_session",
    "bounce_rate",
    "conversion_rate",
    "weekend_share",
    "morning_share",
    "afternoon_share",
    "evening_share",
    "night_share",
    "platforms",
    "platform_entropy",
    WeekdayShare,
    "channels",
    "channel_entropy",
    "devices",
    "device_entropy",
    "category_affinity",
    "category_affinity_by_amount",
    "category_entropy",
    "discount_share",
    "funnel_stage",
    "clv_frequency",
    "clv_recency",
    "clv_age",
    "clv_monetary",
]

DEFAULT_LIBRARY: list[LibraryName] = [
    "recency",
    "frequency",
    "monetary",
    "average_basket_value",
    "tenure",
    "interpurchase_time",
    "interpurchase_cv",
    "days_active",
    "engagement",
    "activity_trend",
    "sessions",
    "session_duration_mean",
    "events_per_session",
    "bounce_rate",
    "weekend_share",
    "evening_share",
]

NEEDED: dict[LibraryName, tuple[str, str]] = {
    "funnel_stage": ("funnel", "the events in order"),
    "weighted_engagement": ("event_weights", "what events weigh"),
    "category_affinity": ("category", "the field that says what was bought"),
    "category_affinity_by_amount": ("category", "the field that says what was bought"),
    "category_entropy": ("category", "the field that says what was bought"),
    "discount_share": ("discount", "which purchases are at a discount"),
}
"""Shipped features that are made from a setting of their own: its key, and what it says."""

IN_PERIODS: tuple[LibraryName, ...] = ("clv_frequency", "clv_recency", "clv_age", "clv_monetary")
"""Shipped features that are counted in periods of `clv_period_days`."""
