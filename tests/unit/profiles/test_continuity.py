"""What became of segments, in words."""

from __future__ import annotations

from dataclasses import replace

from tests.reports import change

from segmentation.profiles.continuity import list_continuity, tell_continuity


def test_births_splits_deaths_and_merges_are_told_with_figures() -> None:
    assert tell_continuity(change()) == [
        "3 segments go on; of the people of “Lapsing, occasional” before and now, 71% are in both: the fewest.",
        "“Evening, small-basket” (90 people) has split from “Weekend shoppers”: 90 of them were there.",
        "“Big-basket deal-seekers” (180 people) has split from “Weekend shoppers”: 180 of them were there.",
        "“New, occasional” (12 people) is new: no segment had half of them.",
        "“Weekend shoppers” (270 people) has merged into “Big-basket deal-seekers”: 180 of them are there now.",
        "“Seldom, small-basket” (90 people) has merged into “Lapsing, occasional”: 70 of them are there now.",
    ]


def test_machines_get_the_same_with_ids() -> None:
    found = list_continuity(change())
    assert found is not None
    assert found["born"][0] == {
        "segment": "s-evening",
        "name": "Evening, small-basket",
        "people": 90,
        "split_from": "s-gone",
        "split_from_name": "Weekend shoppers",
        "shared": 90,
    }
    assert [one["merged_into"] for one in found["died"]] == ["s-deals", "s-lapsing"]
    assert [one["jaccard"] for one in found["survived"]] == [0.88, 0.94, 0.71]


def test_nothing_is_said_of_versions_that_were_not_compared() -> None:
    other = change()
    apart = replace(other, after=replace(other.after, compared_with=None))
    assert tell_continuity(apart) == []
    assert list_continuity(apart) is None
