"""Figures as people read them."""

from __future__ import annotations

import pytest

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.statistics import FeatureStatistics
from segmentation.profiles.wording import clause, compact, listed, number, part, per_cent, plain, quantity, times


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (number(0), "0"),
        (number(1234567.8), "1,234,568"),
        (number(99.96), "100"),
        (number(12.345), "12.3"),
        (number(-0.012345), "-0.0123"),
        (number(3.0), "3"),
        (compact(1_476_309), "1.48 M"),
        (compact(15_000), "15 k"),
        (compact(9_999), "9,999"),
        (compact(2.5e9), "2.5 bn"),
        (per_cent(0.4811), "48 %"),
        (per_cent(0.0481), "4.8 %"),
        (per_cent(0.0001), "<0.1 %"),
        (per_cent(0.0), "0 %"),
        (per_cent(1.0), "100 %"),
        (part(0.49), "half"),
        (part(0.26), "a quarter"),
        (part(0.55), "55 %"),
        (quantity(4.0, "days"), "4 days"),
        (quantity(1.04, "days"), "1 day"),
        (quantity(3.32, "days"), "3.3 days"),
        (quantity(52.2, "days"), "52 days"),
        (quantity(1230.4, "money"), "1,230"),
        (quantity(0.5, "share"), "50 %"),
        (times(3.14), "3.1 × the average"),
        (times(0.27), "0.27 × the average"),
        (times(1.02), "about the average"),
        (listed([]), ""),
        (listed(["a"]), "a"),
        (listed(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_figures(made: str, expected: str) -> None:
    assert made == expected


def _figures(mean: float | None, median: float | None) -> FeatureStatistics:
    return FeatureStatistics(5, mean, median, 1.0, 1.0, 10.0, 8.0)


def test_shares_are_means_and_the_rest_medians_unless_these_are_nothing() -> None:
    coupons = FeatureInfo("c", "Coupons", "share", "", "offers", "", "", "use one in {value}")
    visits = FeatureInfo("v", "Visits", "visits", "", "rhythm", "", "")
    assert clause(coupons, _figures(0.5, 0.0)) == "use one in half"
    assert plain(visits, _figures(12.0, 11.0)) == "visits 11 visits (everyone: 8 visits)"
    assert plain(visits, _figures(0.4, 0.0)) == "visits 0.4 visits (everyone: 10 visits)"


def test_what_is_not_known_is_not_said() -> None:
    spend = FeatureInfo("m", "Spend", "money", "", "value", "", "", "spend {times}")
    assert clause(spend, _figures(None, None)) is None
    assert plain(spend, _figures(None, None)) is None
    assert clause(spend, _figures(-5.0, -5.0)) is None, "a negative multiple says nothing"
