"""Rules on top of the model: who is in a segment, or is not, by decision."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.agreement import adjusted_rand_index
from segmentation.clustering.algorithms import CLUSTER
from segmentation.clustering.scoring import HOW_SURE
from segmentation.config.model import NAME
from segmentation.config.segments import SegmentRule, SegmentSettings
from segmentation.contracts.errors import ConfigError
from segmentation.contracts.table import check_columns
from segmentation.segments.membership import method_of, model_segment, nearest_segment
from segmentation.segments.named import find_segment, find_segments, unknown_segments


def resolve_rules(settings: SegmentSettings, segments: Collection[str], names: Mapping[str, str]) -> list[SegmentRule]:
    """The rules, with ids where names of segments stand.

    `segments`: ids of the model's segments now; `names`: id -> name in the versions so far. Raises `ConfigError` with
    every segment that is neither, nor one that a rule makes.
    """
    named, ids = {**names, **settings.names}, [*segments, *names, settings.fallback.segment_id]
    # Of two that had one name in turn, the one that is there is meant, and so comes first.
    known = {segment: named.get(segment, segment) for segment in ids}
    made = [rule.into for rule in settings.rules if rule.into and find_segment(rule.into, known) is None]
    known |= {segment: segment for segment in made if re.fullmatch(NAME, segment)}
    problems, resolved = [], []
    for number, rule in enumerate(settings.rules):
        found: dict[str, object] = {}
        for key, wanted in (("of", rule.of), ("into", rule.into), ("not_in", rule.not_in)):
            texts = [wanted] if isinstance(wanted, str) else wanted or []
            problems += unknown_segments(texts, known, f"segments.rules.{number}.{key}")
            by_id = find_segments(texts, known)
            found[key] = by_id if key == "of" else next(iter(by_id), None)
        resolved.append(rule.model_copy(update=found))
    if problems:
        raise ConfigError(problems)
    return resolved


def own_names(rules: Sequence[SegmentRule], segments: Collection[str]) -> dict[str, str]:
    """Id -> name of the segments that rules make beside the model's, unless somebody gives them another: `at_risk` is
    At risk."""
    own = {rule.into for rule in rules if rule.into is not None} - set(segments)
    return {segment: segment.replace("_", " ").capitalize() for segment in sorted(own)}


def emptied_segments(rules: Sequence[SegmentRule], segments: Collection[str], settings: SegmentSettings) -> set[str]:
    """The model's segments that nobody is in on purpose: merged into others, or, where rules alone place people, named
    by none."""
    if settings.placed_by == "rules":
        return set(segments) - {rule.into for rule in rules}
    return {segment for rule in rules for segment in rule.merged}


def decide_segments(
    placed: DataFrame, segments: Mapping[int, str], rules: Sequence[SegmentRule], settings: SegmentSettings
) -> DataFrame:
    """Everyone's segment by rules and model.

    In: what `place_people` gives with these rules, by id; the segment of each cluster. Out: as of `name_clusters`;
    `method` is `rule` and `rule` names it where a rule decided, and what the model says of how sure it is is null
    there. `model_segment_id` is where the model alone would have the person.

    What forbids a segment holds for the model and for the rules below it; of the rules that take into a segment the
    first that may does.
    """
    check_columns(placed, ["person_id", CLUSTER, *HOW_SURE, "ranked", "meets"], "the placed people")
    fallback = settings.fallback.segment_id
    by_model = model_segment(segments, settings)
    applies = [
        F.get("meets", F.lit(number)) & (by_model.isin(rule.of) if rule.of else F.lit(True))
        for number, rule in enumerate(rules)
    ]
    forbids = [number for number, rule in enumerate(rules) if rule.not_in is not None]

    def is_forbidden(segment: str, above: int) -> Column:
        against = (applies[n] for n in forbids if n < above and rules[n].not_in == segment)
        return reduce(or_, against, F.lit(False))

    into, by_rule = F.when(F.lit(False), F.lit(fallback)), F.when(F.lit(False), F.lit(""))
    for number, rule in enumerate(rules):
        if rule.into is not None:
            takes = applies[number] & ~is_forbidden(rule.into, number)
            into, by_rule = into.when(takes, F.lit(rule.into)), by_rule.when(takes, F.lit(rule.name))

    rule_name, segment = by_rule, into
    if settings.placed_by == "model":
        kept_out = F.when(F.lit(False), F.lit(""))
        for number in forbids:
            kept_out = kept_out.when(applies[number] & (by_model == rules[number].not_in), F.lit(rules[number].name))
        closed = F.array(F.lit(None).cast("string"), *(F.when(applies[n], F.lit(rules[n].not_in)) for n in forbids))
        by_number = F.array(*(F.lit(segments[cluster]) for cluster in sorted(segments)))
        nearest_first = F.transform("ranked", lambda cluster: F.get(by_number, cluster))
        still_open = F.filter(nearest_first, lambda near: ~F.array_contains(F.array_compact(closed), near))
        rule_name = F.coalesce(by_rule, kept_out)
        segment = F.coalesce(into, F.when(kept_out.isNull(), by_model).otherwise(F.get(still_open, F.lit(0))))
    method = F.when(F.col("rule").isNotNull(), "rule").otherwise(method_of(F.col("segment_id"), settings))
    decided = placed.select(
        "person_id",
        F.coalesce(segment, F.lit(fallback)).alias("segment_id"),
        rule_name.alias("rule"),
        by_model.alias("model_segment_id"),
        "probability",
        "margin",
        nearest_segment(segments).alias("nearest_segment_id"),
    ).withColumn("method", method)
    sure = ("probability", "margin", "nearest_segment_id")
    of_model = [F.when(F.col("method") == "model", F.col(name)).alias(name) for name in sure]
    return decided.select("person_id", "segment_id", *of_model, "method", "rule", "model_segment_id")


def count_decisions(decided: DataFrame) -> dict[str, float]:
    """How many people each rule decided of (`rule_NAME`), all of them (`by_rule`), and how far the segments agree with
    the model's alone (`model_agreement`, the adjusted Rand index), in one pass.

    In: what `decide_segments` gives.
    """
    counted = decided.groupBy("rule", "segment_id", "model_segment_id").count().collect()
    people, together = Counter[str | None](), Counter[tuple[Hashable, Hashable]]()
    for row in counted:
        people[row["rule"]] += row["count"]
        together[row["segment_id"], row["model_segment_id"]] += row["count"]
    each = {f"rule_{rule}": float(count) for rule, count in people.items() if rule is not None}
    return {**each, "by_rule": sum(each.values()), "model_agreement": adjusted_rand_index(together)}
