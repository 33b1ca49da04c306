"""Scoring people with a model that is there: the stage's own function, and NumPy doing the same arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.ml import PipelineModel
from pyspark.sql import SparkSession
from scripts.benchmarks import THREADS
from scripts.benchmarks.inputs import COORDINATES, make_people
from scripts.benchmarks.rivals import CLUSTERS, SEED

from segmentation.clustering.algorithms import centres
from segmentation.clustering.beginnings import find_beginnings
from segmentation.clustering.fitting import fit_kmeans
from segmentation.clustering.preparation import fit_preparation
from segmentation.clustering.saving import load_pipeline
from segmentation.clustering.scoring import score_people
from segmentation.config.clustering import Transform

_FITTED_ON = 20_000


def make_model_and_people(spark: SparkSession, rows: int, path: Path) -> None:
    """Below `path`: `people`, the saved pipeline `model`, and the same as numbers in `model.json`."""
    make_people(spark, rows, path / "people")
    sample = spark.read.parquet(str(path / "people")).limit(_FITTED_ON).localCheckpoint()
    preparation = fit_preparation(sample, list(COORDINATES), Transform())
    preparing = PipelineModel(preparation.transformers())
    prepared = preparing.transform(sample)
    fitted = fit_kmeans(prepared, find_beginnings(prepared, CLUSTERS, SEED)[CLUSTERS], iterations=20)
    PipelineModel([*preparing.stages, fitted]).write().overwrite().save(str(path / "model"))
    numbers = {
        "centres": centres(fitted),
        "features": [
            {"name": f.name, "low": f.low, "high": f.high, "power": f.power, "origin": f.origin, "unit": f.unit}
            for f in preparation.features
        ],
    }
    (path / "model.json").write_text(json.dumps(numbers), encoding="utf-8")


def score_on_spark(spark: SparkSession, source: Path, target: Path) -> None:
    """Loads the model and places people by it, as `assign` does."""
    people = spark.read.parquet(str(source / "people"))
    fitted = load_pipeline(spark, str(source / "model"))
    score_people(people, fitted, list(COORDINATES)).select("person_id", "cluster", "margin").write.parquet(str(target))


def score_with_numpy(source: Path, target: Path) -> None:
    """The arithmetic of preparing, distances and margins, a block of people at a time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from threadpoolctl import threadpool_limits

    model = json.loads((source / "model.json").read_text(encoding="utf-8"))
    middles = np.array(model["centres"])
    target.mkdir()
    with threadpool_limits(THREADS):
        for number, file in enumerate(sorted((source / "people").glob("*.parquet"))):
            people = pq.read_table(file)
            prepared = []
            for feature in model["features"]:
                values = np.clip(people[feature["name"]].to_numpy(), feature["low"], feature["high"])
                values = np.log1p(values) if feature["power"] == 0 else values
                prepared.append((values - feature["origin"]) / feature["unit"])
            points = np.column_stack(prepared)
            squared = np.stack([((points - middle) ** 2).sum(axis=1) for middle in middles], axis=1)
            cluster = squared.argmin(axis=1)
            nearest = np.partition(squared, 1, axis=1)
            margin = 1 - np.sqrt(nearest[:, 0] / nearest[:, 1])
            columns = {"person_id": people["person_id"], "cluster": cluster, "margin": margin}
            pq.write_table(pa.table(columns), target / f"part-{number}.parquet")
