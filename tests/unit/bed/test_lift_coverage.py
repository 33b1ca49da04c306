"""How often the intervals of measured lifts hold what the world's campaign really did, over many seeds."""

from __future__ import annotations

from datetime import timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.bed.campaign import assign_campaign
from segmentation.bed.chance import Chance
from segmentation.bed.clock import DAY_MS, noon
from segmentation.bed.knobs import World
from segmentation.bed.people import draw_people
from segmentation.bed.truth import tell_campaign
from segmentation.bed.visits import campaign_visit_id, list_segments
from segmentation.experiments.holdouts import CONTROL, TREATED
from segmentation.experiments.lift import Arm, compare_rates
from segmentation.experiments.outcomes import sum_outcomes

PEOPLE, SEEDS = 1500, 200
WORLD = World(people=PEOPLE)


def _seeded() -> World:
    """A world of which each person has the seed of their copy of the people, as a column where a number would be."""
    return WORLD.model_copy(update={"seed": F.floor(F.col("person") / PEOPLE).cast("int")})


def _purchases(audience: DataFrame, segments: DataFrame) -> DataFrame:
    """The true events of the window: who buys anyway does so as often as their segment visits and buys, and whom the
    campaign moved once more."""
    world = _seeded()
    chance, person, window = Chance(world.seed), F.col("person"), world.campaign.window_days
    often = F.col("visits_per_week") / 7 * window * F.col("buys")
    anyway = (
        audience.join(F.broadcast(segments.select("number", "visits_per_week", "buys")), "number")
        .where(chance.happens(1 - F.exp(-often), "buys anyway", person))
        .select("person", (chance.uniform("when", person) * window).alias("days"), F.lit("own").alias("visit"))
    )
    moved = audience.where("responds").select(
        "person", F.col("responds_after_days").alias("days"), campaign_visit_id(chance, person).alias("visit")
    )
    return anyway.unionByName(moved).select(
        "person",
        F.lit("person").alias("visitor"),
        "visit",
        F.lit("purchase").alias("event_name"),
        F.lit(0).alias("copy"),
        (noon(world, world.campaign.day) + F.floor(F.col("days") * DAY_MS)).alias("happened"),
    )


def test_intervals_hold_the_true_lift_of_19_in_20_campaigns(spark: SparkSession) -> None:
    segments = list_segments(spark, WORLD)
    copies = spark.range(SEEDS).withColumnRenamed("id", "seed")
    people = draw_people(spark, WORLD, 2).localCheckpoint().crossJoin(F.broadcast(copies))
    people = people.withColumn("person", F.col("person") + F.col("seed") * PEOPLE)
    audience = assign_campaign(people, segments, _seeded()).localCheckpoint()
    alone = assign_campaign(people.where("seed = 7"), segments, WORLD.model_copy(update={"seed": 7}))
    assert audience.intersect(alone).count() == alone.count() > 500, "a world of its own for each seed"

    events = _purchases(audience, segments).localCheckpoint()
    of_seed = F.floor(F.col("person") / PEOPLE).cast("string").alias("audience")
    truth = tell_campaign(audience, events, _seeded()).where("arm = 'treated'").groupBy(of_seed)
    added = F.avg((F.col("converts") & ~F.col("converts_anyway")).cast("int")).alias("lift")
    lifts = {row["audience"]: row["lift"] for row in truth.agg(added).collect()}

    sent = WORLD.start + timedelta(days=WORLD.campaign.day)
    in_arms = audience.select(
        of_seed,
        F.col("person").cast("string").alias("person_id"),
        F.when(F.col("arm") == "treated", TREATED).otherwise(CONTROL).alias("arm"),
        F.col("segment").alias("stratum"),
        F.lit(sent - timedelta(days=1)).alias("assigned_as_of"),
    )
    bought = events.select(
        F.col("person").cast("string").alias("person_id"),
        F.to_date(F.timestamp_millis("happened")).alias("event_date"),
        F.lit(None).cast("decimal(18,4)").alias("amount"),
    )
    sums = sum_outcomes(in_arms, bought).groupBy("audience", "arm").agg(F.sum("people"), F.sum("converted"))
    arms = {(audience, arm): Arm(people, converted, 0, 0) for audience, arm, people, converted in sums.collect()}

    assert len(lifts) == SEEDS
    found = {seed: compare_rates(arms[seed, TREATED], arms[seed, CONTROL]) for seed in lifts}
    covered = sum(found[seed].low <= lift <= found[seed].high for seed, lift in lifts.items())
    assert 0.93 <= covered / SEEDS <= 0.97
    assert sum(lifts.values()) / SEEDS > 0.03, "there is a lift to be found"
