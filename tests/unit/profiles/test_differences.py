"""Segments against each other: scipy's analysis of variance on the people, from the segments' figures alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import chi2_contingency, f_oneway, false_discovery_control
from scipy.stats.contingency import association

from segmentation.profiles.differences import (
    Association,
    Difference,
    measure_association,
    measure_associations,
    measure_differences,
)
from segmentation.profiles.statistics import FeatureStatistics


def _figures(values: np.ndarray) -> FeatureStatistics:
    if not len(values):
        return FeatureStatistics(0, None, None, None, 0.0, 1.0, 1.0)
    mean, median, deviation = float(values.mean()), float(np.median(values)), float(values.std())
    return FeatureStatistics(len(values), mean, median, deviation, 0.0, 1.0, 1.0)


def _segments(**features: list[np.ndarray]) -> list[Mapping[str, FeatureStatistics]]:
    return [{name: _figures(groups[at]) for name, groups in features.items()} for at in range(3)]


def test_it_is_scipys_analysis_of_variance_corrected_for_the_number_of_features() -> None:
    random = np.random.default_rng(2)
    apart = [random.normal(mean, 2.0, size) for mean, size in ((0, 40), (0.5, 25), (1.5, 30))]
    alike = [random.normal(1.0, 2.0, size) for size in (40, 25, 30)]
    found = measure_differences(_segments(apart=apart, alike=alike))
    expected = false_discovery_control([f_oneway(*apart).pvalue, f_oneway(*alike).pvalue])
    assert [found["apart"].p_value, found["alike"].p_value] == pytest.approx(expected, rel=1e-9)
    assert found["apart"].p_value < 0.05 < found["alike"].p_value
    everyone = np.concatenate(apart)
    between = sum(len(group) * (group.mean() - everyone.mean()) ** 2 for group in apart)
    assert found["apart"].explained == pytest.approx(between / (len(everyone) * everyone.var()))


def test_how_far_segments_and_kinds_go_together_is_scipys() -> None:
    counts = [[10, 20, 0, 30], [6, 6, 0, 16], [0, 0, 0, 0]]
    table = [[10, 20, 30], [6, 6, 16]]
    found = measure_association(counts)
    assert found is not None
    assert found.p_value == pytest.approx(chi2_contingency(table, correction=False).pvalue)
    assert found.strength == pytest.approx(association(np.array(table), method="cramer", correction=False))
    exact = measure_association([[5, 0], [0, 7]])
    assert exact is not None
    assert exact.strength == pytest.approx(1)
    assert measure_association([[5, 0], [7, 0]]) is None
    assert measure_association([]) is None


def test_what_cannot_be_tested_is_left_out_or_certain() -> None:
    nobody, ones, twos = np.array([]), np.ones(4), np.full(3, 2.0)
    found = measure_differences(
        _segments(one_knows=[ones, nobody, nobody], same=[ones, ones, nobody], fixed=[ones, twos, twos])
    )
    assert found == {"same": Difference(0.0, 1.0), "fixed": Difference(1.0, 0.0)}
    assert measure_differences([]) == {}


def test_associations_are_corrected_for_how_many_there_are() -> None:
    strong, weak, one_kind = [[30, 10], [10, 30]], [[25, 15], [17, 23]], [[5, 0], [7, 0]]
    found = measure_associations({"strong": strong, "weak": weak, "one": one_kind})
    alone = {name: measure_association(counts) for name, counts in (("strong", strong), ("weak", weak))}
    assert set(found) == {"strong", "weak"}
    for name, times in (("strong", 2), ("weak", 1)):
        one = alone[name]
        assert one is not None
        assert found[name] == Association(one.strength, pytest.approx(one.p_value * times))
    assert measure_associations({"one": one_kind}) == {}
