"""What people are told about a feature: the features room makes these, profiles and reports read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureInfo:
    """One feature in words.

    `high` and `low` are what marketing calls people who have much or little of it (`frequent`, `occasional`); both
    are fit to stand in a segment's name. `family` groups features that say nearly the same (value, loyalty,
    rhythm, mix, offers, …), so that a name takes at most one word from each.
    """

    name: str
    label: str
    unit: str
    description: str
    family: str
    high: str
    low: str
