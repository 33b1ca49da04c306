"""Fitted models as they are kept: Spark's own pipeline in a folder each, and a row of `models` each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from pyspark.ml import PipelineModel, clustering
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.ml.pipeline import PipelineSharedReadWrite
from pyspark.sql import DataFrame, SparkSession

from segmentation.clustering.algorithms import centres
from segmentation.clustering.coordinates import ATTRIBUTE
from segmentation.clustering.fitted import BESIDE, OUTLIERS, PART, PARTS, SHADOW
from segmentation.clustering.selection import Population, columns_beside
from segmentation.clustering.training import Training
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.segments import MODELS

FIT_VERSION = 4
"""Goes up when the same people and settings would be fitted otherwise: a model's id then says so."""

FOLDER = "_models"

_PREPARING = {"SQLTransformer": SQLTransformer, "VectorAssembler": VectorAssembler}


@dataclass(frozen=True)
class Fit:
    """What was fitted, and on whom; `part`: the value that they share, where they are not everyone."""

    model_id: str
    population: Population
    trained: Training
    part: str | None = None
    agreement: float | None = None
    """Of a part: how far the global model divides its people alike (adjusted Rand index)."""

    @property
    def path(self) -> str:
        """Where its pipeline is, relative to the warehouse."""
        return f"{FOLDER}/{self.model_id}"


def model_id(
    population: Population,
    as_of: date,
    features: Sequence[str],
    settings: ClusteringSettings,
    shadow: bool = False,
    earlier: Sequence[date] = (),
) -> str:
    """A hash of all that a fit depends on: people and features, dates, settings, and how fits are done."""
    parts = [FIT_VERSION, population.fingerprint, population.feature_set, str(as_of), list(features), settings.sha256()]
    parts += [SHADOW] if shadow else []
    parts += map(str, earlier)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def part_id(whole: str, value: str) -> str:
    """A hash of the model that a part's is fitted beside, and of whose it is."""
    return hashlib.sha256(json.dumps([whole, value]).encode()).hexdigest()[:16]


def pipeline(trained: Training, settings: ClusteringSettings) -> PipelineModel:
    """Preparing and model in one: all that scoring needs."""
    model = trained.choice.chosen.model
    assert model is not None, "a candidate that failed is never chosen"
    apart = settings.outliers is not None and settings.outliers.placed == "apart"
    preparation = trained.preparation if apart else replace(trained.preparation, fences=None)
    return PipelineModel([*preparation.transformers(), model])


def load_pipeline(spark: SparkSession, path: str) -> PipelineModel:
    """What `pipeline` made and Spark has saved, as `PipelineModel.load` gives it, for half the processor time: that
    starts two Spark jobs a stage to read a line that says what it is, where here one reads the lines of all."""
    lines = spark.read.text([f"{path}/metadata", f"{path}/stages/*/metadata"]).collect()
    told = {stage["uid"]: stage for stage in (json.loads(line["value"]) for line in lines)}
    (uids,) = (stage["paramMap"]["stageUids"] for stage in told.values() if "stageUids" in stage["paramMap"])
    *kinds, model = (told[uid]["class"].rpartition(".")[2] for uid in uids)
    preparing = [_PREPARING[kind](**told[uid]["paramMap"]) for kind, uid in zip(kinds, uids[:-1], strict=True)]
    place = PipelineSharedReadWrite.getStagePath(uids[-1], len(kinds), len(uids), f"{path}/stages")
    return PipelineModel([*preparing, getattr(clustering, model).load(place)])


def model_rows(
    spark: SparkSession,
    whole: Fit,
    parts: Sequence[Fit],
    number: int,
    as_of: date,
    settings: ClusteringSettings,
    shadow: bool = False,
) -> DataFrame:
    """The rows of `models`: the global model's, which knows those of the parts, and theirs."""
    first, clusters, known = len(whole.trained.choice.chosen.sizes), _clusters(whole), list[dict[str, Any]]()
    for part in parts:
        own = _clusters(part)
        known.append({"value": part.part, "model_id": part.model_id, "first": first, "k": len(own)})
        clusters += [{**cluster, "cluster": cluster["cluster"] + first, PART: part.part} for cluster in own]
        first += len(own)
    told: dict[str, str] = {}
    if settings.parts and parts:
        told[PARTS] = json.dumps({"by": ATTRIBUTE + settings.parts.attribute, "models": known})
    rows = [_row(whole, clusters, told, number, as_of, settings, shadow)]
    rows += [_row(part, _clusters(part), {PART: str(part.part)}, number, as_of, settings, shadow) for part in parts]
    return spark.createDataFrame([tuple(row[name] for name in MODELS.column_names) for row in rows], MODELS.schema)


def _clusters(fit: Fit) -> list[dict[str, Any]]:
    best, preparation = fit.trained.choice.chosen, fit.trained.preparation
    assert best.model is not None, "a candidate that failed is never chosen"
    return [
        {"cluster": number, "size": size, "centre": preparation.original(centre)}
        for number, (size, centre) in enumerate(zip(best.sizes, centres(best.model), strict=True))
    ]


def _row(
    fit: Fit,
    clusters: Sequence[dict[str, Any]],
    told: dict[str, str],
    number: int,
    as_of: date,
    settings: ClusteringSettings,
    shadow: bool,
) -> dict[str, Any]:
    trained, population = fit.trained, fit.population
    preparation, choice = trained.preparation, trained.choice
    best = choice.chosen
    features = [feature.name for feature in preparation.features]
    beside = columns_beside(features, settings)
    params = {
        "feature_set": population.feature_set,
        "people": str(population.people),
        "seed": str(settings.seed),
        "sample": str(settings.sample),
        "max_iterations": str(settings.max_iterations),
        "transform": settings.transform.model_dump_json(),
        "left_out": "; ".join(preparation.dropped),
        "fit_version": str(FIT_VERSION),
        **({BESIDE: json.dumps(beside)} if beside else {}),
        **({OUTLIERS: settings.outliers.placed} if settings.outliers else {}),
        **({SHADOW: "true"} if shadow else {}),
        **told,
    }
    metrics = {
        **best.figures,
        "smallest_share": min(best.shares),
        "largest_share": max(best.shares),
        "sample_people": float(sum(best.sizes)),
        **({"outliers": float(trained.outliers)} if settings.outliers else {}),
        **({"agreement": fit.agreement} if fit.agreement is not None else {}),
    }
    return {
        "model_id": fit.model_id,
        "algorithm": best.algorithm,
        "k": best.k,
        "features": features,
        "params": params,
        "metrics": metrics,
        "trained_as_of": as_of,
        "path": fit.path,
        "candidates": json.dumps([candidate.summary() for candidate in choice.candidates]),
        "choice": choice.reason,
        "clusters": json.dumps(clusters),
        "comparisons": json.dumps([asdict(comparison) for comparison in trained.comparisons]),
        "fit_number": number,
    }
