"""Choosing the steps of journeys that are features without being named → `journey_vocabulary`."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import functions as F

from segmentation.features.chosen_steps import choice_of, chosen_rows
from segmentation.runtime.stage import StageContext
from segmentation.runtime.vocabulary import know_vocabulary
from segmentation.stages.suggest_journeys import look_at_journeys


def choose_vocabulary(context: StageContext) -> StageContext:
    """The same context, whose settings have the chosen steps among their features.

    Those that were chosen before are kept; where none were, those in which people differ most are, by their journeys
    up to `vocabulary.up_to`, or up to the date of the run.
    """
    warehouse, features = context.warehouse, context.settings.features
    warehouse.ensure("journey_vocabulary")
    choice, journeys = choice_of(features), features.journeys
    if choice is None or journeys is None or journeys.vocabulary is None:
        return context
    if warehouse.read("journey_vocabulary").where(F.col("choice") == F.lit(choice)).isEmpty():
        until = journeys.vocabulary.up_to or context.as_of
        found = look_at_journeys(replace(context, as_of_option=until), journeys.vocabulary.most)
        rows = chosen_rows(context.spark, found.rated, choice, until)
        warehouse.replace_slice("journey_vocabulary", rows, choice=choice)
    return replace(context, settings=know_vocabulary(context.settings, warehouse))
