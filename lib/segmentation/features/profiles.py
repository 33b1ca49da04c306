"""What each feature looks like at one date, and what is odd about it: the rows of `feature_profiles`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from segmentation.config.feature_checks import FeatureChecks, Policy
from segmentation.config.features import FeatureSettings
from segmentation.config.identity import AttributeRule
from segmentation.contracts.behaviour import FEATURE_PROFILES
from segmentation.features.association import FEWEST, associate, correlate, places
from segmentation.features.quantiles import PERCENTILES, quantiles
from segmentation.features.stability import Distribution, Shift, measure_shift

_VERSIONS = 3
"""Dates with which one is compared: what moves a little each time has moved far in the end."""

_A_PASS = 200
"""Features that are profiled in one pass: the distinct values of each are counted in memory."""


@dataclass(frozen=True)
class FeatureProfile:
    """One feature of everyone at one date. Shares are of all people, 0 to 1.

    `shift` and `since` compare it with that of the last three dates from which it has moved most; `twins` are features
    declared before it that say nearly the same, with the correlation; `proxies` are sensitive things that it tells,
    with the association.
    """

    name: str
    distribution: Distribution
    zeros: float
    shift: Shift | None = None
    since: date | None = None
    twins: Mapping[str, float] | None = None
    proxies: Mapping[str, float] | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the 1st and the 99th percentile are one."""
        percentiles = self.distribution.percentiles
        return percentiles is None or percentiles[1] == percentiles[99]

    def findings(self, checks: FeatureChecks) -> dict[str, Policy]:
        """What is odd, in words, and what becomes of a feature for it."""
        found: dict[str, Policy] = {}
        if self.distribution.missing > checks.missing.above:
            found[f"{self.distribution.missing:.0%} of the people have no value"] = checks.missing.policy
        elif self.is_constant and self.distribution.people >= FEWEST:
            found["next to all people have the same value"] = checks.constant.policy
        if self.shift and self.shift.index > max(checks.drift.above, self.shift.chance):
            found[f"moved since {self.since} (stability index {self.shift.index:.2f})"] = checks.drift.policy
        for twin, correlation in (self.twins or {}).items():
            found[f"says nearly the same as {twin} (correlation {correlation:.2f})"] = checks.twins.policy
        for told, strength in (self.proxies or {}).items():
            found[f"tells {told} (association {strength:.2f})"] = checks.proxies.policy
        return {words: policy for words, policy in found.items() if policy != "ignore"}


def profile_features(
    features: DataFrame,
    persons: DataFrame,
    before: Mapping[str, Sequence[Row]],
    settings: FeatureSettings,
    attributes: Mapping[str, AttributeRule] | None = None,
) -> list[FeatureProfile]:
    """Profiles every declared feature of one date, in the order of their declaration.

    In: one row a person (`person_id` and the features); `persons` with `attributes`; `before`: feature -> its rows of
    `feature_profiles` at the dates that this one is compared with; `attributes`: the rules of those that features name.
    One pass over the people for each 200 features, and a look at a fixed sample of them.
    """
    names = settings.names()
    plain = [
        profile
        for at in range(0, len(names), _A_PASS)
        for profile in _plain_profiles(features, names[at : at + _A_PASS])
    ]
    comparable = {
        profile.name: profile.distribution.percentiles
        for profile in plain
        if not profile.is_constant and profile.distribution.percentiles
    }
    people = plain[0].distribution.people if plain else 0
    twins: dict[str, dict[str, float]] = {}
    proxies: dict[str, dict[str, float]] = {}
    if people >= FEWEST and comparable:
        with places(features, comparable, people) as sample:
            twins, proxies = _look_for_likeness(sample, list(comparable), persons, settings)
    looked = [replace(p, twins=twins.get(p.name), proxies=proxies.get(p.name)) for p in plain]
    return [_compared(p, before.get(p.name, ()), settings.definition(p.name, attributes)) for p in looked]


