"""How well stitching recovered who is who."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from segmentation.bed.agreement import compare_partitions
from segmentation.contracts.table import check_columns


@dataclass(frozen=True)
class IdentityScore:
    """Figures over the identifiers of which the truth knows the owner."""

    identifiers: int
    unmapped: int
    """Known identifiers that the identity map does not have; each counts as a person of its own."""
    pairwise_precision: float
    pairwise_recall: float
    """Of the pairs that the events allow to be found: some chain of one owner's events ties them together."""
    pairwise_f1: float
    pairwise_recall_of_all: float
    """Of all pairs of one owner, those included that no event ties together."""
    cluster_precision: float
    """Of the persons, those that are one owner's identifiers: all that some chain ties together, or more of theirs."""
    cluster_recall: float
    """The same, of the sets of one owner's identifiers that ties, or the found person, hold together."""
    cluster_f1: float
    largest_wrong_merge: int
    """Owners in the person that holds the most; 1: nobody was merged with anybody."""

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def score_identity(identity_map: DataFrame, truth: DataFrame) -> IdentityScore:
    """Compares the persons of `identity_map` with the owners in `truth`.

    In: `identity_map` one row an identifier (`identifier_type`, `identifier_value`, `person_id`); `truth` one row an
    identifier (`identifier_type`, `identifier_value` as the map has them, `owner`, `component`; an identifier without
    an owner belongs to nobody and is left out). Pairs are counted from contingency tables: never quadratic.
    """
    joined = _set_beside(identity_map, truth).localCheckpoint()
    by_owner = compare_partitions(joined, "person", "owner")
    by_tie = compare_partitions(joined, "person", "tied")
    whole = compare_partitions(_with_parts_put_together(joined), "person", "whole")
    unmapped = joined.where("is_unmapped").count()
    # Two unconnected parts of one owner that were put together all the same are no mistake, so precision is by owner.
    precision, recall = by_owner.precision, by_tie.recall
    return IdentityScore(
        identifiers=by_owner.things,
        unmapped=unmapped,
        pairwise_precision=precision,
        pairwise_recall=recall,
        pairwise_f1=_harmonic_mean(precision, recall),
        pairwise_recall_of_all=by_owner.recall,
        cluster_precision=whole.group_precision,
        cluster_recall=whole.group_recall,
        cluster_f1=_harmonic_mean(whole.group_precision, whole.group_recall),
        largest_wrong_merge=by_owner.widest_mix,
    )


def _harmonic_mean(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def score_records(identity_map: DataFrame, truth: DataFrame) -> dict[str, float]:
    """How well the records of people who stand in them more than once were brought together, whatever did it: precision
    and recall over all pairs, of identifiers that are records alone. In: as for `score_identity`."""
    found = compare_partitions(_set_beside(identity_map, truth), "person", "owner")
    return {"records": found.things, "precision": found.precision, "recall": found.recall}


def _set_beside(identity_map: DataFrame, truth: DataFrame) -> DataFrame:
    """One row an identifier that has an owner: `person` that it is in (alone where the map does not have it:
    `is_unmapped`), `owner`, and `tied`, the part of the owner's identifiers that events tie together."""
    check_columns(identity_map, {"identifier_type", "identifier_value", "person_id"}, "the identity map")
    check_columns(truth, {"identifier_type", "identifier_value", "owner", "component"}, "the true owners")
    key = ["identifier_type", "identifier_value"]
    alone = F.concat_ws(":", F.lit("unmapped"), *key)
    return (
        truth.where(F.col("owner").isNotNull())
        .join(identity_map.select(*key, "person_id"), key, "left")
        .select(
            F.coalesce("person_id", alone).alias("person"),
            F.col("owner").cast("string").alias("owner"),
            F.concat_ws(":", "owner", "component").alias("tied"),
            F.col("person_id").isNull().alias("is_unmapped"),
        )
    )


def _with_parts_put_together(joined: DataFrame) -> DataFrame:
    """With `whole`: the same for those parts of one owner that are in one person and nowhere else."""
    in_one = F.size(F.collect_set("person").over(Window.partitionBy("tied"))) == 1
    first = F.min(F.when(F.col("in_one"), F.col("tied"))).over(Window.partitionBy("person", "owner"))
    return joined.withColumn("in_one", in_one).withColumn(
        "whole", F.when(F.col("in_one"), first).otherwise(F.col("tied"))
    )
