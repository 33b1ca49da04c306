"""Agreement of partitions, against scikit-learn."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from sklearn.metrics import adjusted_rand_score

from segmentation.clustering.agreement import adjusted_rand_index, best_jaccard, count_together, jaccard


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=40))
def test_adjusted_rand_index_is_scikit_learns(people: list[tuple[int, int]]) -> None:
    ones, others = [one for one, _ in people], [other for _, other in people]
    expected = adjusted_rand_score(ones, others) if people else 1.0
    assert adjusted_rand_index(Counter(people)) == pytest.approx(expected, abs=1e-12)


def test_jaccard_counts_people_in_both_against_people_in_either() -> None:
    together = {("a", 0): 6, ("a", 1): 2, ("b", 1): 4}
    assert jaccard(together) == {("a", 0): 6 / 8, ("a", 1): 2 / 12, ("b", 1): 4 / 6}
    assert best_jaccard(together) == {"a": 6 / 8, "b": 4 / 6}


def test_all_pairs_of_labels_are_counted_in_one_pass(spark: SparkSession) -> None:
    labelled = spark.createDataFrame([(0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 1)], "a int, b int, c int")
    assert count_together(labelled, [("a", "b"), ("c", "a")]) == [
        {(0, 0): 1, (0, 1): 1, (1, 1): 2},
        {(1, 0): 2, (1, 1): 2},
    ]
    assert count_together(labelled, []) == []
