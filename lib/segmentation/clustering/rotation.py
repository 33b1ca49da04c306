"""Principal components: fewer coordinates that hold most of what people differ in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pyspark.ml.feature import PCA, VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_VECTOR = "unrotated"


@dataclass(frozen=True)
class Rotation:
    """`weights`: a row a component, with a weight for each of `columns`; `middle`: the mean of each column;
    `lowest`: the least value of each component, from which it is counted, as other coordinates are."""

    columns: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    middle: tuple[float, ...]
    lowest: tuple[float, ...]

    def names(self, prefix: str) -> list[str]:
        """The components' columns, the one that holds most first."""
        return [f"{prefix}component_{number}" for number in range(1, len(self.weights) + 1)]

    def expressions(self) -> list[str]:
        """Each component as Spark SQL over the columns."""
        sums = [
            " + ".join(f"{weight!r}D * `{column}`" for weight, column in zip(row, self.columns, strict=True))
            for row in self.weights
        ]
        return [f"({terms}) - {low!r}D" for terms, low in zip(sums, self.lowest, strict=True)]

    def undo(self, components: Sequence[float]) -> list[float]:
        """The columns' values that have these components, as near as the components kept can tell."""
        weights, middle = np.array(self.weights), np.array(self.middle)
        found = np.array(components, dtype=float) + np.array(self.lowest)
        return [float(value) for value in middle + (found - weights @ middle) @ weights]


def fit_rotation(prepared: DataFrame, columns: Sequence[str], share: float) -> Rotation:
    """The fewest principal components that hold `share` of the variance, in three passes.

    In: one row a person with the `columns`. A component's sign is such that its greatest weight is positive.
    """
    vectors = VectorAssembler(inputCols=list(columns), outputCol=_VECTOR).transform(prepared)
    found = PCA(k=len(columns), inputCol=_VECTOR, outputCol="rotated").fit(vectors)
    held = np.cumsum(found.explainedVariance.toArray())
    kept = int(np.searchsorted(held, min(share, held[-1]) - 1e-12)) + 1
    weights = found.pc.toArray().T[:kept]
    weights = weights * np.sign(weights[np.arange(kept), np.abs(weights).argmax(axis=1)])[:, None]
    rows = tuple(tuple(float(weight) for weight in row) for row in weights)
    unmoved = Rotation(tuple(columns), rows, (0.0,) * len(columns), (0.0,) * kept)
    lowest = (F.min(F.expr(component)) for component in unmoved.expressions())
    found_of_all = prepared.agg(*(F.avg(column) for column in columns), *lowest).first()
    assert found_of_all is not None, "a global aggregate has one row"
    values = tuple(float(value) for value in found_of_all)
    return replace(unmoved, middle=values[: len(columns)], lowest=values[len(columns) :])