def profile_rows(
    spark: SparkSession,
    profiles: Iterable[FeatureProfile],
    settings: FeatureSettings,
    as_of: date,
    attributes: Mapping[str, AttributeRule] | None = None,
) -> DataFrame:
    """The rows of `feature_profiles` at one date. `attributes`: the rules of those that features name."""
    rows, version = [], settings.version(attributes)
    for profile in profiles:
        found = profile.findings(settings.checks)
        values = {
            "feature": profile.name,
            "as_of": as_of,
            "feature_set": version,
            "definition": settings.definition(profile.name, attributes),
            "people": profile.distribution.people,
            "missing": profile.distribution.missing,
            "zeros": profile.zeros,
            "percentiles": profile.distribution.percentiles,
            "stability_index": profile.shift.index if profile.shift else None,
            "compared_with": profile.since,
            "twins": profile.twins or {},
            "proxies": profile.proxies or {},
            "findings": list(found),
            "dropped": "drop" in found.values(),
        }
        rows.append(tuple(values[name] for name in FEATURE_PROFILES.column_names))
    return spark.createDataFrame(rows, FEATURE_PROFILES.schema).coalesce(1)


def profiles_before(profiles: DataFrame, as_of: date) -> dict[str, list[Row]]:
    """Feature -> its rows at the last three dates before `as_of` by each definition, the newest first."""
    newest_first = Window.partitionBy("feature", "definition").orderBy(F.desc("as_of"))
    place = F.row_number().over(newest_first)
    last = profiles.where(F.col("as_of") < F.lit(as_of)).withColumn("place", place).where(F.col("place") <= _VERSIONS)
    found: dict[str, list[Row]] = {}
    for row in last.orderBy(F.desc("as_of"), "feature").collect():
        found.setdefault(row["feature"], []).append(row)
    return found


def newest_profiles(profiles: DataFrame) -> dict[str, Row]:
    """Feature -> its row at the newest date of these rows of `feature_profiles`."""
    newest = profiles.agg(F.max("as_of")).first()
    if newest is None or newest[0] is None:
        return {}
    return {row["feature"]: row for row in profiles.where(F.col("as_of") == F.lit(newest[0])).collect()}


def dropped_features(profiles: DataFrame, as_of: date) -> dict[str, str]:
    """Feature -> why it is kept out of models, in words, at a date."""
    rows = profiles.where((F.col("as_of") == F.lit(as_of)) & F.col("dropped")).orderBy("feature").collect()
    return {row["feature"]: f"{row['feature']}: {'; '.join(row['findings'])}" for row in rows}


def _plain_profiles(features: DataFrame, names: Sequence[str]) -> list[FeatureProfile]:
    (row,) = features.agg(F.count("*").alias("people"), *(_figures(name).alias(name) for name in names)).collect()
    people = row["people"]
    found = []
    for name in names:
        figures = row[name]
        missing = 1 - figures["known"] / people if people else 1.0
        found.append(
            FeatureProfile(
                name,
                Distribution(people, missing, figures["percentiles"]),
                figures["zeros"] / people if people else 0.0,
            )
        )
    return found


def _figures(name: str) -> Column:
    return F.struct(
        F.count(name).alias("known"),
        F.count_if(F.col(name) == 0).alias("zeros"),
        quantiles(name, PERCENTILES).alias("percentiles"),
    )


def _look_for_likeness(
    sample: DataFrame, names: Sequence[str], persons: DataFrame, settings: FeatureSettings
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Feature -> twins declared before it, and feature -> sensitive things that it tells."""
    checks = settings.checks
    sensitive = settings.sensitive
    twins: dict[str, dict[str, float]] = {}
    proxies: dict[str, dict[str, float]] = {}
    beyond = min(checks.twins.above, checks.proxies.above if sensitive else 1.0)
    for (first, second), correlation in (correlate(sample, names, beyond) if len(names) > 1 else {}).items():
        if abs(correlation) > checks.twins.above:
            twins.setdefault(second, {})[first] = correlation
        for told, name in ((first, second), (second, first)):
            if told in sensitive and name not in sensitive and abs(correlation) > checks.proxies.above:
                proxies.setdefault(name, {})[told] = abs(correlation)
    for attribute in checks.proxies.attributes:
        for name, strength in associate(sample, names, persons, attribute).items():
            if strength > checks.proxies.above:
                proxies.setdefault(name, {})[attribute] = strength
    return twins, proxies


def _compared(profile: FeatureProfile, before: Sequence[Row], definition: str) -> FeatureProfile:
    for earlier in before:
        if earlier["definition"] == definition:
            former = Distribution(earlier["people"], earlier["missing"], earlier["percentiles"])
            shift = measure_shift(former, profile.distribution)
            if profile.shift is None or shift.index > profile.shift.index:
                profile = replace(profile, shift=shift, since=earlier["as_of"])
    return profile
