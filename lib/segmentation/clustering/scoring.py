"""Scoring people with a saved model: a cluster for each, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.ml import PipelineModel
from pyspark.ml.clustering import BisectingKMeansModel, GaussianMixtureModel, KMeansModel
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.algorithms import CLUSTER, centres
from segmentation.clustering.outliers import SET_ASIDE
from segmentation.clustering.sql import number
from segmentation.clustering.tree import Node, read_tree
from segmentation.contracts.table import check_columns

HOW_SURE = ("probability", "margin", "nearest_other")
"""Columns that say how sure it is that a person is in their cluster."""

_OWN, _OTHER = "_own", "_other"
"""DOUBLE columns: how far a person's cluster is, and the nearest of the others. Of a hard model squared distances to
the centres, of a mixture probabilities with a minus before them."""

_MARGIN = f"CASE WHEN {_OTHER} > {_OWN} THEN 1D - sqrt({_OWN} / {_OTHER}) ELSE 0D END"

_INFINITE = "double('Infinity')"
"""What is nearer than this is the nearest, and where there is nothing else this is."""


def score_people(
    features: DataFrame, fitted: PipelineModel, names: Sequence[str], keep: Sequence[str] = (), ranked: bool = False
) -> DataFrame:
    """Places everyone, in batch or in a stream.

    In: one row a person with the model's features `names`. Out: `person_id`, the columns `keep`, `cluster` INT,
    `probability` and `margin` DOUBLE, `nearest_other` INT. A mixture gives the probability of the cluster, and as
    margin how far the next likely one is behind; a hard model gives no probability, and as margin 1 - d1 / d2 for the
    Euclidean distances to the own and to the nearest other centre: 0 between two clusters, 1 at the own centre.
    (Bisecting k-means walks down its tree, so that another centre may be nearer: margin 0.) `nearest_other` is the
    cluster to which the margin is. With `ranked` also all clusters, the likeliest or nearest first, as ARRAY<INT>
    `ranked`, and how far each is, in the order of their numbers, as ARRAY<DOUBLE> `far`: squared distances, or
    probabilities with a minus before them. Outliers whom the model sets apart are in the cluster behind its own, its
    number of clusters, without margin, probability and nearest. Raises `MissingColumnsError`.
    """
    check_columns(features, ["person_id", *names, *keep], "the features to score")
    people = features.select("person_id", *names, *keep)
    model = fitted.stages[-1]
    if isinstance(model, GaussianMixtureModel):
        clusters = range(len(model.weights))
        scored = _weigh(people, fitted, clusters)
        probability, margin = F.expr(f"0D - {_OWN}"), F.expr(f"{_OTHER} - {_OWN}")
    else:
        assert isinstance(model, BisectingKMeansModel | KMeansModel), "train saves no other model"
        middles = centres(model)
        clusters = range(len(middles))
        scored = _place(people, fitted, middles)
        probability, margin = F.lit(None).cast("double"), F.expr(_MARGIN)
    others = (f"CASE WHEN {CLUSTER} <> {cluster} THEN {_far(cluster)} END" for cluster in clusters)
    scored = scored.withColumn(_OTHER, F.expr(_least(others)))
    nearest = " ".join(f"WHEN {CLUSTER} <> {n} AND {_far(n)} = {_OTHER} THEN {n}" for n in clusters)
    sure = zip(HOW_SURE, (probability, margin, F.expr(f"CASE {nearest} END")), strict=True)
    found = {CLUSTER: F.col(CLUSTER), **dict(sure)}
    if SET_ASIDE in scored.columns:
        found = {name: F.when(~F.col(SET_ASIDE), column) for name, column in found.items()}
        found[CLUSTER] = F.coalesce(found[CLUSTER], F.lit(len(clusters)))
    if ranked:
        far = [F.col(_far(cluster)) for cluster in clusters]
        pairs = F.array_sort(F.array(*(F.struct(d.alias("d"), F.lit(n).alias("n")) for n, d in enumerate(far))))
        found |= {"ranked": F.transform(pairs, lambda pair: pair["n"]), "far": F.array(*far)}
    return scored.select("person_id", *keep, *(column.alias(name) for name, column in found.items()))


def _weigh(people: DataFrame, fitted: PipelineModel, clusters: Sequence[int]) -> DataFrame:
    """People -> the same with `cluster`, as the mixture gives it, and how far each cluster and the own one is."""
    likely = fitted.transform(people).withColumn("_likely", vector_to_array(F.col("probability")))
    weighed = likely.selectExpr("*", *(f"0D - _likely[{cluster}] AS {_far(cluster)}" for cluster in clusters))
    return weighed.withColumn(_OWN, F.expr(f"0D - _likely[{CLUSTER}]"))


def _place(people: DataFrame, fitted: PipelineModel, middles: Sequence[Sequence[float]]) -> DataFrame:
    """People -> the same, prepared, with `cluster`, as the hard model's own `transform` would give it, and squared
    distances: to the `middles` of all clusters, and of the own. The model goes from columns to
    vectors and through a function a row, and leaves distances to be worked out again: twice the processor time. Each
    distance is a column, as an array of them would be filled and read again for each person: a third on top."""
    assembler = fitted.stages[-2]
    assert isinstance(assembler, VectorAssembler), "what a pipeline has prepared becomes a vector before its model"
    coordinates, clusters = assembler.getInputCols(), range(len(middles))
    # One by one: a pipeline asks each of its stages for the schema first, which is as much work again.
    prepared = reduce(lambda rows, stage: stage.transform(rows), fitted.stages[:-2], people)
    distances = (f"{_squared_distance(coordinates, middles[cluster])} AS {_far(cluster)}" for cluster in clusters)
    measured = prepared.selectExpr("*", *distances)
    model = fitted.stages[-1]
    if isinstance(model, BisectingKMeansModel):
        own = " ".join(f"WHEN {cluster} THEN {_far(cluster)}" for cluster in clusters)
        placed = measured.withColumn(CLUSTER, F.expr(_walk(read_tree(model), coordinates)))
        return placed.withColumn(_OWN, F.expr(f"CASE {CLUSTER} {own} END"))
    first = " ".join(f"WHEN {_far(cluster)} = {_OWN} THEN {cluster}" for cluster in clusters)
    placed = measured.withColumn(_OWN, F.expr(_least(map(_far, clusters))))
    return placed.withColumn(CLUSTER, F.expr(f"CASE {first} ELSE {len(middles) - 1} END"))


def _walk(node: Node, coordinates: Sequence[str]) -> str:
    """The leaf to which the nearer child of each node leads, the first of two that are alike."""
    if not node.children:
        return str(node.number)
    first, second = node.children
    is_first = f"{_far_from(first, coordinates)} <= {_far_from(second, coordinates)}"
    return f"CASE WHEN {is_first} THEN {_walk(first, coordinates)} ELSE {_walk(second, coordinates)} END"


def _far(cluster: int) -> str:
    """DOUBLE column: how far a cluster is."""
    return f"_far_{cluster}"


def _far_from(node: Node, coordinates: Sequence[str]) -> str:
    """The squared distance to its centre: of a leaf, which is a cluster, it is known."""
    return _squared_distance(coordinates, node.centre) if node.children else _far(node.number)


def _squared_distance(coordinates: Sequence[str], middle: Sequence[float]) -> str:
    """Each difference once from either side: of what stands twice Spark makes a function and a field of its own, where
    Java works out such a sum on the way, in two thirds of the time."""
    pairs = zip(coordinates, map(number, middle), strict=True)
    return f"0D - ({' + '.join(f'(`{x}` - {at}) * ({at} - `{x}`)' for x, at in pairs)})"


def _least(numbers: Iterable[str]) -> str:
    return f"least({', '.join((*numbers, _INFINITE))})"
