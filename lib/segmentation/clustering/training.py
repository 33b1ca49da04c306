"""Training from features to a choice: what the stage `train` does between reading and writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.candidates import Candidate, fit_candidates, label_people, measure_candidates
from segmentation.clustering.choice import Choice, choose
from segmentation.clustering.comparison import Comparison, check_installed, compare_methods
from segmentation.clustering.coordinates import HALF
from segmentation.clustering.outliers import SET_ASIDE
from segmentation.clustering.preparation import VECTOR, Preparation, fit_preparation
from segmentation.clustering.selection import Population, columns_to_fit, sample_people
from segmentation.clustering.stability import measure_stability
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import InputError


@dataclass(frozen=True)
class Training:
    """What came of it: how people are prepared, the choice, how many of the sample were set aside as outliers, and what
    other methods find."""

    preparation: Preparation
    choice: Choice
    outliers: int = 0
    comparisons: tuple[Comparison, ...] = ()


def train_model(
    features: DataFrame,
    names: Sequence[str],
    population: Population,
    settings: ClusteringSettings,
    tell: Callable[[str], None],
    earlier: Sequence[DataFrame] = (),
) -> Training:
    """Prepares a fixed sample of the people, fits all candidates on those who are no outliers, and chooses one.

    In: one row a person with the columns `names`, and `columns_to_fit` beside them; `earlier`: the same at earlier
    dates, on which finalists are fitted again. The prepared sample is read once and kept in memory until the end.
    Raises `InputError` where fewer than two people differ, or nothing could be fitted.
    """
    if population.people < 2:
        raise InputError(
            "Only one person has features at this date: there is nobody to tell apart. Take in more events."
        )
    check_installed(settings)
    beside = columns_to_fit(names, settings)
    with sample_people(features, names, population, settings, beside) as sample:
        tell("preparing features")
        preparation = fit_preparation(
            sample, names, settings.transform, settings.outliers, settings.always_in, settings.attributes
        )
        coordinates = preparation.coordinates
        preparing = PipelineModel(preparation.transformers(fitting=True))
        ordinary = ~F.col(SET_ASIDE) if preparation.fences else F.lit(True)
        # A local checkpoint and not a cache: it cuts the plan off, which each candidate's column would make longer.
        vectors = preparing.transform(sample)
        prepared = vectors.where(ordinary).select(HALF, VECTOR, *coordinates).localCheckpoint()
        outliers = vectors.where(~ordinary).count() if preparation.fences else 0
    distinct = _distinct(prepared, coordinates)
    if distinct < 2 and outliers:
        raise InputError(
            f"{outliers:,} people are outliers, and the others are alike: set clustering.outliers.beyond higher."
        )
    if distinct < 2:
        raise InputError("All people have the same features: there is nobody to tell apart. Measure other features.")
    tell(f"fitting {(settings.k.max - settings.k.min + 1) * len(settings.algorithms)} candidates")
    fitted = fit_candidates(prepared, distinct, settings)
    labelled = label_people(prepared, fitted).localCheckpoint()
    tell("measuring candidates")
    measured = measure_candidates(labelled, coordinates, fitted)

    def as_it_was(people: DataFrame) -> DataFrame:
        with sample_people(people, names, population, settings, beside) as sample:
            return preparing.transform(sample).where(ordinary).select(VECTOR).localCheckpoint()

    def with_stability(finalists: Sequence[Candidate]) -> Sequence[Candidate]:
        tell(f"refitting {len(finalists)} candidates on halves of the people{' and earlier dates' if earlier else ''}")
        before = [people for people in map(as_it_was, earlier) if people.count() * 2 >= sum(finalists[0].sizes)]
        return measure_stability(labelled, before, finalists, settings)

    choice = choose(measured, settings, with_stability)
    if settings.compare_with:
        tell("comparing other methods")
    comparisons = compare_methods(labelled, coordinates, choice.chosen, settings)
    return Training(preparation, choice, outliers, tuple(comparisons))


def _distinct(prepared: DataFrame, coordinates: Sequence[str]) -> int:
    row = prepared.agg(F.count_distinct(F.xxhash64(*coordinates)).alias("distinct")).first()
    assert row is not None, "a global aggregate has one row"
    return int(row["distinct"])
