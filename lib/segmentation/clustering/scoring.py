"""Scoring people with a saved model: a cluster for each, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.ml import PipelineModel
from pyspark.ml.clustering import BisectingKMeansModel, GaussianMixtureModel, KMeansModel
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.algorithms import CLUSTER, centres
from segmentation.clustering.outliers import SET_ASIDE
from segmentation.clustering.sql import number
from segmentation.clustering.tree import Node, read_tree
from segmentation.contracts.table import check_columns

_FAR = "_far"
"""ARRAY<DOUBLE>: squared distances to the clusters' centres, in the order of their numbers."""


def score_people(
    features: DataFrame, fitted: PipelineModel, names: Sequence[str], keep: Sequence[str] = (), ranked: bool = False
) -> DataFrame:
    """Places everyone, in batch or in a stream.

    In: one row a person with the model's features `names`. Out: `person_id`, the columns `keep`, `cluster` INT,
    `probability` and `margin` DOUBLE. A mixture gives the probability of the cluster, and as margin how far the next
    likely one is behind; a hard model gives no probability, and as margin 1 - d1 / d2 for the Euclidean distances to
    the own and to the nearest other centre: 0 between two clusters, 1 at the own centre. (Bisecting k-means walks
    down its tree, so that another centre may be nearer: margin 0.) With `ranked` also all clusters, the likeliest or
    nearest first, as ARRAY<INT> `ranked`, and how far each is, in the order of their numbers, as ARRAY<DOUBLE> `far`:
    squared distances, or probabilities with a minus before them. Outliers whom the model sets apart are in the cluster
    behind its own, its number of clusters, without margin and probability. Raises `MissingColumnsError`.
    """
    check_columns(features, ["person_id", *names, *keep], "the features to score")
    people = features.select("person_id", *names, *keep)
    model = fitted.stages[-1]
    if isinstance(model, GaussianMixtureModel):
        scored = fitted.transform(people)
        probabilities = vector_to_array(F.col("probability"))
        in_order = F.sort_array(probabilities, asc=False)
        probability = F.element_at(probabilities, F.col(CLUSTER) + 1)
        margin = F.element_at(in_order, 1) - F.element_at(in_order, 2)
        far = [-F.element_at(probabilities, cluster + 1) for cluster in range(len(model.weights))]
    else:
        assert isinstance(model, BisectingKMeansModel | KMeansModel), "train saves no other model"
        middles = centres(model)
        scored = _place(people, fitted, middles)
        far = [F.col(_FAR)[cluster] for cluster in range(len(middles))]
        probability, margin = F.lit(None).cast("double"), _margin(far)
    found = {CLUSTER: F.col(CLUSTER), "probability": probability, "margin": margin}
    if SET_ASIDE in scored.columns:
        found = {name: F.when(~F.col(SET_ASIDE), column) for name, column in found.items()}
        found[CLUSTER] = F.coalesce(found[CLUSTER], F.lit(len(far)))
    if ranked:
        pairs = F.array_sort(F.array(*(F.struct(d.alias("d"), F.lit(n).alias("n")) for n, d in enumerate(far))))
        found |= {"ranked": F.transform(pairs, lambda pair: pair["n"]), "far": F.array(*far)}
    return scored.select("person_id", *keep, *(column.alias(name) for name, column in found.items()))


def _place(people: DataFrame, fitted: PipelineModel, middles: Sequence[Sequence[float]]) -> DataFrame:
    """People -> the same, prepared, with the squared distances to the `middles` of all clusters, and `cluster`, as the
    hard model's own `transform` would give it. That goes from columns to vectors and through a function a row, and
    leaves the distances to be worked out again: twice the processor time."""
    assembler = fitted.stages[-2]
    assert isinstance(assembler, VectorAssembler), "what a pipeline has prepared becomes a vector before its model"
    prepared = PipelineModel(fitted.stages[:-2]).transform(people)
    coordinates = assembler.getInputCols()
    measured = prepared.withColumn(_FAR, F.array(*(_squared_distance(coordinates, middle) for middle in middles)))
    model = fitted.stages[-1]
    if isinstance(model, BisectingKMeansModel):
        return measured.withColumn(CLUSTER, _walk(read_tree(model), coordinates))
    return measured.withColumn(CLUSTER, (F.array_position(_FAR, F.array_min(_FAR)) - 1).cast("int"))


def _walk(node: Node, coordinates: Sequence[str]) -> Column:
    """The leaf to which the nearer child of each node leads, the first of two that are alike."""
    if not node.children:
        return F.lit(node.number)
    first, second = node.children
    is_first = _far_from(first, coordinates) <= _far_from(second, coordinates)
    return F.when(is_first, _walk(first, coordinates)).otherwise(_walk(second, coordinates))


def _far_from(node: Node, coordinates: Sequence[str]) -> Column:
    """The squared distance to its centre: of a leaf, which is a cluster, it is known."""
    return _squared_distance(coordinates, node.centre) if node.children else F.col(_FAR)[node.number]


def _squared_distance(coordinates: Sequence[str], middle: Sequence[float]) -> Column:
    """One expression, not a column for each of its hundred steps, each of which is a call to Java."""
    steps = (f"(`{x}` - {number(at)})" for x, at in zip(coordinates, middle, strict=True))
    return F.expr(" + ".join(f"{step} * {step}" for step in steps))


def _margin(squared: Sequence[Column]) -> Column:
    if len(squared) == 1:
        return F.lit(1.0)
    own = F.col(_FAR)[F.col(CLUSTER)]
    others = F.array_min(F.array(*(F.when(F.col(CLUSTER) != cluster, d) for cluster, d in enumerate(squared))))
    return F.when(others > own, F.lit(1.0) - F.sqrt(own / others)).otherwise(F.lit(0.0))
