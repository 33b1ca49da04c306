"""Whether people moved between two versions of the segments for the cause that is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns


@dataclass(frozen=True)
class CauseScore:
    """People who moved, of whom the world knows why."""

    moves_of_known_cause: int
    cause_right: float
    """Share of these whose cause in `segment_changes` is one that the world knows; 0 where there are none."""


def score_causes(
    changes: DataFrame,
    mains: DataFrame,
    latent: DataFrame,
    late: DataFrame,
    regrouped: DataFrame,
    days: tuple[date, date],
) -> CauseScore:
    """Compares the causes of the moves between two versions with what happened in the world.

    Whose latent segment changed between the `days` of the two versions moved by `behaviour`; of others the world cannot
    say whether they behaved otherwise. Where both are of one day, nobody did: who has rows that came in between moved
    by `late_data`, whose identifiers were regrouped by `identity`, who has both by either, and of whom nothing else is
    known by a `refit` or a `rule`, or by one of these. Of who is in one version only nothing is asked.

    In: rows of `segment_changes` of the later version; `mains`: `owner`, a true person, and their `person_id`;
    `truth.tell_segments`; true people (`owner`) with rows that came late; and people (`person_id`) who were regrouped.
    """
    check_columns(changes, {"person_id", "from_segment_id", "to_segment_id", "cause"}, "the changes")
    before, now = days
    moved = changes.where("from_segment_id IS NOT NULL AND to_segment_id IS NOT NULL").join(mains, "person_id")
    if before < now:
        changed = F.col("changed_on").between(F.date_add(F.lit(before), 1), F.lit(now))
        behaved = latent.where(changed).select(F.col("person").cast("string").alias("owner"))
        known = moved.join(behaved, "owner").withColumn("why", F.array(F.lit("behaviour")))
    else:
        known = (
            moved.join(_marked(late.select("owner"), "late_data"), "owner", "left")
            .join(_marked(regrouped.select("person_id"), "identity"), "person_id", "left")
            .withColumn("why", F.array_compact(F.array("late_data", "identity", F.lit("refit"), F.lit("rule"))))
        )
    row = known.agg(F.count("*").alias("known"), F.count_if(_is_right()).alias("right")).first()
    assert row is not None, "an aggregate without groups has one row"
    return CauseScore(row["known"], row["right"] / row["known"] if row["known"] else 0.0)


def _marked(who: DataFrame, cause: str) -> DataFrame:
    return who.distinct().withColumn(cause, F.lit(cause))


def _is_right() -> Column:
    return F.array_contains("why", F.col("cause"))
