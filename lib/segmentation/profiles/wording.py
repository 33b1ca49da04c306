"""Figures as people read them: three significant digits, thousands separated, units in words."""

from __future__ import annotations

from math import floor, log10

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.statistics import FeatureStatistics

_SHARES = ((1 / 2, "half"), (1 / 3, "a third"), (2 / 3, "two thirds"), (1 / 4, "a quarter"), (3 / 4, "three quarters"))
_NEAR = 0.015


def number(value: float) -> str:
    """`1,230`, `12.3`, `0.123`: whole from a hundred on, else three significant digits, no trailing zeros."""
    if value == 0:
        return "0"
    digits = 2 - floor(log10(abs(value)))
    if digits <= 0:
        return f"{value:,.0f}"
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def compact(value: float) -> str:
    """A number for a narrow place: `1.23 M`, `12.3 k`, `123`."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{number(value / (1e3 if letter == 'k' else size))} {letter}"
    return number(value)


def per_cent(share: float) -> str:
    """`48 %`, `4.8 %`, `<0.1 %`."""
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share:.0%}".replace("%", " %") if share >= 0.1 or share == 0 else f"{share:.1%}".replace("%", " %")


def part(share: float) -> str:
    """A share in a sentence: `half`, `a third`, else per cent."""
    return next((word for size, word in _SHARES if abs(share - size) <= _NEAR), per_cent(share))


def quantity(value: float, unit: str) -> str:
    """A value with its unit: `4 days`, `1 day`, `3.2 visits`, `48 %`, `1,230`."""
    if unit == "share":
        return per_cent(value)
    if unit in ("", "money"):
        return number(value)
    text = f"{value:,.1f}".removesuffix(".0") if abs(value) < 10 else f"{value:,.0f}"
    return f"{text} {unit.removesuffix('s') if text == '1' else unit}"


def times(ratio: float) -> str:
    """A multiple of the average: `3.1 × the average`; near 1, `about the average`."""
    if 0.95 <= ratio <= 1.05:
        return "about the average"
    return f"{number(float(f'{ratio:.2g}'))} × the average"


def typical(figures: FeatureStatistics, unit: str) -> float | None:
    """What stands for the segment: the mean of shares; else the median, unless that is 0 and the mean is not."""
    return figures.mean if _told_by_mean(figures, unit) else figures.median


def typical_of_everyone(figures: FeatureStatistics, unit: str) -> float | None:
    """The same over everyone: the mean where `typical` is a mean."""
    return figures.everyone_mean if _told_by_mean(figures, unit) else figures.everyone_median


def _told_by_mean(figures: FeatureStatistics, unit: str) -> bool:
    return unit == "share" or (figures.median == 0 and figures.mean != 0)


def clause(info: FeatureInfo, figures: FeatureStatistics) -> str | None:
    """What people of a segment do, behind “they”; None where the feature has no such words, or too little is known."""
    value, ratio = typical(figures, info.unit), figures.times
    if not info.phrase or value is None or ("{times}" in info.phrase and ratio is None):
        return None
    shown = part(value) if info.unit == "share" else quantity(value, info.unit)
    return info.phrase.format(value=shown, times=times(ratio or 0.0))


def plain(info: FeatureInfo, figures: FeatureStatistics) -> str | None:
    """A feature and its figure: `visits a month 4 (everyone: 2.5)`; None where nothing is known."""
    value, everyone = typical(figures, info.unit), typical_of_everyone(figures, info.unit)
    if value is None or everyone is None:
        return None
    label = info.label[:1].lower() + info.label[1:]
    return f"{label} {quantity(value, info.unit)} (everyone: {quantity(everyone, info.unit)})"


def listed(clauses: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(clauses[:-1]), clauses[-1]]) if len(clauses) > 1 else "".join(clauses)
