"""Which people and which features a model is fitted on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType

from segmentation.clustering.conditions import meets
from segmentation.clustering.coordinates import ATTRIBUTE, HALF
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import ConfigError, InputError, Problem
from segmentation.contracts.table import check_columns

ROWS_PER_PARTITION = 100_000
"""Up to here everybody is in one partition. Sums of doubles, and so fits, then come out the same to the last bit on
any cluster; with more partitions they agree but for rounding."""

_BUCKETS = 1_000_000


@dataclass(frozen=True)
class Population:
    """Everyone with features at one date: how many, and a hash of their features that no row order changes."""

    people: int
    fingerprint: str
    feature_set: str


def choose_features(features: DataFrame, settings: ClusteringSettings, kept_out: Collection[str] = ()) -> list[str]:
    """The DOUBLE columns of `features` that enter the model, in the order of their names; `kept_out` do not, whatever
    the configuration says.

    Raises `ConfigError` where the configuration names one that is not there, or leaves none.
    """
    available = sorted(field.name for field in features.schema.fields if isinstance(field.dataType, DoubleType))
    problems = [
        Problem(
            f"clustering.{key}",
            f"there is no feature '{name}'",
            suggestion=next(iter(get_close_matches(name, available, 1)), None),
        )
        for key, names in (
            ("features", settings.features),
            ("exclude", settings.exclude),
            ("transform.fill", settings.transform.fill),
            ("always_in", [condition.feature for condition in settings.always_in]),
            ("transform.cohorts.feature", _cohorts_by(settings)),
            *((f"attributes.{name}.target", [how.target]) for name, how in settings.attributes.items() if how.target),
        )
        for name in names
        if name not in available
    ]
    if problems:
        raise ConfigError(problems)
    chosen = [name for name in available if name in (settings.features or available) and name not in settings.exclude]
    if not chosen:
        raise ConfigError("clustering.exclude leaves no feature for the model: exclude fewer.")
    chosen = [name for name in chosen if name not in kept_out]
    if not chosen:
        raise ConfigError("features.checks drops all features of the model: `feature_profiles` says which for what.")
    if settings.outliers:
        # Who is no outlier is asked of everyone who is scored, of whom the pipeline knows the model's features.
        problems = [
            Problem(f"clustering.always_in.{number}", f"with outliers, '{condition.feature}' has to be in the model")
            for number, condition in enumerate(settings.always_in)
            if condition.feature not in chosen
        ]
        if problems:
            raise ConfigError(problems)
    return chosen


def columns_beside(names: Sequence[str], settings: ClusteringSettings) -> list[str]:
    """The columns that a model takes beside its features `names`: attributes of persons, and the feature that says
    whose cohort they are in."""
    by_feature = [name for name in _cohorts_by(settings) if name not in names]
    return [*by_feature, *(ATTRIBUTE + name for name in settings.attributes_read)]


def columns_to_fit(names: Sequence[str], settings: ClusteringSettings) -> list[str]:
    """The columns that fitting takes beside its features `names`: those that the model takes, and the features whose
    means stand for attributes."""
    targets = {how.target for how in settings.attributes.values() if how.target}
    beside = columns_beside(names, settings)
    return [*beside, *sorted(targets - {*names, *beside})]


def _cohorts_by(settings: ClusteringSettings) -> list[str]:
    cohorts = settings.transform.cohorts
    return [cohorts.feature] if cohorts and cohorts.feature else []


def describe_population(features: DataFrame, names: Sequence[str]) -> Population:
    """Counts and fingerprints the people of one date in one pass.

    In: one row a person with `feature_set` and the columns `names`. Raises `InputError` where there is nobody, or
    where rows of two feature sets are mixed.
    """
    check_columns(features, ["person_id", "feature_set", *names], "the features")
    row = features.agg(
        F.count("*").alias("people"),
        F.bit_xor(F.xxhash64("person_id", *names)).alias("mixed"),
        F.min("feature_set").alias("first_set"),
        F.max("feature_set").alias("last_set"),
    ).first()
    assert row is not None, "a global aggregate has one row"
    if not row["people"]:
        raise InputError(
            "The table 'features' has no rows for this date: run `segmentation features` with the same --as-of."
        )
    if row["first_set"] != row["last_set"]:
        raise InputError("The table 'features' mixes two feature sets at one date: run `segmentation features` again.")
    return Population(row["people"], f"{row['people']}:{row['mixed']}", row["first_set"])


def earlier_dates(profiles: DataFrame, as_of: date, feature_set: str, days_before: Sequence[int]) -> list[date]:
    """For each number of days, the newest date at least so long before `as_of` at which the same feature set was
    measured; newest first, each once.

    In: rows of `feature_profiles`, a few a date, where `features` has everyone at each.
    """
    if not days_before:
        return []
    rows = profiles.where(F.col("feature_set") == feature_set).select("as_of").distinct().collect()
    found = {
        max((row["as_of"] for row in rows if (as_of - row["as_of"]).days >= days), default=None) for days in days_before
    }
    return sorted((day for day in found if day is not None), reverse=True)


@contextmanager
def sample_people(
    features: DataFrame,
    names: Sequence[str],
    population: Population,
    settings: ClusteringSettings,
    beside: Sequence[str] = (),
) -> Iterator[DataFrame]:
    """A fixed sample of about `settings.sample` people, or everyone where they are fewer, and whoever is always in;
    kept in memory in the block.

    In and out: one row a person; out: `person_id`, the columns `names` (NaN and infinite values are null), those
    `beside` them as they are, and `half`, a random LONG of the person's own. Who is in depends on the person and the
    seed alone, so a sample of tomorrow has the same people. Rows come in an order of their own, whatever it was.
    """
    order = F.xxhash64("person_id", F.lit(settings.seed))
    share = min(1.0, settings.sample / population.people)
    finite = [F.when(F.abs(F.col(name)) <= F.lit(float(2**1023)), F.col(name)).alias(name) for name in names]
    if share < 1:
        drawn = F.pmod(order, F.lit(_BUCKETS)) < F.lit(int(share * _BUCKETS))
        features = features.where(drawn | meets(settings.always_in) if settings.always_in else drawn)
    rows = features.select("person_id", *finite, *beside, order.alias(HALF))
    partitions = -(-min(population.people, settings.sample) // ROWS_PER_PARTITION)
    sample = rows.repartition(partitions, HALF).sortWithinPartitions(HALF, "person_id").persist()
    try:
        yield sample
    finally:
        sample.unpersist()
