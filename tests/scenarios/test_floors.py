"""The comparison with the floors: a floor that is too high is said, and so is one that nothing is measured for."""

from __future__ import annotations

import pytest
from tests.scenarios.floors import Floors, find_breaches

MEASURED = {"rows": {"rows_lost": 0}, "identity": {"pairwise_precision": 0.9, "pairwise_recall": float("nan")}}


@pytest.mark.parametrize(
    ("floors", "said"),
    [
        ({"identity.pairwise_precision": {"at_least": 0.9}, "rows.rows_lost": {"at_least": 0, "at_most": 0}}, []),
        (
            {"identity.pairwise_precision": {"at_least": 0.91}},
            ["identity.pairwise_precision is 0.9, not {'at_least': 0.91}"],
        ),
        ({"rows.rows_lost": {"at_most": -1}}, ["rows.rows_lost is 0, not {'at_most': -1}"]),
        ({"identity.pairwise_recall": {"at_least": 0}}, ["identity.pairwise_recall is nan, not {'at_least': 0}"]),
        ({"rows.lost": {"at_most": 0}}, ["rows.lost is not in the score"]),
        ({"sessions.exactly_right": {"at_least": 0}}, ["sessions.exactly_right is not in the score"]),
        ({"rows.rows_lost": {"at_mots": 0}}, ["rows.rows_lost needs at_least or at_most, not ['at_mots']"]),
        ({"rows.rows_lost": {}}, ["rows.rows_lost needs at_least or at_most, not []"]),
    ],
)
def test_each_floor_that_does_not_hold_is_said(floors: Floors, said: list[str]) -> None:
    assert find_breaches(MEASURED, floors) == said
