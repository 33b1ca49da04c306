"""The figures of a version."""

from __future__ import annotations

from segmentation.clustering.matching import Birth, Continuity, Death, Survival
from segmentation.segments.membership import Overlap
from segmentation.segments.metrics import version_metrics

CARRIED = Continuity({0: "a", 1: "c"}, (Survival("a", 0, 70, 0.7),), (Birth("c", 1, 20, "b"),), (Death("b", 15, "c"),))


def test_shares_are_of_everyone_and_moves_of_those_who_were_there_before() -> None:
    overlap = Overlap(
        counts={(0, "a"): 60, (0, None): 10, (1, "b"): 15, (1, "a"): 5, (None, "fallback"): 6, (None, "a"): 4},
        gone={"a": 3, "b": 2},
        ambiguous=7,
    )
    found = version_metrics(overlap, CARRIED, "fallback", compared=True)
    assert found.about == {"smallest_share": "c", "largest_share": "a"}
    assert found.figures == {
        "people": 100,
        "segments": 2,
        "coverage": 0.9,
        "smallest_share": 0.2,
        "smallest_people": 20,
        "largest_share": 0.7,
        "largest_people": 70,
        "ambiguous_share": 0.07,
        "new": 10,
        "left": 5,
        "moved": 24,
        "moved_share": 24 / 90,
        "born": 1,
        "died": 1,
    }


def test_a_first_version_says_nothing_of_moves_and_an_empty_segment_counts() -> None:
    found = version_metrics(Overlap({(0, None): 5}, {}, 0), CARRIED, "fallback", compared=False)
    assert found.figures == {
        "people": 5,
        "segments": 2,
        "coverage": 1.0,
        "smallest_share": 0.0,
        "smallest_people": 0.0,
        "largest_share": 1.0,
        "largest_people": 5,
        "ambiguous_share": 0.0,
    }


def test_rules_make_moves_and_segments_of_their_own() -> None:
    overlap = Overlap({(0, "a"): 6, (1, "c"): 4}, {}, 0)
    flows = {("a", "a"): 5, ("vip", "a"): 1, ("c", "c"): 4}
    found = version_metrics(overlap, CARRIED, "fallback", compared=True, flows=flows).figures
    assert (found["moved"], found["segments"], found["largest_share"]) == (1, 3, 0.5)
    assert found["smallest_share"] == 0.4, "of the model's: what a rule makes may be small"


def test_what_rules_empty_on_purpose_is_not_too_small() -> None:
    overlap = Overlap({(0, None): 6, (1, None): 4}, {}, 0)
    merged = {("a", None): 10}
    assert version_metrics(overlap, CARRIED, "fallback", False, merged).figures["smallest_share"] == 0
    assert version_metrics(overlap, CARRIED, "fallback", False, merged, ["c"]).figures["smallest_share"] == 1
    alone = {("vip", None): 3, ("fallback", None): 7}
    found = version_metrics(overlap, CARRIED, "fallback", False, alone, ["a", "c"]).figures
    assert (found["smallest_share"], found["coverage"], found["segments"]) == (0.3, 0.3, 1)


def test_how_small_a_segment_of_a_part_is_is_counted_among_its_people() -> None:
    continuity = Continuity({0: "rest", 1: "big", 2: "small"})
    overlap = Overlap({(0, None): 900, (1, None): 80, (2, None): 20}, {}, 0)
    parts = {"big": "north", "small": "north"}
    found = version_metrics(overlap, continuity, "fallback", False, parts=parts).figures
    assert found["smallest_share"] == 0.2
    assert found["largest_share"] == 0.9, "of everyone, as all else"
    assert version_metrics(overlap, continuity, "fallback", False).figures["smallest_share"] == 0.02
