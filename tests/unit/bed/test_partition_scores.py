"""Precision, recall and the adjusted Rand index on cases small enough to count by hand."""

from __future__ import annotations

import random

import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import adjusted_rand_score

from segmentation.bed.agreement import Agreement, compare_partitions
from segmentation.bed.identity_score import score_identity
from segmentation.contracts.errors import MissingColumnsError


def _compare(spark: SparkSession, found: str, true: str) -> Agreement:
    return compare_partitions(
        spark.createDataFrame(list(zip(found, true, strict=True)), "f string, t string"), "f", "t"
    )


def test_counts_of_a_case_by_hand(spark: SparkSession) -> None:
    # Found aaa bb c d, true xx yy z z: a holds two of x and one of y; y is split over a and b; z over b, c and d.
    got = _compare(spark, "aaabbcd", "xxyyzzz")
    assert got == Agreement(
        things=7, found_groups=4, true_groups=3, exact_groups=0, found_pairs=4, true_pairs=5, shared_pairs=1,
        split_groups=2, mixed_groups=2, widest_mix=2,
    )  # fmt: skip
    assert got.precision == 1 / 4
    assert got.recall == 1 / 5
    assert got.f1 == 2 / 9


def test_equal_partitions_agree_whatever_the_groups_are_called(spark: SparkSession) -> None:
    got = _compare(spark, "aabbbc", "zzyyyx")
    assert (got.precision, got.recall, got.adjusted_rand, got.group_precision, got.group_recall) == (1, 1, 1, 1, 1)
    assert (got.split_groups, got.mixed_groups, got.widest_mix) == (0, 0, 1)


def test_adjusted_rand_is_scikit_learns(spark: SparkSession) -> None:
    chance = random.Random(7)
    true = [chance.choice("xyz") for _ in range(300)]
    found = [label if chance.random() < 0.8 else chance.choice("xyzw") for label in true]
    got = _compare(spark, "".join(found), "".join(true)).adjusted_rand
    assert got == pytest.approx(adjusted_rand_score(true, found), abs=1e-12)


def test_no_things_are_no_disagreement(spark: SparkSession) -> None:
    got = _compare(spark, "", "")
    assert (got.things, got.precision, got.recall, got.adjusted_rand) == (0, 1, 1, 1)


TRUTH = "identifier_type string, identifier_value string, owner string, component string"
MAP = "identifier_type string, identifier_value string, person_id string"


def test_identity_of_a_case_by_hand(spark: SparkSession) -> None:
    truth = [
        ("user_id", "u1", "ann", "1"), ("cookie", "c1", "ann", "1"), ("email", "e1", "ann", "1"),
        ("cookie", "c9", "ann", "2"),  # no event ties this cookie to her others
        ("user_id", "u2", "bob", "1"), ("cookie", "c2", "bob", "1"),
        ("cookie", "kiosk", None, None),
    ]  # fmt: skip
    found = [
        ("user_id", "u1", "P"), ("cookie", "c1", "P"), ("cookie", "c9", "Q"),  # e1 is not in the map
        ("user_id", "u2", "P"), ("cookie", "c2", "R"), ("cookie", "kiosk", "P"),
    ]  # fmt: skip
    got = score_identity(spark.createDataFrame(found, MAP), spark.createDataFrame(truth, TRUTH))
    # P holds u1 c1 u2: three pairs, one right. The events allow four pairs (3 of Ann's, 1 of Bob's): one is found.
    assert got.identifiers == 6
    assert got.unmapped == 1
    assert got.pairwise_precision == pytest.approx(1 / 3)
    assert got.pairwise_recall == 1 / 4
    assert got.pairwise_f1 == pytest.approx(2 / 7)
    assert got.pairwise_recall_of_all == pytest.approx(1 / 7)
    # Found P, Q, R and e1 alone; true: Ann's three, c9 alone, Bob's two. Only Q is one of them.
    assert got.cluster_precision == 1 / 4
    assert got.cluster_recall == pytest.approx(1 / 3)
    assert got.largest_wrong_merge == 2


def test_parts_of_one_owner_that_were_put_together_are_no_mistake(spark: SparkSession) -> None:
    truth = [
        ("user_id", "u1", "ann", "1"), ("cookie", "c1", "ann", "1"), ("cookie", "c9", "ann", "2"),
        ("user_id", "u2", "bob", "1"), ("cookie", "c2", "bob", "1"), ("cookie", "c3", "bob", "2"),
    ]  # fmt: skip
    found = [
        ("user_id", "u1", "P"), ("cookie", "c1", "P"), ("cookie", "c9", "P"),
        ("user_id", "u2", "Q"), ("cookie", "c2", "R"), ("cookie", "c3", "R"),
    ]  # fmt: skip
    got = score_identity(spark.createDataFrame(found, MAP), spark.createDataFrame(truth, TRUTH))
    # P is all of Ann. Bob's first part is torn, so R, with a piece of it, is none of his; nor is Q.
    assert (got.cluster_precision, got.cluster_recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_a_table_without_persons_is_refused_by_name(spark: SparkSession) -> None:
    truth = spark.createDataFrame([], TRUTH)
    with pytest.raises(MissingColumnsError, match="the identity map lacks the column 'person_id'"):
        score_identity(truth.select("identifier_type", "identifier_value"), truth)
