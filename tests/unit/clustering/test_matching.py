"""Segments carried on: by the people they share, whatever the clusters' numbers."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.clustering.matching import (
    Birth,
    Continuity,
    Death,
    People,
    Survival,
    centre_distances,
    keep_segments,
    match_clusters,
    mint_segment_id,
)


def _people(together: dict[tuple[str, int], int], new: dict[int, int] | None = None) -> People:
    before, now = Counter[str](), Counter[int](new or {})
    for (segment, cluster), count in together.items():
        before[segment] += count
        now[cluster] += count
    return People(together, before, now)


def _match(people: People, threshold: float = 0.3, distances: dict[tuple[str, int], float] | None = None) -> Continuity:
    return match_clusters(people, distances or {}, "model", threshold)


@given(st.permutations(range(4)), st.integers(0, 20))
def test_renumbered_clusters_keep_their_segments(numbers: list[int], strays: int) -> None:
    together = {(f"s{i}", numbers[i]): 100 for i in range(4)} | {("s0", numbers[1]): strays}
    found = _match(_people(together))
    assert found.segments == {numbers[i]: f"s{i}" for i in range(4)}
    assert not found.born
    assert not found.died


def test_a_first_version_mints_ids_that_stay_the_same_for_the_model_and_differ_between_models() -> None:
    first = match_clusters(_people({}, {0: 5, 1: 3}), {}, "model", 0.3)
    again = match_clusters(_people({}, {0: 5, 1: 3}), {}, "model", 0.3)
    other = match_clusters(_people({}, {0: 5, 1: 3}), {}, "another", 0.3)
    assert first == again
    assert not set(first.segments.values()) & set(other.segments.values())
    assert first.born == (Birth(first.segments[0], 0, 5, None), Birth(first.segments[1], 1, 3, None))


def test_the_larger_part_of_a_split_segment_carries_it_on() -> None:
    found = _match(_people({("a", 0): 40, ("a", 1): 60, ("b", 2): 50}))
    assert found.segments[1] == "a"
    assert found.survived == (Survival("a", 1, 60, 0.6), Survival("b", 2, 50, 1.0))
    assert found.born == (Birth(found.segments[0], 0, 40, split_from="a"),)


def test_of_merged_segments_the_larger_lives_on_and_the_other_dies_into_it() -> None:
    found = _match(_people({("a", 0): 60, ("b", 0): 40}))
    assert found.segments == {0: "a"}
    assert found.died == (Death("b", 40, merged_into="a"),)


def test_too_little_overlap_is_no_match() -> None:
    people = _people({("a", 0): 20}, {0: 60})
    assert _match(people, threshold=0.2).segments == {0: "a"}
    found = _match(people, threshold=0.3)
    assert found.segments[0] != "a"
    assert found.died == (Death("a", 20, merged_into=found.segments[0]),)


def test_nobody_in_common_is_no_match_even_without_a_threshold() -> None:
    people = People({}, {"a": 10}, {0: 10})
    assert _match(people, threshold=0.0).segments[0] != "a"


def test_the_best_matching_is_for_all_together_and_not_greedy() -> None:
    # Taking the largest overlap first (a, 0) would leave b with nothing.
    people = _people({("a", 0): 50, ("a", 1): 45, ("b", 0): 48}, {1: 0})
    assert _match(people, threshold=0.1).segments == {0: "b", 1: "a"}


def test_centres_decide_between_matches_that_share_equally_many() -> None:
    people = _people({("a", 0): 10, ("a", 1): 10, ("b", 0): 10, ("b", 1): 10})
    straight = {("a", 0): 0.1, ("b", 1): 0.1, ("a", 1): 5.0, ("b", 0): 5.0}
    crossed = {("a", 1): 0.1, ("b", 0): 0.1, ("a", 0): 5.0, ("b", 1): 5.0}
    assert _match(people, distances=straight).segments == {0: "a", 1: "b"}
    assert _match(people, distances=crossed).segments == {1: "a", 0: "b"}


def test_distances_are_scaled_and_over_the_features_that_both_have() -> None:
    before = {"a": {"money": 0.0, "gone": 1.0}, "b": {"money": 1000.0, "gone": 2.0}}
    now = {0: {"money": 1000.0, "came": 7.0}}
    found = centre_distances(before, now)
    assert found["b", 0] == 0
    assert found["a", 0] == pytest.approx(1000 / (1000 * (2 / 9) ** 0.5))


def test_the_same_model_again_keeps_every_segment_even_an_empty_one() -> None:
    found = keep_segments(_people({("a", 0): 10, ("b", 0): 5}, {1: 0}), {0: "a", 1: "b"})
    assert found.segments == {0: "a", 1: "b"}
    assert found.survived == (Survival("a", 0, 15, 10 / 15), Survival("b", 1, 0, 0.0))


def test_an_id_that_is_taken_is_not_minted_again() -> None:
    first = mint_segment_id("model", 0, ())
    assert mint_segment_id("model", 0, ()) == first
    assert mint_segment_id("model", 0, {first}) != first


def test_continuity_reads_back_as_it_was_written() -> None:
    found = _match(_people({("a", 0): 40, ("a", 1): 60, ("b", 1): 10}))
    assert Continuity.from_json(found.to_json()) == found
