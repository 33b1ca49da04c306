"""Whether segments differ in a feature by more than chance, and how much of how people differ they account for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import chi2_contingency, f, false_discovery_control

from segmentation.profiles.statistics import FeatureStatistics


@dataclass(frozen=True)
class Difference:
    """One feature over all segments."""

    explained: float
    """Share of the variance that lies between the segments, and not within them (eta squared): 0 to 1."""
    p_value: float
    """How likely means as far apart as these are where all are one: one-way analysis of variance, with the false
    discovery rate over all features controlled (Benjamini & Hochberg, JRSS B 57 (1995))."""


def measure_differences(segments: Sequence[Mapping[str, FeatureStatistics]]) -> dict[str, Difference]:
    """Each feature that at least two of the `segments` know of, from their numbers, means and deviations alone.

    Features by which people were put into segments differ by their making: what is told of those is how much.
    """
    names = dict.fromkeys(name for segment in segments for name in segment)
    found = {name: measured for name in names if (measured := _analyse([s[name] for s in segments if name in s]))}
    if not found:
        return {}
    p_values = false_discovery_control([one.p_value for one in found.values()])
    return {name: Difference(one.explained, float(p)) for (name, one), p in zip(found.items(), p_values, strict=True)}


@dataclass(frozen=True)
class Association:
    """How far segments and kinds of another sort go together."""

    strength: float
    """Cramér's V: 0 where they have nothing to do with each other, 1 where the one says the other."""
    p_value: float
    """How likely counts as uneven as these are where they have nothing to do with each other: chi-square."""


def measure_association(counts: Sequence[Sequence[int]]) -> Association | None:
    """In: people, a row a segment, a column a kind. None where all are of one segment or of one kind."""
    rows = [list(row) for row in counts if sum(row)]
    table = [column for column in zip(*rows, strict=True) if sum(column)]
    if len(table) < 2 or len(table[0]) < 2:
        return None
    chi_square, p_value, *_ = chi2_contingency(table, correction=False)
    most = sum(map(sum, table)) * (min(len(table), len(table[0])) - 1)
    return Association(float(chi_square / most) ** 0.5, float(p_value))


def measure_associations(tables: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, Association]:
    """Each of the `tables` (as of `measure_association`) of which it can be said, with the false discovery rate over
    all of them controlled."""
    found = {name: measured for name, counts in tables.items() if (measured := measure_association(counts))}
    if not found:
        return {}
    p_values = false_discovery_control([one.p_value for one in found.values()])
    return {name: Association(one.strength, float(p)) for (name, one), p in zip(found.items(), p_values, strict=True)}


def _analyse(groups: Sequence[FeatureStatistics]) -> Difference | None:
    known = [
        (group.known, group.mean, group.standard_deviation)
        for group in groups
        if group.mean is not None and group.standard_deviation is not None
    ]
    people = sum(size for size, _, _ in known)
    if len(known) < 2 or people <= len(known):
        return None
    everyone = sum(size * mean for size, mean, _ in known) / people
    between = sum(size * (mean - everyone) ** 2 for size, mean, _ in known)
    within = sum(size * deviation**2 for size, _, deviation in known)
    if not between:
        return Difference(0.0, 1.0)
    if not within:
        return Difference(1.0, 0.0)
    freedom = len(known) - 1, people - len(known)
    ratio = (between / freedom[0]) / (within / freedom[1])
    return Difference(between / (between + within), float(f.sf(ratio, *freedom)))
