"""Training from features to a choice: what the stage `train` does between reading and writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.candidates import Candidate, fit_candidates, label_people, measure_candidates
from segmentation.clustering.choice import Choice, choose
from segmentation.clustering.preparation import VECTOR, Preparation, fit_preparation
from segmentation.clustering.selection import Population, sample_people
from segmentation.clustering.stability import measure_stability
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import InputError


def train_model(
    features: DataFrame,
    names: Sequence[str],
    population: Population,
    settings: ClusteringSettings,
    tell: Callable[[str], None],
) -> tuple[Preparation, Choice]:
    """Prepares a fixed sample of the people, fits all candidates on it, and chooses one.

    In: one row a person with the columns `names`. The prepared sample is read once and kept in memory until the end.
    Raises `InputError` where fewer than two people differ, or nothing could be fitted.
    """
    if population.people < 2:
        raise InputError(
            "Only one person has features at this date: there is nobody to tell apart. Take in more events."
        )
    with sample_people(features, names, population, settings) as sample:
        tell("preparing features")
        preparation = fit_preparation(sample, names, settings.transform)
        coordinates = preparation.coordinates
        # A local checkpoint and not a cache: it cuts the plan off, which each candidate's column would make longer.
        vectors = PipelineModel(preparation.transformers()).transform(sample)
        prepared = vectors.select("half", VECTOR, *coordinates).localCheckpoint()
    distinct = _distinct(prepared, coordinates)
    if distinct < 2:
        raise InputError("All people have the same features: there is nobody to tell apart. Measure other features.")
    tell(f"fitting {(settings.k.max - settings.k.min + 1) * len(settings.algorithms)} candidates")
    fitted = fit_candidates(prepared, distinct, settings)
    labelled = label_people(prepared, fitted).localCheckpoint()
    tell("measuring candidates")
    measured = measure_candidates(labelled, coordinates, fitted)

    def with_stability(finalists: Sequence[Candidate]) -> Sequence[Candidate]:
        tell(f"refitting {len(finalists)} candidates on halves of the people")
        return measure_stability(labelled, finalists, settings)

    return preparation, choose(measured, settings, with_stability)


def _distinct(prepared: DataFrame, coordinates: Sequence[str]) -> int:
    row = prepared.agg(F.count_distinct(F.xxhash64(*coordinates)).alias("distinct")).first()
    assert row is not None, "a global aggregate has one row"
    return int(row["distinct"])
