"""When people do it."""

from __future__ import annotations

from typing import get_args

from segmentation.config.feature_library import WeekdayShare
from segmentation.contracts.feature_info import FeatureInfo


def _on(name: str) -> FeatureInfo:
    day = name.removesuffix("_share").title()
    return FeatureInfo(
        name,
        f"{day} share",
        "share",
        f"Events on {day}s (UTC), of all.",
        "calendar",
        day,
        f"not-{day}",
        f"do {{value}} of it on {day}s",
    )


CALENDAR = (
    FeatureInfo(
        "weekend_share",
        "weekend share",
        "share",
        "Events on Saturday and Sunday (UTC), of all.",
        "calendar",
        "weekend",
        "weekday",
        "do {value} of it at weekends",
    ),
    FeatureInfo(
        "morning_share",
        "morning share",
        "share",
        "Events from 6 to 12 o'clock (UTC), of all.",
        "time of day",
        "morning",
        "later-in-the-day",
        "do {value} of it in the morning",
    ),
    FeatureInfo(
        "afternoon_share",
        "afternoon share",
        "share",
        "Events from 12 to 18 o'clock (UTC), of all.",
        "time of day",
        "afternoon",
        "off-afternoon",
        "do {value} of it in the afternoon",
    ),
    FeatureInfo(
        "evening_share",
        "evening share",
        "share",
        "Events from 18 to 22 o'clock (UTC), of all.",
        "time of day",
        "evening",
        "daytime",
        "do {value} of it in the evening",
    ),
    FeatureInfo(
        "night_share",
        "night share",
        "share",
        "Events from 22 to 6 o'clock (UTC), of all.",
        "time of day",
        "night-time",
        "daytime",
        "do {value} of it at night",
    ),
    *map(_on, get_args(WeekdayShare)),
)
