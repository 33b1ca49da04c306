"""A few conditions that tell a segment from the others: the paths of one shallow decision tree over everyone.

The tree is a stand-in for the model, fitted on the segments that the model gave. How often it agrees with the model
(its fidelity) is counted over all people, with the thresholds as they are shown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, Literal

from pyspark.ml.classification import DecisionTreeClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.contracts.table import check_columns
from segmentation.profiles.statistics import SegmentStatistics
from segmentation.profiles.wording import listed, quantity

DEPTH = 4
"""Conditions on the way to a leaf, at most."""

SAMPLE = 10_000
"""People that the tree is grown on: up to here Spark looks at every value for a split, and draws none at random."""

SMALLEST_LEAF = 0.01
"""Share of the sample below which a condition is not worth telling."""


@dataclass(frozen=True, order=True)
class Condition:
    """One comparison of a feature with a number in the feature's unit."""

    feature: str
    operator: Literal["<=", ">"]
    value: float


@dataclass(frozen=True)
class Rule:
    """Conditions that hold together: the people who fulfil them, and how many of these are in the segment."""

    conditions: tuple[Condition, ...]
    people: int
    right: int


@dataclass(frozen=True)
class SegmentRules:
    """The rules of one segment, those that find most of its people first. Shares are 0 to 1."""

    rules: tuple[Rule, ...]
    fidelity: float
    """Share of all people whom the whole tree puts where the model does."""
    precision: float | None
    """Of the people who fulfil one of the rules, the share in the segment; None where there is no rule."""
    recall: float
    """Of the segment's people, the share who fulfil one of the rules."""


@dataclass(frozen=True)
class _Leaf:
    conditions: tuple[Condition, ...]
    segment_id: str


def find_rules(
    assigned: DataFrame, features: DataFrame, statistics: Sequence[SegmentStatistics], names: Sequence[str]
) -> dict[str, SegmentRules]:
    """Segment id -> its rules, over the features `names`.

    In: one row a person (`person_id`, `segment_id`); one row a person with the features; what `profile_segments`
    found on the same rows. An unknown value counts as the median of everyone. A segment that the tree never
    predicts has no rules. Raises `MissingColumnsError`.
    """
    check_columns(assigned, ["person_id", "segment_id"], "the assigned people")
    check_columns(features, ["person_id", *names], "the features")
    known = [name for name in names if statistics and statistics[0].features[name].everyone_median is not None]
    people = assigned.select("person_id", "segment_id").join(
        features.select("person_id", *(_filled(name, statistics).alias(name) for name in known)), "person_id"
    )
    ids = sorted(segment.segment_id for segment in statistics)
    leaves = _grow(people, known, statistics) if known and len(ids) > 1 else [_Leaf((), segment) for segment in ids[:1]]
    return _judge(people, leaves, statistics)


def rules_json(rules: SegmentRules, catalogue: Mapping[str, FeatureInfo]) -> str:
    """For `segment_profiles.rules`: any of the rules, each all of its conditions, and the same in words."""
    return json.dumps(
        {
            "fidelity": round(rules.fidelity, 4),
            "precision": None if rules.precision is None else round(rules.precision, 4),
            "recall": round(rules.recall, 4),
            "any_of": [
                {
                    "all_of": [
                        {"feature": c.feature, "operator": c.operator, "value": c.value} for c in rule.conditions
                    ],
                    "people": rule.people,
                    "right": rule.right,
                    "text": describe_rule(rule, catalogue),
                }
                for rule in rules.rules
            ],
        },
        ensure_ascii=False,
    )


def describe_rule(rule: Rule, catalogue: Mapping[str, FeatureInfo]) -> str:
    """`Spend more than 1,200 and days since last visit at most 14`."""
    bounds: dict[str, dict[str, float]] = {}
    for condition in rule.conditions:
        bounds.setdefault(condition.feature, {})[condition.operator] = condition.value
    said = []
    for name, bound in bounds.items():
        info = catalogue.get(name) or FeatureInfo(name, name.replace("_", " "), "", "", "", "", "")
        compared = _compared(bound.get(">"), bound.get("<="), info.unit)
        said.append(f"{info.label[:1].lower()}{info.label[1:]} {compared}")
    text = listed(said) or "everyone"
    return text[:1].upper() + text[1:]


def _compared(low: float | None, high: float | None, unit: str) -> str:
    if low is not None and high is not None:
        return f"between {quantity(low, unit if unit == 'share' else '')} and {quantity(high, unit)}"
    return f"at most {quantity(high, unit)}" if high is not None else f"more than {quantity(low or 0.0, unit)}"


