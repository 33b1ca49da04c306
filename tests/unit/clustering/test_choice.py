"""Choosing a candidate: silhouette within the limits, and found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from segmentation.clustering.candidates import Candidate
from segmentation.clustering.choice import Choice, choose
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import InputError


def _candidate(k: int, silhouette: float, **changes: Any) -> Candidate:
    base = Candidate("bisecting_kmeans", k, sizes=(100,) * k, figures={"silhouette": silhouette})
    return replace(base, **changes)


def _choose(candidates: Sequence[Candidate], stability: dict[int, float] | None = None, **settings: Any) -> Choice:
    def measured(finalists: Sequence[Candidate]) -> list[Candidate]:
        agreed = stability or {}
        return [replace(c, figures={**c.figures, "stability": agreed.get(c.k, 0.9)}) for c in finalists]

    return choose(candidates, ClusteringSettings(**settings), measured)


def test_the_best_silhouette_wins_and_the_reason_names_the_next() -> None:
    found = _choose([_candidate(3, 0.4), _candidate(4, 0.5), _candidate(5, 0.3)])
    assert found.chosen.k == 4
    assert found.reason == (
        "Bisecting k-means with k = 4: silhouette 0.500; the best of 3 out of 3 candidates that keep the limits on "
        "sizes (2% to 70% of the people in each cluster); refits on halves of the people agree with it (adjusted Rand "
        "index 0.90, 0.60 is asked); next: bisecting k-means with k = 3 (silhouette 0.400, agreement 0.90)."
    )


def test_of_two_alike_the_one_with_fewer_clusters_wins() -> None:
    assert _choose([_candidate(5, 0.5), _candidate(3, 0.5 - 1e-9)]).chosen.k == 3


def test_clusters_that_are_too_small_or_too_large_are_passed_over() -> None:
    small = _candidate(3, 0.9, sizes=(500, 495, 5))
    large = _candidate(4, 0.8, sizes=(750, 100, 100, 50))
    found = _choose([small, large, _candidate(5, 0.3)])
    assert found.chosen.k == 5
    assert "the best of 1 out of 3 candidates" in found.reason


def test_a_clustering_that_is_not_found_again_is_passed_over() -> None:
    found = _choose([_candidate(3, 0.9), _candidate(4, 0.5)], {3: 0.2})
    assert found.chosen.k == 4
    assert "the best that is found again" in found.reason


def test_a_clustering_that_earlier_dates_do_not_have_is_passed_over() -> None:
    def measured(finalists: Sequence[Candidate]) -> list[Candidate]:
        agreed = {3: 0.3, 4: 0.8}
        return [replace(c, figures={**c.figures, "stability_over_time": agreed[c.k]}) for c in finalists]

    found = choose([_candidate(3, 0.9), _candidate(4, 0.5)], ClusteringSettings(), measured)
    assert found.chosen.k == 4
    assert "fits on earlier dates agree with it (adjusted Rand index 0.80, 0.60 is asked)" in found.reason
    assert "k = 3 (silhouette 0.900, agreement 0.30)" in found.reason


def test_a_clustering_with_a_cluster_that_dissolves_is_passed_over_where_that_is_asked() -> None:
    def measured(finalists: Sequence[Candidate]) -> list[Candidate]:
        weakest = {3: 0.3, 4: 0.7}
        return [replace(c, figures={**c.figures, "stability": 0.9, "weakest_cluster": weakest[c.k]}) for c in finalists]

    candidates = [_candidate(3, 0.9), _candidate(4, 0.5)]
    assert choose(candidates, ClusteringSettings(), measured).chosen.k == 3
    asked = ClusteringSettings.model_validate({"stability": {"weakest_floor": 0.5}})
    found = choose(candidates, asked, measured)
    assert found.chosen.k == 4
    assert "the least steady of its clusters is found again (Jaccard index 0.70, 0.50 is asked)" in found.reason


def test_the_reason_says_how_the_chosen_one_stands_by_other_figures() -> None:
    figures = [(0.4, 0.9, 50.0), (0.5, 0.7, 80.0), (0.3, 0.8, 120.0), (0.2, 1.0, 200.0), (0.1, 1.1, 90.0)]
    candidates = [
        _candidate(k, s, figures={"silhouette": s, "davies_bouldin": d, "calinski_harabasz": c})
        for k, (s, d, c) in enumerate(figures, 3)
    ]
    assert (
        "; it is first of 5 by Davies–Bouldin, number 4 of 5 by Calinski–Harabasz; next:" in _choose(candidates).reason
    )
    mixtures = [replace(c, figures={**c.figures, "bic": float(c.k)}) for c in candidates[:2]]
    assert "Harabasz, second of 2 by BIC" in _choose([*mixtures, *candidates[2:]]).reason


def test_where_nothing_is_steady_the_steadiest_is_taken_and_the_reason_says_so() -> None:
    found = _choose([_candidate(3, 0.9), _candidate(4, 0.5)], {3: 0.2, 4: 0.4})
    assert found.chosen.k == 4
    assert "the steadiest of the 2 best" in found.reason
    assert "agree too little" in found.reason


def test_where_nothing_keeps_the_limits_the_best_is_taken_and_the_reason_says_so() -> None:
    found = _choose([_candidate(3, 0.9, sizes=(980, 10, 10))])
    assert found.chosen.k == 3
    assert "none of which keeps the limits on sizes" in found.reason


def test_only_finalists_are_refitted_and_all_candidates_are_kept() -> None:
    found = _choose([_candidate(k, 1 / k) for k in range(3, 9)], stability={}, k={"min": 3, "max": 8})
    assert [c.k for c in found.candidates if "stability" in c.figures] == [3, 4, 5]
    assert [c.k for c in found.candidates] == list(range(3, 9))


def test_no_fit_at_all_is_an_error_that_says_why() -> None:
    with pytest.raises(InputError, match=r"bisecting k-means with k = 3: only 2 people differ.*lower clustering\.k"):
        _choose([_candidate(3, 0, failure="only 2 people differ from each other")])
