"""What becomes of segments, from the counts of people that `assign` makes to the version's figures."""

from __future__ import annotations

from segmentation.clustering.matching import Birth, Death, match_clusters
from segmentation.segments.membership import Overlap
from segmentation.segments.metrics import version_metrics

OVERLAP = Overlap(
    counts={
        (0, "a"): 60,
        (1, "a"): 50,
        (2, "b"): 40,
        (2, "c"): 60,
        (3, None): 30,
        (0, "fallback"): 5,
        (None, "fallback"): 5,
    },
    gone={"d": 20},
    ambiguous=0,
)
"""Of a, half are in another cluster; b has come to c; 30 are there for the first time; all of d have left."""


def test_births_splits_deaths_and_merges_follow_from_who_is_where() -> None:
    found = match_clusters(OVERLAP.for_matching(4, ["fallback"]), {}, "m", 0.3)
    split, new = found.segments[1], found.segments[3]
    assert {one.segment_id: one.cluster for one in found.survived} == {"a": 0, "c": 2}
    assert found.born == (Birth(split, 1, 50, "a"), Birth(new, 3, 30, None))
    assert found.died == (Death("b", 40, "c"), Death("d", 20, None))
    assert {split, new}.isdisjoint({"a", "b", "c", "d", "fallback"})


def test_the_figures_of_the_version_count_them() -> None:
    continuity = match_clusters(OVERLAP.for_matching(4, ["fallback"]), {}, "m", 0.3)
    found = version_metrics(OVERLAP, continuity, "fallback", compared=True)
    told = {name: found.figures[name] for name in ("born", "died", "moved", "new", "left", "smallest_people")}
    assert told == {"born": 2, "died": 2, "moved": 95, "new": 30, "left": 20, "smallest_people": 30}
    assert found.about["smallest_share"] == continuity.segments[3]
