"""What each feature looks like, and what is found odd of it."""

from __future__ import annotations

from datetime import date
from functools import reduce
from random import Random
from time import process_time

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from scipy.stats import spearmanr

from segmentation.config.feature_words import Words
from segmentation.config.features import FeatureSettings
from segmentation.features.profiles import (
    FeatureProfile,
    dropped_features,
    profile_features,
    profile_rows,
    profiles_before,
)
from segmentation.features.quantiles import share_up_to
from segmentation.features.stability import Distribution, measure_shift

SETTINGS = FeatureSettings.model_validate(
    {
        "library": ["recency", "frequency", "monetary", "tenure"],
        "define": [{"name": "minors", "aggregate": "count", "sensitivity": "sensitive"}],
        "checks": {"twins": {"policy": "drop"}, "proxies": {"above": 0.4, "attributes": ["gender"]}},
    }
)
DAY, EARLIER = date(2026, 3, 31), date(2026, 3, 24)


def _people(spark: SparkSession, shift: float = 0.0) -> DataFrame:
    """400 people: `frequency` and `monetary` say the same, `minors` follows `recency`, `tenure` is the same for all."""
    chance = Random(5)
    rows = []
    for number in range(400):
        frequency = chance.lognormvariate(1, 1)
        recency = None if number % 10 == 0 else chance.gauss(50 + shift, 10)
        minors = (recency or 50) // 10 + chance.random()
        rows.append((f"p{number}", recency, frequency, 3 * frequency**2, 7.0, minors))
    return spark.createDataFrame(
        rows, "person_id string, recency double, frequency double, monetary double, tenure double, minors double"
    )


def _persons(spark: SparkSession) -> DataFrame:
    """Women come back sooner, which nothing but `recency` and what follows it tells."""
    rows = [
        (r["person_id"], {"gender": "f" if r["recency"] < 50 else "m"} if r["recency"] else {})
        for r in _people(spark).collect()
    ]
    return spark.createDataFrame(rows, "person_id string, attributes map<string,string>")


def _profiles(
    spark: SparkSession, shift: float = 0.0, before: dict[str, list[Row]] | None = None
) -> dict[str, FeatureProfile]:
    found = profile_features(_people(spark, shift), _persons(spark), before or {}, SETTINGS)
    return {profile.name: profile for profile in found}


def test_each_feature_is_described_and_what_is_odd_is_said(spark: SparkSession) -> None:
    found = _profiles(spark)
    assert list(found) == SETTINGS.names()
    recency = found["recency"]
    assert (recency.distribution.people, recency.distribution.missing, recency.zeros) == (400, pytest.approx(0.1), 0.0)
    known = sorted(row["recency"] for row in _people(spark).collect() if row["recency"])
    assert recency.distribution.percentiles is not None
    assert recency.distribution.percentiles[50] == pytest.approx(known[180], rel=0.01)

    said = {name: profile.findings(SETTINGS.checks) for name, profile in found.items()}
    assert said["tenure"] == {"next to all people have the same value": "warn"}
    assert said["monetary"] == {"says nearly the same as frequency (correlation 1.00)": "drop"}
    assert said["frequency"] == {}
    assert [words.split(" (")[0] for words in said["recency"]] == ["tells minors", "tells gender"]
    assert [words.split(" (")[0] for words in said["minors"]] == ["tells gender"]


def test_a_shipped_feature_that_is_said_to_be_sensitive_must_not_be_told_either(spark: SparkSession) -> None:
    settings = SETTINGS.model_copy(update={"words": {"frequency": Words(sensitivity="sensitive")}})
    found = {p.name: p.proxies for p in profile_features(_people(spark), _persons(spark), {}, settings)}
    assert "frequency" in (found["monetary"] or {})


def test_correlations_are_rank_correlations(spark: SparkSession) -> None:
    rows = [row for row in _people(spark).collect() if row["recency"]]
    theirs = spearmanr([row["recency"] for row in rows], [row["minors"] for row in rows]).statistic
    proxies = _profiles(spark)["recency"].proxies
    assert proxies is not None
    assert proxies["minors"] == pytest.approx(theirs, abs=0.07)


