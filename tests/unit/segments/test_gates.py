"""Gates: what they refuse, and what the refusal says."""

from __future__ import annotations

import pytest

from segmentation.config.segments import Gates
from segmentation.contracts.errors import ConfigError
from segmentation.segments.gates import CHECKS, acceptance, check_accepted, gates_of, judge, limits_of, refusal

GOOD = {"moved": 10.0, "moved_share": 0.1, "smallest_share": 0.1, "largest_share": 0.4, "coverage": 0.9}


def _failed(**changes: float) -> list[str]:
    return [failure.check for failure in judge({**GOOD, **changes}, Gates())]


def test_a_version_within_all_limits_passes() -> None:
    assert _failed() == []


def test_the_limits_themselves_pass() -> None:
    assert _failed(moved_share=0.15, smallest_share=0.01, largest_share=0.7, coverage=0.5) == []


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"moved_share": 0.151}, "max_moved_share"),
        ({"smallest_share": 0.009}, "min_segment_share"),
        ({"largest_share": 0.71}, "max_segment_share"),
        ({"coverage": 0.49}, "min_coverage"),
    ],
)
def test_each_check_refuses_beyond_its_limit(changes: dict[str, float], check: str) -> None:
    assert _failed(**changes) == [check]
    assert check in CHECKS


@pytest.mark.parametrize(
    ("gate", "limit", "within", "beyond", "says"),
    [
        ("min_stability", 0.6, {"stability": 0.6}, {"stability": 0.55}, "(0.55 against 0.60)"),
        ("max_drift", 0.25, {"drift": 0.25}, {"drift": 0.31}, "(0.31 against 0.25)"),
        ("max_age_days", 2, {"age_days": 2.0}, {"age_days": 3.0}, "too old, in days (3 against 2)"),
        (
            "max_group_difference",
            0.2,
            {"difference_country": 0.2},
            {"difference_country": 0.1, "difference_gender": 0.3},
            "by gender, a group of people is elsewhere than the others (30.0% against 20.0%)",
        ),
    ],
)
def test_further_checks_are_made_where_they_are_asked_for(
    gate: str, limit: float, within: dict[str, float], beyond: dict[str, float], says: str
) -> None:
    asked = Gates.model_validate({gate: limit})
    assert judge({**GOOD, **within}, asked) == []
    (failure,) = judge({**GOOD, **beyond}, asked)
    assert failure.check == gate
    assert gate in CHECKS
    assert says in str(failure)
    assert judge({**GOOD, **beyond}, Gates()) == [], "nobody asked"
    assert judge(GOOD, asked) == [], "nothing was there to measure it by"


def test_a_first_version_has_moved_nobody() -> None:
    first = {name: value for name, value in GOOD.items() if not name.startswith("moved")}
    assert judge(first, Gates()) == []


def test_a_refusal_says_which_check_by_how_much_who_is_affected_and_what_to_do() -> None:
    failures = judge({**GOOD, "moved": 1234.0, "moved_share": 0.3, "coverage": 0.4}, Gates())
    assert refusal(3, failures) == (
        "Version 3 is not published: max_moved_share: 1,234 people would change segment (30.0% against 15.0%); "
        "min_coverage: the model places too few of the people (40.0% against 50.0%). Look at it with "
        "`segmentation report`, then change clustering or segments.gates, or run `segmentation publish "
        '--accept max_moved_share --accept min_coverage --reason "…"`.'
    )


@pytest.mark.parametrize(
    ("found", "about", "says"),
    [
        (
            {"smallest_share": 0.005, "smallest_people": 12.0},
            {"smallest_share": "Frequent, recent"},
            "min_segment_share: the smallest segment is too small (0.5% against 1.0%): 'Frequent, recent', 12 people",
        ),
        (
            {"largest_share": 0.8, "largest_people": 1920.0},
            {"largest_share": "Typical"},
            "max_segment_share: the largest segment takes too many (80.0% against 70.0%): 'Typical', 1,920 people",
        ),
        (
            {"coverage": 0.4},
            {},
            "min_coverage: the model places too few of the people (40.0% against 50.0%): 1,440 people left out",
        ),
        (
            {"stability": 0.5},
            {},
            "min_stability: the model agrees too little with its refits (0.50 against 0.60): the version is about "
            "2,400 people",
        ),
        (
            {"drift": 0.31},
            {"drift": "recency"},
            "max_drift: people have changed in a feature of the model, `segmentation show feature_profiles` says how "
            "(0.31 against 0.25): 'recency', 2,400 people",
        ),
        (
            {"age_days": 3.0},
            {},
            "max_age_days: the newest event is too old, in days (3 against 2): the version is about 2,400 people",
        ),
        (
            {"difference_region": 0.3, "group_region": 412.0},
            {"difference_region": "north"},
            "max_group_difference: by region, a group of people is elsewhere than the others (30.0% against 20.0%): "
            "'north', 412 people",
        ),
    ],
)
def test_a_refusal_says_of_whom_it_speaks(found: dict[str, float], about: dict[str, str], says: str) -> None:
    gates = Gates(min_stability=0.6, max_drift=0.25, max_age_days=2, max_group_difference=0.2)
    assert [str(failure) for failure in judge({**GOOD, "people": 2400.0, **found}, gates, about)] == [says]


def test_the_limits_that_a_version_keeps_are_those_that_it_was_judged_by() -> None:
    gates = Gates(max_moved_share=0.3, max_age_days=2)
    assert limits_of(gates)["max_age_days"] == 2
    assert "max_drift" not in limits_of(gates)
    assert gates_of(limits_of(gates)) == gates


def test_only_what_was_needed_is_recorded_as_accepted() -> None:
    failures = judge({**GOOD, "moved_share": 0.3}, Gates())
    text = acceptance(failures, ("max_moved_share", "min_coverage"), "new season")
    assert (
        text == "accepted in spite of max_moved_share: 10 people would change segment (30.0% against 15.0%): new season"
    )
    assert acceptance([], ("max_moved_share",), "new season") is None


def test_accepting_needs_a_check_that_exists_and_a_reason() -> None:
    with pytest.raises(ConfigError, match=r"there is no check 'moved'.*max_moved_share"):
        check_accepted(("moved",), "why")
    with pytest.raises(ConfigError, match="needs --reason"):
        check_accepted(("max_moved_share",), " ")
    check_accepted((), None)
