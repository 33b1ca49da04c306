"""How near the measured lift of the world's campaign is to what the campaign really did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns
from segmentation.experiments.holdouts import CONTROL, NO_SEGMENT, TREATED
from segmentation.experiments.lift import NOBODY, Arm, compare_rates
from segmentation.experiments.outcomes import read_outcomes, sum_outcomes

_ARMS = (TREATED, CONTROL)


@dataclass(frozen=True)
class LiftScore:
    """What the campaign added to the share of people who bought within its window, 1 being everyone."""

    people: int
    """Profiles that the mail tool assigned to an arm."""
    in_both_arms: int
    """Those of them in which people of different arms have become one; the first arm stands."""
    measured: float
    lowest: float
    highest: float
    """Ends of the 95 % interval around what was measured."""
    true: float
    """Treated people who bought, less those of them who would have anyway."""
    is_covered: int
    """1 where the interval holds the true lift, else 0."""
    segments_covered: float
    """Share of the latent segments with people in both arms whose interval holds their true lift."""


def score_lift(
    events: DataFrame, main_profiles: DataFrame, truth: DataFrame, campaign: str, window_days: int
) -> LiftScore | None:
    """Measures the campaign as its tables allow and compares it with `truth.tell_campaign`; None where nobody is in it.

    In: `events` with the `person_id` to whom each belongs; `main_profiles` one row a true person (`owner`,
    `person_id`), by which a profile's latent segment is known.
    """
    check_columns(events, {"person_id", "event_id", "event_name", "event_ts", "amount", "properties"}, "the events")
    check_columns(truth, {"person", "arm", "segment", "converts", "converts_anyway"}, "the true campaign")
    said, first = F.col("properties"), F.struct("event_ts", "event_id")
    assigned = (
        events.where((F.col("event_name") == "campaign_assigned") & (said["campaign"] == campaign))
        .groupBy("person_id")
        .agg(
            F.min_by(said["arm"], first).alias("said_arm"),
            F.count_distinct(said["arm"]).alias("arms"),
            F.min("event_ts").alias("from"),
        )
    )
    latent = truth.select(F.col("person").cast("string").alias("owner"), F.col("segment").alias("latent"))
    in_arms = (
        assigned.join(main_profiles.join(latent, "owner").select("person_id", "latent"), "person_id", "left")
        .select(
            F.lit(campaign).alias("audience"),
            "person_id",
            F.when(F.col("said_arm") == "treated", TREATED).otherwise(CONTROL).alias("arm"),
            "arms",
            "from",
            F.coalesce("latent", F.lit(NO_SEGMENT)).alias("stratum"),
            # Purchases of the window alone are given, those of the day itself among them.
            F.date_sub(F.to_date("from"), 1).alias("assigned_as_of"),
        )
        .localCheckpoint()
    )
    counts = in_arms.agg(F.count("*").alias("people"), F.count_if(F.col("arms") > 1).alias("both")).first()
    assert counts is not None, "an aggregate without groups has one row"
    if not counts["people"]:
        return None
    until = F.col("from") + F.make_dt_interval(F.lit(window_days))
    purchases = (
        events.where("event_name = 'purchase'")
        .join(in_arms.select("person_id", "from"), "person_id")
        .where((F.col("event_ts") >= F.col("from")) & (F.col("event_ts") < until))
        .select("person_id", F.to_date("event_ts").alias("event_date"), "amount")
    )
    arms = read_outcomes(sum_outcomes(in_arms, purchases))[campaign].arms
    lifts = _true_lifts(truth)
    everyone = {arm: sum((of.get(arm, NOBODY) for of in arms.values()), NOBODY) for arm in _ARMS}
    measured = compare_rates(everyone[TREATED], everyone[CONTROL])
    told = [
        _holds(arms[name], lift) for name, lift in lifts.by_segment.items() if len(arms.get(name, {})) == len(_ARMS)
    ]
    return LiftScore(
        people=counts["people"],
        in_both_arms=counts["both"],
        measured=measured.difference,
        lowest=measured.low,
        highest=measured.high,
        true=lifts.of_all,
        is_covered=int(measured.low <= lifts.of_all <= measured.high),
        segments_covered=sum(told) / len(told) if told else 1.0,
    )


@dataclass(frozen=True)
class _Lifts:
    of_all: float
    by_segment: Mapping[str, float]


def _true_lifts(truth: DataFrame) -> _Lifts:
    sums = (
        truth.where("arm = 'treated'")
        .groupBy("segment")
        .agg(
            F.count("*").alias("people"),
            F.count_if("converts").alias("with"),
            F.count_if("converts_anyway").alias("anyway"),
        )
        .collect()
    )
    people = sum(row["people"] for row in sums)
    added = sum(row["with"] - row["anyway"] for row in sums)
    by_segment = {row["segment"]: (row["with"] - row["anyway"]) / row["people"] for row in sums}
    return _Lifts(added / people if people else 0.0, by_segment)


def _holds(arms: Mapping[str, Arm], lift: float) -> bool:
    found = compare_rates(arms[TREATED], arms[CONTROL])
    return found.low <= lift <= found.high
