"""Scoring with a saved pipeline: the same in batch and in a stream, with margins that a person could compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chispa import assert_df_equality
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture, KMeans
from pyspark.sql import DataFrame, SparkSession
from tests.people import feature_rows, grouped_people

from segmentation.clustering.preparation import fit_preparation
from segmentation.clustering.saving import load_pipeline
from segmentation.clustering.scoring import score_people
from segmentation.config.clustering import Algorithm, Transform
from segmentation.contracts.errors import MissingColumnsError

NAMES = ["frequency", "monetary", "recency"]

ESTIMATORS = {"kmeans": KMeans, "bisecting_kmeans": BisectingKMeans, "gaussian_mixture": GaussianMixture}
COLUMNS = {"featuresCol": "prepared", "predictionCol": "cluster"}


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    return feature_rows(spark, grouped_people(80)).coalesce(1).persist()


@pytest.fixture(scope="module")
def preparing(features: DataFrame) -> PipelineModel:
    return PipelineModel(fit_preparation(features, NAMES, Transform()).transformers())


def test_a_hard_models_margin_is_between_the_two_nearest_centres(features: DataFrame, preparing: PipelineModel) -> None:
    prepared = preparing.transform(features)
    model = KMeans(k=3, seed=1, featuresCol="prepared", predictionCol="cluster").fit(prepared)
    found = score_people(features, PipelineModel([*preparing.stages, model]), NAMES, ["as_of"]).toPandas()

    points = np.array([row["prepared"].toArray() for row in prepared.select("prepared").collect()])
    distances = np.linalg.norm(points[:, None, :] - np.array(model.clusterCenters())[None], axis=2)
    nearest = np.sort(distances, axis=1)
    assert found["cluster"].tolist() == distances.argmin(axis=1).tolist()
    assert found["margin"].to_numpy() == pytest.approx(1 - nearest[:, 0] / nearest[:, 1])
    assert found["nearest_other"].tolist() == distances.argsort(axis=1)[:, 1].tolist()
    assert found["probability"].isna().all()
    assert list(found.columns) == ["person_id", "as_of", "cluster", "probability", "margin", "nearest_other"]


@pytest.mark.parametrize(("algorithm", "k"), [("kmeans", 5), ("bisecting_kmeans", 2), ("bisecting_kmeans", 6)])
def test_a_hard_model_places_people_as_spark_would(
    features: DataFrame, preparing: PipelineModel, algorithm: Algorithm, k: int
) -> None:
    model = ESTIMATORS[algorithm](k=k, maxIter=10, seed=2, **COLUMNS).fit(preparing.transform(features))
    whole = PipelineModel([*preparing.stages, model])
    found, own = score_people(features, whole, NAMES), whole.transform(features).select("person_id", "cluster")
    assert_df_equality(
        found.select("person_id", "cluster"), own, ignore_row_order=True, ignore_nullable=True, ignore_metadata=True
    )
    assert own.select("cluster").distinct().count() == k


def test_a_saved_mixture_scores_batch_and_stream_alike(
    spark: SparkSession, features: DataFrame, preparing: PipelineModel, tmp_path: Path
) -> None:
    model = GaussianMixture(k=3, seed=1, maxIter=10, featuresCol="prepared", predictionCol="cluster").fit(
        preparing.transform(features)
    )
    PipelineModel([*preparing.stages, model]).write().save(str(tmp_path / "model"))
    loaded = load_pipeline(spark, str(tmp_path / "model"))
    batch = score_people(features, loaded, NAMES).toPandas().sort_values("person_id").reset_index(drop=True)
    assert batch["probability"].between(1 / 3, 1).all()
    assert (batch["margin"] <= batch["probability"]).all()
    rows = loaded.transform(features).select("person_id", "probability").sort("person_id").collect()
    likely = np.array([row["probability"].toArray() for row in rows])
    everyone, second = np.arange(len(likely)), np.sort(likely, axis=1)[:, -2]
    assert likely[everyone, batch["nearest_other"]].tolist() == second.tolist()
    assert (batch["nearest_other"] != batch["cluster"]).all()
    assert batch["margin"].to_numpy() == pytest.approx(likely.max(axis=1) - second)

    features.write.parquet(str(tmp_path / "arriving"))
    arriving = spark.readStream.schema(features.schema).parquet(str(tmp_path / "arriving"))
    query = score_people(arriving, loaded, NAMES).writeStream.format("memory").queryName("scored").start()
    query.processAllAvailable()
    query.stop()
    streamed = spark.table("scored").toPandas().sort_values("person_id").reset_index(drop=True)
    assert streamed.equals(batch)


def test_places_among_the_people_are_kept_with_the_model_and_are_the_same_in_a_stream(
    spark: SparkSession, features: DataFrame, tmp_path: Path
) -> None:
    preparation = fit_preparation(features, NAMES, Transform(scale="quantile"))
    model = KMeans(k=3, seed=1, **COLUMNS).fit(PipelineModel(preparation.transformers()).transform(features))
    PipelineModel([*preparation.transformers(), model]).write().save(str(tmp_path / "model"))
    loaded = load_pipeline(spark, str(tmp_path / "model"))
    batch = loaded.transform(features).select("person_id", *preparation.coordinates, "cluster")
    ends = batch.selectExpr(*(f"struct(min({c}), max({c}))" for c in preparation.coordinates)).first()
    assert ends is not None
    assert [tuple(pair) for pair in ends] == [(0.0, 1.0)] * 3

    features.write.parquet(str(tmp_path / "arriving"))
    arriving = spark.readStream.schema(features.schema).parquet(str(tmp_path / "arriving"))
    placed = loaded.transform(arriving).select(batch.columns)
    query = placed.writeStream.format("memory").queryName("placed").start()
    query.processAllAvailable()
    query.stop()
    assert_df_equality(spark.table("placed"), batch, ignore_row_order=True, ignore_nullable=True, ignore_metadata=True)


@pytest.mark.parametrize("algorithm", ["kmeans", "bisecting_kmeans", "gaussian_mixture"])
def test_a_pipeline_is_loaded_as_spark_loads_it(
    spark: SparkSession, features: DataFrame, algorithm: Algorithm, tmp_path: Path
) -> None:
    preparing = PipelineModel(fit_preparation(features, NAMES, Transform(components=0.9)).transformers())
    model = ESTIMATORS[algorithm](k=3, maxIter=5, seed=1, **COLUMNS).fit(preparing.transform(features))
    PipelineModel([*preparing.stages, model]).write().save(str(tmp_path / "model"))
    expected, found = PipelineModel.load(str(tmp_path / "model")), load_pipeline(spark, str(tmp_path / "model"))
    assert [type(stage) for stage in found.stages] == [type(stage) for stage in expected.stages]
    assert_df_equality(found.transform(features), expected.transform(features))


def test_a_feature_that_is_not_in_the_table_is_named(features: DataFrame, preparing: PipelineModel) -> None:
    with pytest.raises(MissingColumnsError, match="lacks the column 'recency'"):
        score_people(features.drop("recency"), preparing, NAMES)
