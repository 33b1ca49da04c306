"""The engines on Spark: this project's own functions, as its stages call them, and plain GraphFrames."""

from __future__ import annotations

from pathlib import Path

from graphframes import GraphFrame
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scripts.benchmarks import AS_OF
from scripts.benchmarks.inputs import COORDINATES
from scripts.benchmarks.rivals import CLUSTERS, FEWEST, ITERATIONS, MOST, SEED

from segmentation.clustering.candidates import fit, label_column
from segmentation.clustering.preparation import VECTOR
from segmentation.clustering.saving import pipeline
from segmentation.clustering.scoring import score_people
from segmentation.clustering.selection import describe_population
from segmentation.clustering.training import train_model
from segmentation.config.clustering import Algorithm, ClusteringSettings, Clusters, Stability
from segmentation.config.feature_definition import FeatureDefinition
from segmentation.config.feature_library import LibraryName
from segmentation.config.features import FeatureSettings
from segmentation.config.identity import IdentitySettings
from segmentation.config.rules import Rule
from segmentation.config.sessions import SessionSettings
from segmentation.features.build import measure_features
from segmentation.identity.components import label_components
from segmentation.sessions.cut import cut_sessions

LIBRARY: list[LibraryName] = [
    "recency",
    "frequency",
    "monetary",
    "average_basket_value",
    "tenure",
    "purchase_days",
    "days_active",
    "events",
]
"""The features that are measured."""

SHIPPED: list[LibraryName] = [
    *LIBRARY,
    "items_per_basket",
    "interpurchase_time",
    "interpurchase_cv",
    "returns_share",
    "spend_trend",
    "inactivity",
    "active_days_last_30",
    "engagement",
    "activity_trend",
    "weekend_share",
    "morning_share",
    "evening_share",
    "platforms",
    "platform_entropy",
    "clv_frequency",
    "clv_monetary",
]
"""Shipped features of all kinds, over events."""

TEN_MORE: list[FeatureDefinition] = [
    FeatureDefinition(name="usual_amount", aggregate="median", of="amount"),
    FeatureDefinition(name="name_entropy", aggregate="entropy", of="event_name"),
    FeatureDefinition(name="favourite_name", aggregate="top_share", of="event_name"),
    FeatureDefinition(name="names", aggregate="distinct", of="event_name"),
    FeatureDefinition(name="slope", aggregate="trend", window_days=28),
    FeatureDefinition(name="faded", aggregate="decayed", of="amount", half_life_days=14),
    FeatureDefinition(name="dearest", aggregate="max", of="amount"),
    FeatureDefinition(name="first_paid", aggregate="first", of="amount"),
    FeatureDefinition(name="viewed", aggregate="count", where=Rule(event="view"), window_days=30),
    FeatureDefinition(name="searching", aggregate="share", where=Rule(event="search")),
]
"""One of each kind."""

SEARCHED = Clusters(min=FEWEST, max=MOST)
"""Numbers of clusters that are tried."""


def sessions(spark: SparkSession, source: Path, target: Path) -> None:
    """`cut_sessions` with its defaults."""
    cut_sessions(read_events(spark, source), SessionSettings(), AS_OF, ["user_id"]).write.parquet(str(target))


def features(spark: SparkSession, source: Path, target: Path) -> None:
    """`measure_features` with eight features over events."""
    _measure(spark, source, target, FeatureSettings(library=LIBRARY))


def shipped_features(spark: SparkSession, source: Path, target: Path) -> None:
    """The same with two dozen shipped features."""
    _measure(spark, source, target, FeatureSettings(library=SHIPPED))


def ten_more_features(spark: SparkSession, source: Path, target: Path) -> None:
    """The same with these and ten more, one of each kind."""
    _measure(spark, source, target, FeatureSettings(library=SHIPPED, define=TEN_MORE))


def _measure(spark: SparkSession, source: Path, target: Path, settings: FeatureSettings) -> None:
    events = read_events(spark, source)
    # No feature asks for sessions, so the second table is never looked at.
    measure_features(events, events, settings, AS_OF).write.parquet(str(target))


def components(spark: SparkSession, source: Path, target: Path) -> None:
    """`label_components` with the size for one task that is shipped."""
    most = IdentitySettings.model_fields["one_task_edges"].default
    label_components(spark.read.parquet(str(source)).persist(), most).write.parquet(str(target))


def graphframes(spark: SparkSession, source: Path, target: Path) -> None:
    """`connectedComponents` as its manual shows it."""
    connect(spark.read.parquet(str(source)).toDF("src", "dst")).write.parquet(str(target))


def connect(edges: DataFrame) -> DataFrame:
    """Which nodes of plain GraphFrames are connected. In: one edge, `src` and `dst`. Out: one `node`, `component`."""
    vertices = edges.select(F.explode(F.array("src", "dst")).alias("id")).distinct()
    return GraphFrame(vertices, edges).connectedComponents().select(F.col("id").alias("node"), "component")


def bisecting(spark: SparkSession, source: Path, target: Path) -> None:
    """One candidate of the stage `train`: bisecting k-means."""
    _cluster(spark, source, target, "bisecting_kmeans")


def mixture(spark: SparkSession, source: Path, target: Path) -> None:
    """One candidate of the stage `train`: a Gaussian mixture."""
    _cluster(spark, source, target, "gaussian_mixture")


def search(spark: SparkSession, source: Path, target: Path) -> None:
    """`train_model`, as the stage `train` calls it, without the refits of finalists."""
    people = spark.read.parquet(str(source)).withColumn("feature_set", F.lit("benchmark"))
    settings = ClusteringSettings(
        algorithms=["bisecting_kmeans", "gaussian_mixture", "kmeans"],
        k=SEARCHED,
        max_iterations=ITERATIONS,
        stability=Stability(refits=0),
    )
    names = list(COORDINATES)
    trained = train_model(people, names, describe_population(people, names), settings, lambda _: None)
    placed = score_people(people, pipeline(trained, settings), names)
    placed.select("person_id", "cluster").write.parquet(str(target))


def _cluster(spark: SparkSession, source: Path, target: Path, algorithm: Algorithm) -> None:
    people = spark.read.parquet(str(source))
    prepared = VectorAssembler(inputCols=list(COORDINATES), outputCol=VECTOR).transform(people)
    prepared = prepared.select("person_id", VECTOR).localCheckpoint()
    settings = ClusteringSettings(max_iterations=ITERATIONS, k=Clusters(min=2, max=CLUSTERS))
    (fitted,) = fit([(algorithm, CLUSTERS)], prepared, settings, SEED)
    assert fitted.model is not None, fitted.failure
    labelled = label_column(prepared, fitted.model, "cluster_found")
    labelled.select("person_id", F.col("cluster_found").alias("cluster")).write.parquet(str(target))


def read_events(spark: SparkSession, source: Path) -> DataFrame:
    """With the columns that the contract has and these events have no values in."""
    return (
        spark.read.parquet(str(source))
        .withColumn("session_key", F.lit(None).cast("string"))
        .withColumn("identifiers", F.lit(None).cast("map<string,string>"))
    )
