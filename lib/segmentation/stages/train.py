"""`train`: from features, and what was found of them, to a fitted model."""

from __future__ import annotations

from dataclasses import replace

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.attributes import attach_attributes
from segmentation.clustering.fitted import global_models
from segmentation.clustering.parts import fit_parts
from segmentation.clustering.saving import Fit, model_id, model_rows, pipeline
from segmentation.clustering.selection import choose_features, columns_to_fit, describe_population
from segmentation.clustering.training import train_model
from segmentation.config.settings import Settings
from segmentation.features.profiles import dropped_features
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.segments.membership import keep_scope


def run(context: StageContext) -> Outcome:
    """Fits and selects a model on the people in scope at `as_of`; its files first, then its row of `models`.

    Option: `shadow`, for a model that is watched and scores nothing that is published.
    """
    shadow = context.options.get("shadow", False)
    settings, as_of = context.settings.clustering, context.as_of
    features = keep_scope(context.read("features").where(F.col("as_of") == F.lit(as_of)), context.settings.segments)
    people = features
    if named := settings.attributes_read:
        people = attach_attributes(features, context.read_or_empty("persons"), named)
    kept_out = dropped_features(context.read_or_empty("feature_profiles"), as_of)
    names = choose_features(features, settings, kept_out)
    population = describe_population(people, [*names, *columns_to_fit(names, settings)])
    trained = train_model(people, names, population, settings, context.tell)
    left_out = (*trained.preparation.dropped, *kept_out.values())
    trained = replace(trained, preparation=replace(trained.preparation, dropped=left_out))
    whole = Fit(model_id(population, as_of, names, settings, shadow), population, trained)
    parts, without_model = fit_parts(people, names, whole, settings, context.tell)
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
    return settings.clustering, settings.segments.scope


STAGE = Stage(
    name="train",
    help="Fit candidate models on the features and choose one, with the reason.",
    reads=("features", "feature_profiles", "persons"),
    writes=("models",),
    state=("models",),
    run=run,
    depends_on=_depends_on,
    options=(
        click.Option(["--shadow"], is_flag=True, help="A model to be watched: `assign --shadow` scores with it."),
    ),
)
