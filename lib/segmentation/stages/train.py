"""`train`: from features, and what was found of them, to a fitted model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.fitted import global_models
from segmentation.clustering.parts import fit_parts
from segmentation.clustering.saving import Fit, model_id, model_rows, pipeline
from segmentation.clustering.selection import (
    Population,
    choose_features,
    columns_to_fit,
    describe_population,
    earlier_dates,
)
from segmentation.clustering.training import train_model
from segmentation.config.clustering import ClusteringSettings
from segmentation.config.segments import SegmentSettings
from segmentation.config.settings import Settings
from segmentation.features.profiles import dropped_features
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.segments.membership import keep_scope
from segmentation.stages.known_people import know


@dataclass(frozen=True)
class People:
    """Whom a model is fitted on: a row each with the features `names` and `columns_to_fit`, now and at earlier dates;
    and which features are kept out, with the reason."""

    rows: DataFrame
    names: list[str]
    population: Population
    kept_out: dict[str, str]
    earlier_dates: list[date]
    earlier: list[DataFrame]


def find_people(
    features: DataFrame,
    read_or_empty: Callable[[str], DataFrame],
    segments: SegmentSettings,
    settings: ClusteringSettings,
    as_of: date,
) -> People:
    """The people in scope at `as_of`. Raises as `choose_features` and `describe_population` do."""

    def at(day: date) -> DataFrame:
        measured = features.where(F.col("as_of") == F.lit(day))
        return keep_scope(know(measured, read_or_empty, settings.attributes_read, segments.purpose, day), segments)

    profiles = read_or_empty("feature_profiles")
    kept_out = dropped_features(profiles, as_of)
    names = choose_features(features, settings, kept_out)
    rows = at(as_of)
    population = describe_population(rows, [*names, *columns_to_fit(names, settings)])
    dates = earlier_dates(profiles, as_of, population.feature_set, settings.stability.days_before)
    return People(rows, names, population, kept_out, dates, [at(day) for day in dates])


def run(context: StageContext) -> Outcome:
    """Fits and selects a model on the people in scope at `as_of`; its files first, then its row of `models`.

    Option: `shadow`, for a model that is watched and scores nothing that is published.
    """
    shadow = context.options.get("shadow", False)
    settings, as_of = context.settings.clustering, context.as_of
    given = find_people(context.read("features"), context.read_or_empty, context.settings.segments, settings, as_of)
    population = given.population
    trained = train_model(given.rows, given.names, population, settings, context.tell, given.earlier)
    left_out = (*trained.preparation.dropped, *given.kept_out.values())
    trained = replace(trained, preparation=replace(trained.preparation, dropped=left_out))
    identity = model_id(population, as_of, given.names, settings, shadow, given.earlier_dates)
    whole = Fit(identity, population, trained)
    parts, without_model = fit_parts(given.rows, given.names, whole, settings, context.tell, given.earlier)
    context.tell("saving the model")
    number = _fit_number(context.read_or_empty("models"), whole.model_id)
    rows = model_rows(context.spark, whole, parts, number, as_of, settings, shadow)
    for fit in (whole, *parts):
        pipeline(fit.trained, settings).write().overwrite().save(context.warehouse.path(fit.path))
    ids = (whole.model_id, *(part.model_id for part in parts))
    context.warehouse.replace_slice("models", rows, model_id=ids if parts else whole.model_id)
    return Outcome(
        rows_in=population.people,
        rows_out=len(ids),
        figures={"candidates": len(trained.choice.candidates), "clusters": trained.choice.chosen.k}
        | ({"outliers": trained.outliers} if settings.outliers else {})
        | ({"parts": len(parts)} if settings.parts else {}),
        message="; ".join([trained.choice.reason.split(";")[0], *without_model]),
    )


def _fit_number(models: DataFrame, identity: str) -> int:
    """The next number, or the model's own where it is the newest already."""
    newest = global_models(models).orderBy(F.col("fit_number").desc()).select("model_id", "fit_number").first()
    if newest is None:
        return 1
    return int(newest["fit_number"]) + (newest["model_id"] != identity)


def _depends_on(settings: Settings) -> object:
    return settings.clustering, settings.segments.scope, settings.segments.purpose


STAGE = Stage(
    name="train",
    help="Fit candidate models on the features and choose one, with the reason.",
    reads=("features", "feature_profiles", "persons", "consent", "identity_map"),
    writes=("models",),
    state=("models",),
    run=run,
    depends_on=_depends_on,
    options=(
        click.Option(["--shadow"], is_flag=True, help="A model to be watched: `assign --shadow` scores with it."),
    ),
)
