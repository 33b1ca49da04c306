"""Which features tell others, and which tell an attribute, on a fixed sample of the people.

Values enter as their place among twenty equal parts of the people, so that neither outliers nor the shape of a
distribution matter: correlations are rank correlations. Places are whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import sqrt

import numpy as np
from pyspark.ml.feature import Bucketizer, VectorAssembler
from pyspark.ml.stat import Correlation
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

SAMPLE = 20_000
"""People that are looked at, at most: a correlation is then within 0.015."""

FEWEST = 30
"""People below whom any two features may look alike, or one the same for all."""

_BUCKETS = 1_000_000
_LEVELS = 100
"""Values of an attribute that are looked at, the commonest first."""

_DIGITS = 3


@contextmanager
def places(features: DataFrame, percentiles: Mapping[str, Sequence[float]], people: int) -> Iterator[DataFrame]:
    """The sample, kept in memory in the block: one row a person with `person_id` and a place (0 to 19) a feature.

    `percentiles` are the 101 of each feature that is compared. Who has no value stands in the middle.
    """
    share = min(1.0, SAMPLE / max(people, 1))
    rows = features.where(F.pmod(F.xxhash64("person_id"), F.lit(_BUCKETS)) < F.lit(int(share * _BUCKETS)))
    filled = rows.select("person_id", *(F.coalesce(F.col(n), F.lit(p[50])).alias(n) for n, p in percentiles.items()))
    splits = [[float("-inf"), *sorted(set(p[5:100:5])), float("inf")] for p in percentiles.values()]
    placed = {name: f"{name} place" for name in percentiles}
    cut = Bucketizer(inputCols=list(placed), outputCols=list(placed.values()), splitsArray=splits).transform(filled)
    sample = cut.select("person_id", *(F.col(f"`{to}`").alias(name) for name, to in placed.items())).persist()
    try:
        yield sample
    finally:
        sample.unpersist()


def correlate(sample: DataFrame, names: Sequence[str], beyond: float) -> dict[tuple[str, str], float]:
    """Rank correlations beyond a limit in either direction, by the two features' names in the order of `names`."""
    vectors = VectorAssembler(inputCols=list(names), outputCol="vector").transform(sample)
    row = Correlation.corr(vectors, "vector").first()
    assert row is not None, "a correlation has one row"
    matrix = np.triu(row[0].toArray().round(_DIGITS), k=1)
    strong = zip(*np.nonzero(np.abs(matrix) > beyond), strict=True)
    return {(names[i], names[j]): float(matrix[i, j]) for i, j in strong}


def associate(sample: DataFrame, names: Sequence[str], persons: DataFrame, attribute: str) -> dict[str, float]:
    """How well each feature tells an attribute of `persons`: the correlation ratio, 0 to 1, corrected for the number
    of groups (epsilon squared's root). People of whom the attribute is not known are left out."""
    value = F.col("attributes")[attribute]
    known = persons.where(value.isNotNull()).select("person_id", value.alias("level"))
    sums = [column for name in names for column in (F.sum(name), F.sum(F.col(name) * F.col(name)))]
    groups = sample.join(known, "person_id").groupBy("level").agg(F.count("*"), *sums)
    rows = [tuple(row)[1:] for row in groups.orderBy(F.desc("count(1)"), "level").limit(_LEVELS).collect()]
    people = sum(row[0] for row in rows)
    if people < FEWEST or len(rows) < 2:
        return {}
    found = {}
    for number, name in enumerate(names):
        total = sum(row[1 + 2 * number] for row in rows)
        within = sum(row[2 + 2 * number] - row[1 + 2 * number] ** 2 / row[0] for row in rows)
        overall = sum(row[2 + 2 * number] for row in rows) - total**2 / people
        if overall > 0 and people > len(rows):
            told = 1 - (within / (people - len(rows))) / (overall / (people - 1))
            found[name] = round(sqrt(max(told, 0.0)), _DIGITS)
    return found
