"""What people are told about a feature: the features room makes these, profiles and reports read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureInfo:
    """One feature in words.

    `high` and `low` are what marketing calls people who have much or little of it (`frequent`, `occasional`); both
    are fit to stand in a segment's name. `family` groups features that say nearly the same (value, loyalty,
    rhythm, mix, offers, …), so that a name takes at most one word from each. A word is an adjective (`frequent`) or a
    plural noun (`deal-seekers`), which then ends the name: “Occasional deal-seekers”.

    `unit` is `share` (0 to 1, shown in per cent), `money`, `days`, or a plural noun (`visits`); empty: a bare number.
    `phrase` says it of people, behind the word “they”, with `{value}` (the median with its unit, or the mean where
    that says more) or `{times}` (“3.1 × the average”): “spend {times}”, “come every {value}”. Empty: the label and its
    figure are said plainly.
    """

    name: str
    label: str
    unit: str
    description: str
    family: str
    high: str
    low: str
    phrase: str = ""