def test_a_feature_that_moved_is_found_against_the_date_before(spark: SparkSession) -> None:
    table = profile_rows(spark, _profiles(spark).values(), SETTINGS, EARLIER)
    assert profiles_before(table, EARLIER) == {}
    before = profiles_before(table, DAY)

    same = _profiles(spark, before=before)
    assert {profile.shift.index for profile in same.values() if profile.shift} == {0.0}
    moved = _profiles(spark, shift=10, before=before)
    assert moved["recency"].since == EARLIER
    assert next(iter(moved["recency"].findings(SETTINGS.checks))).startswith("moved since 2026-03-24 (")
    assert not any("moved" in words for words in moved["frequency"].findings(SETTINGS.checks))

    other = SETTINGS.model_copy(update={"half_life_days": 7.0})
    changed = profile_features(_people(spark, 10), _persons(spark), before, other)
    assert [profile.shift for profile in changed] == [None] * 5


def test_the_largest_move_since_one_of_the_last_three_dates_is_told(spark: SparkSession) -> None:
    moved = {20: 40.0, 22: 0.0, 24: 6.0, 26: 3.0}
    rows = [
        profile_rows(spark, _profiles(spark, by).values(), SETTINGS, date(2026, 3, day)) for day, by in moved.items()
    ]
    table = reduce(DataFrame.unionByName, rows)
    recency = _profiles(spark, shift=10, before=profiles_before(table, DAY))["recency"]
    assert recency.since == date(2026, 3, 22), "of the one before nothing is asked any more"
    last = _profiles(spark, shift=10, before=profiles_before(rows[-1], DAY))["recency"]
    assert recency.shift is not None
    assert last.shift is not None
    assert recency.shift.index > last.shift.index > 0


def test_rows_hold_the_findings_and_what_is_dropped(spark: SparkSession) -> None:
    table = profile_rows(spark, _profiles(spark).values(), SETTINGS, DAY)
    assert dropped_features(table, DAY) == {
        "monetary": "monetary: says nearly the same as frequency (correlation 1.00)"
    }
    assert dropped_features(table, EARLIER) == {}


@pytest.mark.parametrize(("people", "spoken_of"), [(60, False), (6000, True)])
def test_a_shift_that_chance_may_bring_is_not_spoken_of(people: int, spoken_of: bool) -> None:
    before = Distribution(people, 0.0, [float(percent) for percent in range(101)])
    now = Distribution(people, 0.0, [20.0 + 0.8 * percent for percent in range(101)])
    shift = measure_shift(before, now)
    assert shift.index > 0.25
    profile = FeatureProfile("recency", now, 0.0, shift, EARLIER)
    assert bool(profile.findings(SETTINGS.checks)) is spoken_of


def test_the_index_is_that_of_the_textbook() -> None:
    before = Distribution(1000, 0.0, [float(percent) for percent in range(101)])
    now = Distribution(1000, 0.5, [float(percent) for percent in range(101)])
    # Ten classes go from 10 % to 5 % each, and people without a value from nobody (half a person) to one in two.
    by_hand = 10 * (0.05 - 0.1) * -0.6931471805599453 + (0.5 - 0.0005) * 6.907755278982137
    assert measure_shift(before, now).index == pytest.approx(by_hand)


def test_shares_follow_the_percentiles() -> None:
    percentiles = [0.0] * 51 + [float(number) for number in range(1, 51)]
    assert [share_up_to(edge, percentiles) for edge in (-1, 0, 0.5, 25, 50, 99)] == [0, 0.5, 0.505, 0.75, 1, 1]


def test_two_thousand_features_are_written_down_in_seconds(spark: SparkSession) -> None:
    """Their definitions are hashed together once, and not once for each of them, which took minutes."""
    define = [{"name": f"f{n}", "aggregate": "count", "window_days": n + 1} for n in range(2000)]
    settings = FeatureSettings.model_validate({"define": define})
    profiles = [FeatureProfile(name, Distribution(9, 0.0, None), 0.0) for name in settings.names()]
    began = process_time()
    rows = profile_rows(spark, profiles, settings, DAY)
    assert process_time() - began < 20
    assert len({row["definition"] for row in rows.select("definition").collect()}) == len(profiles)
