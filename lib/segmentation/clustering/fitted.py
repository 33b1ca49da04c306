"""The fitted model as it is kept: Spark's own pipeline in a folder, and one row of `models`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from segmentation.clustering.algorithms import centres
from segmentation.clustering.selection import Population
from segmentation.clustering.training import Training
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import InputError
from segmentation.contracts.segments import MODELS

FIT_VERSION = 2
"""Goes up when the same people and settings would be fitted otherwise: a model's id then says so."""

FOLDER = "_models"

_OUTLIERS = "outliers"
"""Key of `models.params`: where people are who are far out, `nearest` or `apart`."""

SHADOW = "shadow"
"""Key of `models.params`: the model was fitted to be watched, and scores no version that is published."""


@dataclass(frozen=True)
class FittedModel:
    """A row of `models`, as Python values."""

    model_id: str
    number: int
    algorithm: str
    k: int
    features: tuple[str, ...]
    feature_set: str
    trained_as_of: date
    path: str
    clusters: tuple[dict[str, Any], ...]
    choice: str
    stability: float | None = None
    """Agreement with its refits (mean adjusted Rand index), where there were any."""
    sets_apart: bool = False
    """Whether outliers are a cluster of their own, the one with the number `k`."""

    @property
    def centres(self) -> dict[int, dict[str, float]]:
        """The middle of each cluster, in the features' own units."""
        return {cluster["cluster"]: cluster["centre"] for cluster in self.clusters}

    @classmethod
    def from_row(cls, row: Row) -> FittedModel:
        return cls(
            model_id=row["model_id"],
            number=row["fit_number"],
            algorithm=row["algorithm"],
            k=row["k"],
            features=tuple(row["features"]),
            feature_set=row["params"]["feature_set"],
            trained_as_of=row["trained_as_of"],
            path=row["path"],
            clusters=tuple(json.loads(row["clusters"])),
            choice=row["choice"],
            stability=row["metrics"].get("stability"),
            sets_apart=row["params"].get(_OUTLIERS) == "apart",
        )


def newest_model(models: DataFrame, as_of: date, shadow: bool = False) -> FittedModel:
    """The model that scores at `as_of`: the one fitted last, on features of that date or before.

    Models fitted as shadows only score shadows; a shadow is scored by the newest of these, or by the model that
    scores otherwise where there is none. Raises `InputError` where there is no model.
    """
    fitted = models.where(F.col("trained_as_of") <= F.lit(as_of))
    is_shadow = F.coalesce(F.col("params")[SHADOW] == "true", F.lit(False))
    order = [F.col("fit_number").desc()]
    row = (fitted.orderBy(is_shadow.desc(), *order) if shadow else fitted.where(~is_shadow).orderBy(*order)).first()
    if row is None:
        raise InputError(
            f"There is no model that was fitted on features up to {as_of}: run `segmentation train` first."
        )
    return FittedModel.from_row(row)


def choose_rows(features: DataFrame, as_of: date, model: FittedModel) -> DataFrame:
    """The rows of `features` at `as_of`.

    Raises `InputError` where there are none, or where they were measured by other definitions than the model's.
    """
    rows = features.where(F.col("as_of") == F.lit(as_of))
    found = {row["feature_set"] for row in rows.select("feature_set").distinct().limit(2).collect()}
    if not found:
        raise InputError(
            f"The table 'features' has no rows for {as_of}: run `segmentation features` with that --as-of."
        )
    if found != {model.feature_set}:
        raise InputError(
            f"The table 'features' at {as_of} was measured by other definitions than those that model "
            f"{model.model_id} was fitted on: run `segmentation train` first."
        )
    return rows


def model_id(
    population: Population, as_of: date, features: Sequence[str], settings: ClusteringSettings, shadow: bool = False
) -> str:
    """A hash of all that a fit depends on: people and features, date, settings, and how fits are done."""
    parts = [FIT_VERSION, population.fingerprint, population.feature_set, str(as_of), list(features), settings.sha256()]
    parts += [SHADOW] if shadow else []
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def pipeline(trained: Training, settings: ClusteringSettings) -> PipelineModel:
    """Preparing and model in one: all that scoring needs."""
    model = trained.choice.chosen.model
    assert model is not None, "a candidate that failed is never chosen"
    apart = settings.outliers is not None and settings.outliers.placed == "apart"
    preparation = trained.preparation if apart else replace(trained.preparation, fences=None)
    return PipelineModel([*preparation.transformers(), model])


def model_row(
    spark: SparkSession,
    identity: str,
    number: int,
    as_of: date,
    population: Population,
    trained: Training,
    settings: ClusteringSettings,
    shadow: bool = False,
) -> DataFrame:
    """The model's one row for `models`."""
    preparation, choice = trained.preparation, trained.choice
    best = choice.chosen
    assert best.model is not None, "a candidate that failed is never chosen"
    params = {
        "feature_set": population.feature_set,
        "people": str(population.people),
        "seed": str(settings.seed),
        "sample": str(settings.sample),
        "max_iterations": str(settings.max_iterations),
        "transform": settings.transform.model_dump_json(),
        "left_out": "; ".join(preparation.dropped),
        "fit_version": str(FIT_VERSION),
        **({_OUTLIERS: settings.outliers.placed} if settings.outliers else {}),
        **({SHADOW: "true"} if shadow else {}),
    }
    clusters = [
        {"cluster": number, "size": size, "centre": preparation.original(centre)}
        for number, (size, centre) in enumerate(zip(best.sizes, centres(best.model), strict=True))
    ]
    values = {
        "model_id": identity,
        "algorithm": best.algorithm,
        "k": best.k,
        "features": [feature.name for feature in preparation.features],
        "params": params,
        "metrics": {
            **best.figures,
            "smallest_share": min(best.shares),
            "largest_share": max(best.shares),
            "sample_people": float(sum(best.sizes)),
            **({"outliers": float(trained.outliers)} if settings.outliers else {}),
        },
        "trained_as_of": as_of,
        "path": f"{FOLDER}/{identity}",
        "candidates": json.dumps([candidate.summary() for candidate in choice.candidates]),
        "choice": choice.reason,
        "clusters": json.dumps(clusters),
        "comparisons": json.dumps([asdict(comparison) for comparison in trained.comparisons]),
        "fit_number": number,
    }
    return spark.createDataFrame([tuple(values[name] for name in MODELS.column_names)], MODELS.schema)
