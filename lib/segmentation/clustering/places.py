"""A value as its place among the people: 0 for the lowest, 1 for the highest, by quantiles that were learnt.

Between two quantiles the place rises in a straight line. A value that is several quantiles at once, since many people
have it, stands in the middle of them, but at either end at the end, as in scikit-learn's `QuantileTransformer`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segmentation.clustering.sql import number

STEPS = 100
"""So many equal parts of the people lie between the quantiles."""


def place_sql(value: str, quantiles: Sequence[float]) -> str:
    """The place as Spark SQL over an expression that is nowhere beyond the first and the last quantile."""
    values = sorted(set(quantiles))
    first = [quantiles.index(each) / STEPS for each in values]
    last = [1 - list(reversed(quantiles)).index(each) / STEPS for each in values]
    at = [0.0, *((low + high) / 2 for low, high in zip(first[1:-1], last[1:-1], strict=True)), 1.0]
    rise = [(first[place + 1] - last[place]) / (values[place + 1] - values[place]) for place in range(len(values) - 1)]
    knots = _array(values)
    place = f"size(filter({knots}, knot -> knot <= x))"
    knot, on_it, start, slope = (f"element_at({_array(of)}, i)" for of in (values, at, last, [*rise, 0.0]))
    here = f"CASE WHEN x = {knot} THEN {on_it} ELSE {start} + (x - {knot}) * {slope} END"
    by_place = f"transform(array({place}), i -> {here})"
    return f"flatten(transform(array({value}), x -> {by_place}))[0]"


def value_at(place: float, quantiles: Sequence[float]) -> float:
    """The value that has this place, between two quantiles in a straight line."""
    return float(np.interp(place, np.linspace(0, 1, len(quantiles)), quantiles))


def _array(values: Sequence[float]) -> str:
    return f"array({', '.join(map(number, values))})"
