"""The vocabulary of journeys: steps in a row that are features without being named in the configuration.

They are chosen once (`vocabulary.rate_steps`), on the data that models learn from, and kept: whoever measures later
measures the same, until the configuration says otherwise of what a journey is, or of how and when they are chosen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.features import FeatureSettings
from segmentation.config.journeys import Measure, name_column
from segmentation.contracts.behaviour import JOURNEY_VOCABULARY
from segmentation.features.vocabulary import Rated

_WITHOUT_INFLUENCE = {"follows", "contains", "longest_path"}
"""Of the settings of journeys, what says nothing of which steps are chosen."""

Chosen = tuple[Measure, list[str]]
"""What is measured, and of which steps in a row."""


def choice_of(settings: FeatureSettings) -> str | None:
    """A hash of all that decides of a choice, but for what people did; None: nothing is chosen."""
    if settings.journeys is None or settings.journeys.vocabulary is None:
        return None
    journeys = settings.journeys.model_dump(mode="json", exclude=_WITHOUT_INFLUENCE)
    shared = settings.model_dump(mode="json", include={"purchase", "passive_events", "before"})
    return hashlib.sha256(json.dumps([journeys, shared], sort_keys=True).encode()).hexdigest()[:16]


def chosen_rows(spark: SparkSession, rated: Sequence[Rated], choice: str, chosen_as_of: date) -> DataFrame:
    """The rows of `journey_vocabulary` of one choice, made by what was known at the end of a date."""
    rows = []
    for place, one in enumerate(rated, start=1):
        values = {
            "choice": choice,
            "place": place,
            "feature": name_column(one.kind, one.steps),
            "measure": one.kind,
            "steps": list(one.steps),
            "chosen_as_of": chosen_as_of,
            "people": one.people,
            "mean": one.mean,
            "deviation": one.deviation,
        }
        rows.append(tuple(values[name] for name in JOURNEY_VOCABULARY.column_names))
    return spark.createDataFrame(rows, JOURNEY_VOCABULARY.schema).coalesce(1)


def read_chosen(vocabulary: DataFrame, settings: FeatureSettings) -> list[Chosen]:
    """What was chosen by these settings, best first; empty: nothing yet. In: rows of `journey_vocabulary`."""
    own = vocabulary.where(F.col("choice") == F.lit(choice_of(settings)))
    rows = own.select("place", "measure", "steps").collect()
    return [(row["measure"], row["steps"]) for row in sorted(rows, key=lambda row: row["place"])]


def add_steps(settings: FeatureSettings, chosen: Iterable[Chosen]) -> FeatureSettings:
    """The same settings with these steps as features too. A column that there is already stays what it is."""
    journeys, taken = settings.journeys, set(settings.names())
    assert journeys is not None, "only where journeys are declared"
    for measure, steps in chosen:
        if (column := name_column(measure, steps)) not in taken:
            journeys = journeys.model_copy(update={measure: [*getattr(journeys, measure), steps]})
            taken.add(column)
    return settings.model_copy(update={"journeys": journeys})
