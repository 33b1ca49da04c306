"""Names of segments: in marketing's words, unique, kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.naming import SegmentName, compose, name_segments
from segmentation.profiles.statistics import FeatureStatistics, SegmentStatistics

CATALOGUE = {
    info.name: info
    for info in (
        FeatureInfo("monetary", "Spend", "money", "", "value", "high-value", "low-value", "spend {times}"),
        FeatureInfo("basket", "Basket size", "money", "", "value", "big-basket", "small-basket"),
        FeatureInfo("gap", "Days between visits", "days", "", "rhythm", "occasional", "frequent", "come every {value}"),
        FeatureInfo("recency", "Days since last visit", "days", "", "loyalty", "lapsing", "recent"),
        FeatureInfo(
            "coupons", "Coupon use", "share", "", "offers", "deal-seekers", "full-price buyers",
            "use a coupon in {value} of their baskets",
        ),
    )
}  # fmt: skip


def _segment(segment_id: str, size: int = 100, **effects: float) -> SegmentStatistics:
    features = {
        name: FeatureStatistics(size, 10.0 + 2 * effect, 10.0 + 2 * effect, 1.0, effect, 10.0, 10.0)
        for name, effect in {**dict.fromkeys(CATALOGUE, 0.0), **effects}.items()
    }
    return SegmentStatistics(segment_id, size, size / 1000, features)


def _names(*segments: SegmentStatistics, **kept: str) -> dict[str, str]:
    return {i: named.name for i, named in name_segments(segments, CATALOGUE, kept).items()}


def test_a_name_says_what_sets_the_segment_apart() -> None:
    assert _names(
        _segment("s1", monetary=2.0, basket=1.9, recency=0.8, coupons=0.1),
        _segment("s2", gap=0.9, coupons=1.2),
        _segment("s3", monetary=-0.1),
    ) == {"s1": "High-value, lapsing", "s2": "Occasional deal-seekers", "s3": "Typical"}


def test_alike_segments_are_told_apart_by_what_they_differ_in_most() -> None:
    assert _names(
        _segment("s1", monetary=2.0, recency=0.8, gap=0.7, coupons=0.6),
        _segment("s2", monetary=1.9, recency=0.9, gap=0.6, coupons=-0.4),
    ) == {"s1": "High-value, lapsing deal-seekers", "s2": "High-value, lapsing full-price buyers"}


def test_two_on_the_same_side_of_everyone_differ_by_degree() -> None:
    assert _names(_segment("s1", monetary=3.0, gap=-0.9), _segment("s2", monetary=1.0, gap=-0.8)) == {
        "s1": "Very high-value, frequent",
        "s2": "High-value, frequent",
    }
    assert _names(_segment("s1", gap=0.9, coupons=1.9), _segment("s2", gap=0.9, coupons=0.4)) == {
        "s1": "Occasional keen deal-seekers",
        "s2": "Occasional deal-seekers",
    }
    assert _names(_segment("s1", monetary=0.2), _segment("s2", monetary=0.05), _segment("s3", gap=-0.15)) == {
        "s1": "Slightly high-value",
        "s2": "Typical",
        "s3": "Slightly frequent",
    }


def test_names_in_use_stay_and_are_not_given_again() -> None:
    new, old = _segment("s1", monetary=2.0, recency=0.8, coupons=0.3), _segment("s2", monetary=-1.0)
    assert _names(new, old, s2="High-value, lapsing") == {
        "s1": "High-value, lapsing deal-seekers",
        "s2": "High-value, lapsing",
    }
    assert _names(new, gone="high-value, lapsing") == {"s1": "High-value, lapsing deal-seekers"}


def _better(segment: SegmentStatistics, name: str, *others: SegmentStatistics, **kept: str) -> str | None:
    """What the segment would be called now that has the `name`."""
    names = {segment.segment_id: name, **kept}
    found = name_segments([segment, *others], CATALOGUE, names, found=set(names))[segment.segment_id]
    assert found.name == name, "a name in use stays"
    return found.better


def test_a_name_in_use_that_is_not_true_any_more_has_a_better_one_beside_it() -> None:
    turned = _segment("s1", monetary=-2.0, recency=-0.8)
    assert _better(turned, "High-value, lapsing") == "Low-value, recent"
    assert _better(turned, "Low-value") is None, "what it does not say is no matter"
    assert _better(_segment("s1", monetary=0.3, recency=0.2), "High-value, lapsing") == "High-value"
    assert _better(_segment("s1", monetary=0.3, recency=0.25), "High-value, lapsing") is None
    assert _better(_segment("s1", gap=0.9, coupons=0.1), "Occasional keen deal-seekers") == "Occasional"
    assert _better(_segment("s1", gap=-0.1), "Slightly frequent") is None
    assert _better(_segment("s1", gap=0.1), "Slightly frequent") == "Typical"
    assert _better(_segment("s1", gap=0.1), "Typical, group A") is None
    assert _better(_segment("s1", gap=0.9), "Typical, group A") == "Occasional"
    assert _better(_segment("s1", unnamed=2.0), "Typical") is None, "the catalogue has no word for it"


def test_a_better_name_is_nobody_elses() -> None:
    turned, other = _segment("s1", monetary=-2.0, gap=0.1), _segment("s2", monetary=-2.0)
    assert _better(turned, "High-value", other, s2="Low-value") == "Low-value, slightly occasional"
    swapped = _segment("s2", monetary=2.0)
    assert _better(turned, "High-value", swapped, s2="Low-value") not in {None, "High-value", "Low-value"}


def test_only_names_that_were_found_are_judged() -> None:
    turned = _segment("s1", monetary=-2.0)
    assert name_segments([turned], CATALOGUE, {"s1": "High-value"})["s1"].better is None
    assert _better(turned, "High-value friends") is None, "the catalogue has no such word, so somebody gave it"
    in_north = name_segments([turned], CATALOGUE, {"s1": "north: High-value"}, {"s1": "north"}, ["s1"])
    assert in_north["s1"].better == "north: Low-value"


def test_the_part_stands_before_the_names_of_its_segments() -> None:
    segments = [_segment("s1", monetary=2.0), _segment("s2", monetary=2.0), _segment("s3", monetary=2.0)]
    found = name_segments(segments, CATALOGUE, {"s3": "High-value"}, {"s1": "north", "s2": "south", "s3": "south"})
    assert {i: named.name for i, named in found.items()} == {
        "s1": "north: High-value",
        "s2": "south: High-value",
        "s3": "High-value",
    }


def test_segments_without_a_difference_still_have_names_of_their_own() -> None:
    assert _names(_segment("s1"), _segment("s2"), _segment("s3"), s3="Typical") == {
        "s1": "Typical, group B",
        "s2": "Typical, group A",
        "s3": "Typical",
    }


_EFFECTS = st.dictionaries(st.sampled_from(sorted(CATALOGUE)), st.sampled_from([-2.0, -0.5, -0.1, 0.0, 0.1, 0.5, 2.0]))


@given(st.lists(_EFFECTS, min_size=1, max_size=7), st.data())
def test_names_are_unique_stable_and_no_numbers(effects: list[dict[str, float]], data: st.DataObject) -> None:
    segments = [_segment(f"s{number}", **effect) for number, effect in enumerate(effects)]
    names = _names(*segments)
    assert len({name.casefold() for name in names.values()}) == len(segments)
    judged = name_segments(segments, CATALOGUE, names, found=names)
    assert {named.better for named in judged.values()} == {None}, "a name is true on the day it is found"
    assert not any(character.isdigit() for name in names.values() for character in name)
    assert _names(*reversed(segments)) == names
    kept = {i: names[i] for i in data.draw(st.sets(st.sampled_from(sorted(names))))}
    again = _names(*segments, **kept)
    assert {i: again[i] for i in kept} == kept
    assert len({name.casefold() for name in again.values()}) == len(segments)


def test_words_make_a_name() -> None:
    assert compose(["deal-seekers", "occasional"]) == "Occasional deal-seekers"
    assert compose(["cautious", "frequent"]) == "Cautious, frequent"


def test_a_sentence_has_figures() -> None:
    statistics = SegmentStatistics(
        "s1",
        1412,
        0.17,
        {
            "monetary": FeatureStatistics(1412, 310.0, 250.0, 1.0, 2.0, 100.0, 80.0),
            "gap": FeatureStatistics(1412, 4.4, 4.0, 1.0, -1.5, 20.0, 14.0),
            "coupons": FeatureStatistics(1412, 0.49, 0.3, 1.0, 1.2, 0.2, 0.1),
        },
    )
    assert name_segments([statistics], CATALOGUE, {})["s1"] == SegmentName(
        "High-value, frequent",
        "1,412 people (17 % of all); they spend 3.1 × the average, come every 4 days "
        "and use a coupon in half of their baskets.",
    )
    plain = _segment("s2", size=1, recency=3.0)
    assert name_segments([plain], CATALOGUE, {})["s2"].description == (
        "1 person (0.1 % of all); days since last visit 16 days (everyone: 10 days)."
    )
