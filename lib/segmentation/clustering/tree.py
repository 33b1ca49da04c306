"""Every number of clusters from one fit of bisecting k-means: its tree, cut where the splits gain the least.

A fit with k = 8 goes through all that one with k = 5 does, and each costs a job an iteration and level. Spark keeps the
tree to itself, in classes that only Java code can reach, so it is read and made there.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any

from pyspark import SparkContext
from pyspark.ml.clustering import BisectingKMeansModel


@dataclass(frozen=True, eq=False)
class Node:
    """A cluster of the tree, with the two that it was split into, if it was."""

    java: Any
    cost: float
    """Sum of the squared distances of its people to its centre."""
    children: tuple[Node, ...] = ()

    @property
    def number(self) -> int:
        """Of a leaf: its cluster's."""
        return int(self.java.index())

    @property
    def centre(self) -> list[float]:
        """In coordinates of the prepared vectors."""
        return list(self.java.center().toArray())

    @property
    def gain(self) -> float:
        """By how much the split lowers the cost."""
        return self.cost - sum(child.cost for child in self.children)

    @property
    def leaves(self) -> int:
        return sum(child.leaves for child in self.children) or 1


def read_tree(fitted: BisectingKMeansModel) -> Node:
    """The root of the fitted model's tree."""
    return _read(_java_model(fitted).root())


def cut(root: Node, k: int) -> set[Node]:
    """The `k` clusters that splitting what gains the most ends with; of two that gain alike the first in the tree.

    At every step the split is the best of those that the tree has, where Spark with a smaller k would split the
    largest clusters, alike or not. Raises `ValueError` where the tree has fewer leaves.
    """
    if k > root.leaves:
        raise ValueError(f"a tree of {root.leaves} leaves has no {k} clusters")
    clusters, order = {root}, count()
    splits = [(-root.gain, next(order), root)]
    while len(clusters) < k:
        _, _, best = heappop(splits)
        clusters.remove(best)
        for child in best.children:
            clusters.add(child)
            if child.children:
                heappush(splits, (-child.gain, next(order), child))
    return clusters


def prune(fitted: BisectingKMeansModel, root: Node, clusters: set[Node]) -> BisectingKMeansModel:
    """A model of the same kind whose leaves are `clusters`, numbered from the left as Spark does."""
    context = SparkContext.getOrCreate()
    gateway: Any = context._gateway
    spark: Any = context._jvm.org.apache.spark  # type: ignore[union-attr]
    names = spark.mllib.clustering
    leaf, branch = count(), count(-1, -1)

    def copy(node: Node) -> Any:
        children = () if node in clusters else node.children
        index = next(branch) if children else next(leaf)
        made = gateway.new_array(names.ClusteringTreeNode, len(children))
        for place, child in enumerate(children):
            made[place] = copy(child)
        middle = names.VectorWithNorm(node.java.center())
        height = node.java.height() if children else 0.0
        return names.ClusteringTreeNode(index, node.java.size(), middle, node.cost, height, made)

    parent = names.BisectingKMeansModel(copy(root), fitted.getDistanceMeasure(), sum(node.cost for node in clusters))
    pruned = BisectingKMeansModel(spark.ml.clustering.BisectingKMeansModel(fitted.uid, parent))
    fitted._copyValues(pruned)
    return pruned._set(k=len(clusters))


def _read(node: Any) -> Node:
    return Node(node, node.cost(), tuple(_read(child) for child in node.children()))


def _java_model(fitted: BisectingKMeansModel) -> Any:
    """The model inside the model. Scala spells its private accessor otherwise from version to version."""
    java: Any = fitted._java_obj
    names = (method.getName() for method in java.getClass().getMethods())
    return getattr(java, next(name for name in names if name.endswith("parentModel")))()
