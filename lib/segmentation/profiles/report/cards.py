"""The report's cards: a segment each, with what sets it apart and who is typical of it."""

from __future__ import annotations

from math import copysign
from typing import Any

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.flows import HUES
from segmentation.profiles.naming import NOTABLE, traits
from segmentation.profiles.report.data import Profile, ReportData, TypicalPerson
from segmentation.profiles.report.words import capital, money
from segmentation.profiles.statistics import FeatureStatistics, SegmentStatistics
from segmentation.profiles.wording import quantity, times, typical, typical_of_everyone

TRAITS = 5
"""Features on a card."""

_FULL_BAR = 2.0
"""Effect size at which a bar is full."""

_STEPS = (0.15, 0.4, 0.8, 1.3)
"""Effect sizes from which a cell of the heat map is one shade stronger."""


def show_card(profile: Profile, position: int, data: ReportData) -> dict[str, Any]:
    """A segment on its card. `position`: its place among all, which decides its colour and where links lead."""
    infos = {info.name: info for info in data.features}
    statistics = SegmentStatistics(profile.segment_id, profile.size, profile.share, profile.statistics)
    apart = [trait for trait in traits(statistics, infos) if abs(trait.effect) >= NOTABLE / 2]
    found = [t for t in apart if _is_seen(infos[t.feature], profile.statistics[t.feature])][:TRAITS]
    return {
        "profile": profile,
        "anchor": f"segment-{position + 1}",
        "hue": "fallback" if profile.is_fallback else f"c{position % HUES}",
        "is_fallback": profile.is_fallback,
        "revenue_each": profile.revenue / profile.size if profile.revenue is not None and profile.size else None,
        "bars": [_bar(infos[t.feature], profile.statistics[t.feature], data.activity.currency) for t in found],
        "typical": [
            _typical(person, [infos[trait.feature] for trait in found], data.activity.currency)
            for person in data.typical
            if found and person.segment == profile.segment_id
        ],
        "figures": [
            figure(info, profile.statistics[info.name], data.activity.currency)
            for info in data.features
            if info.name in profile.statistics
        ],
    }


def _is_seen(info: FeatureInfo, figures: FeatureStatistics) -> bool:
    """Whether the figures beside a bar differ as the bar does. Where a few people move a mean, medians may not."""
    here, everyone = typical(figures, info.unit), typical_of_everyone(figures, info.unit)
    if here is None or everyone is None or figures.mean is None or figures.everyone_mean is None:
        return False
    deviation = (figures.mean - figures.everyone_mean) / figures.effect_size
    return (here - everyone) * copysign(1, figures.effect_size) >= deviation * NOTABLE / 4


def _bar(info: FeatureInfo, figures: FeatureStatistics, currency: str | None) -> dict[str, Any]:
    """A feature as a bar to the left (less than everyone) or right of the middle; half a track is `_FULL_BAR`."""
    effect = figures.effect_size
    length = min(abs(effect), _FULL_BAR) / _FULL_BAR * 50
    return {
        **figure(info, figures, currency),
        "length": round(length, 1),
        "start": round(50 - length if effect < 0 else 50, 1),
        "side": "less" if effect < 0 else "more",
        "beyond": abs(effect) > _FULL_BAR,
    }


def _typical(person: TypicalPerson, traits: list[FeatureInfo], currency: str | None) -> dict[str, Any]:
    """Somebody of a segment, in the traits of its card."""
    return {
        "id": person.person_id,
        "traits": [(capital(info.label), _value(person.values.get(info.name), info, currency)) for info in traits],
    }


def figure(info: FeatureInfo, figures: FeatureStatistics, currency: str | None) -> dict[str, Any]:
    """A feature of a segment, beside everyone's."""
    return {
        "label": capital(info.label),
        "description": info.description,
        "value": _value(typical(figures, info.unit), info, currency),
        "everyone": _value(typical_of_everyone(figures, info.unit), info, currency),
        "how_far": _how_far(figures),
        "shade": _shade(figures.effect_size),
    }


def _value(value: float | None, info: FeatureInfo, currency: str | None) -> str:
    if value is None:
        return "not known"
    return money(value, currency) if info.unit == "money" else quantity(value, info.unit)


def _how_far(figures: FeatureStatistics) -> str:
    """`much more than everyone (3.1 × the average)`."""
    strength = abs(figures.effect_size)
    if strength < _STEPS[0]:
        return "about as everyone"
    degree = "a little" if strength < _STEPS[1] else "clearly" if strength < _STEPS[2] else "much"
    side = "less" if figures.effect_size < 0 else "more"
    ratio = figures.times
    told = f" ({times(ratio)})" if ratio is not None and not 0.95 <= ratio <= 1.05 else ""
    return f"{degree} {side} than everyone{told}"


def _shade(effect: float) -> int:
    strength = sum(abs(effect) >= step for step in _STEPS)
    return -strength if effect < 0 else strength