def _filled(name: str, statistics: Sequence[SegmentStatistics]) -> Column:
    value = F.col(name)
    known = F.when(F.abs(value) <= F.lit(float(2**1023)), value)
    return F.coalesce(known, F.lit(statistics[0].features[name].everyone_median))


def _grow(people: DataFrame, names: Sequence[str], statistics: Sequence[SegmentStatistics]) -> list[_Leaf]:
    """The leaves of a tree over a fixed sample, in one partition and one order, so that it is always the same tree."""
    ids = sorted(segment.segment_id for segment in statistics)
    sizes = {segment.segment_id: segment.size for segment in statistics}
    label = F.array_position(F.array(*map(F.lit, ids)), F.col("segment_id")).cast("double") - 1.0
    # The square root keeps small segments from being drowned without making them as loud as large ones.
    weights = F.array(*(F.lit(1 / sqrt(sizes[segment])) for segment in ids))
    sample = (
        people.orderBy(F.xxhash64("person_id"), "person_id")
        .limit(SAMPLE)
        .select(*names, label.alias("label"))
        .withColumn("weight", F.element_at(weights, F.col("label").cast("int") + 1))
        .coalesce(1)
    )
    tree = DecisionTreeClassifier(
        maxDepth=DEPTH,
        maxBins=64,
        minWeightFractionPerNode=SMALLEST_LEAF,
        weightCol="weight",
        featuresCol="vector",
        cacheNodeIds=False,
        seed=0,
    ).fit(
        VectorAssembler(inputCols=list(names), outputCol="vector").transform(sample).select("vector", "label", "weight")
    )
    return list(_leaves(tree._call_java("rootNode"), (), names, ids))


def _leaves(node: Any, path: tuple[Condition, ...], names: Sequence[str], ids: Sequence[str]) -> Iterator[_Leaf]:
    if node.getClass().getSimpleName() == "LeafNode":
        yield _Leaf(path, ids[int(node.prediction())])
        return
    name, threshold = names[node.split().featureIndex()], float(f"{node.split().threshold():.3g}")
    yield from _leaves(node.leftChild(), (*path, Condition(name, "<=", threshold)), names, ids)
    yield from _leaves(node.rightChild(), (*path, Condition(name, ">", threshold)), names, ids)


def _judge(
    people: DataFrame, leaves: Sequence[_Leaf], statistics: Sequence[SegmentStatistics]
) -> dict[str, SegmentRules]:
    """Counts the people of each segment in each leaf, in one pass."""
    leaf = F.lit(-1)
    for position, candidate in enumerate(leaves):
        leaf = F.when(_fulfils(candidate.conditions), F.lit(position)).otherwise(leaf)
    counted = {
        (row["leaf"], row["segment_id"]): row["people"]
        for row in people.groupBy(leaf.alias("leaf"), "segment_id").agg(F.count("*").alias("people")).collect()
    }
    in_leaf, in_segment = Counter[int](), Counter[str]()
    for (position, segment_id), count in counted.items():
        in_leaf[position] += count
        in_segment[segment_id] += count
    right = sum(counted.get((position, leaf.segment_id), 0) for position, leaf in enumerate(leaves))
    fidelity = right / max(sum(in_leaf.values()), 1)
    found = {}
    for segment in statistics:
        own = [
            Rule(_tightest(leaf.conditions), in_leaf[position], counted.get((position, segment.segment_id), 0))
            for position, leaf in enumerate(leaves)
            if leaf.segment_id == segment.segment_id
        ]
        rules = tuple(sorted((rule for rule in own if rule.right), key=lambda rule: (-rule.right, rule.conditions)))
        reached, hits = sum(rule.people for rule in rules), sum(rule.right for rule in rules)
        found[segment.segment_id] = SegmentRules(
            rules=rules,
            fidelity=fidelity,
            precision=hits / reached if reached else None,
            recall=hits / max(in_segment[segment.segment_id], 1),
        )
    return found


def _fulfils(conditions: Sequence[Condition]) -> Column:
    fulfilled = F.lit(True)
    for condition in conditions:
        value = F.col(condition.feature)
        fulfilled &= value <= condition.value if condition.operator == "<=" else value > condition.value
    return fulfilled


def _tightest(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """One condition a feature and side, features in the order of the tree."""
    bounds: dict[tuple[str, str], float] = {}
    for c in conditions:
        before = bounds.get((c.feature, c.operator), inf if c.operator == "<=" else -inf)
        bounds[c.feature, c.operator] = min(before, c.value) if c.operator == "<=" else max(before, c.value)
    return tuple(Condition(feature, operator, value) for (feature, operator), value in bounds.items())  # type: ignore[arg-type]
