"""One campaign with a random holdout and a known effect."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.bed.chance import Chance
from segmentation.bed.knobs import World


def assign_campaign(people: DataFrame, segments: DataFrame, world: World) -> DataFrame:
    """One row a person in the campaign's audience: those about on its day who have an e-mail and allow marketing.

    `person`, `arm` (treated, holdout; a coin for each person), `segment` (on that day), `effect` (the chance that being
    treated brings one purchase more), `responds` (that it did), `responds_after_days` DOUBLE.
    """
    chance, campaign, person = Chance(world.seed), world.campaign, F.col("person")
    stays = F.coalesce(F.col("withdraws") > campaign.day, F.lit(True))
    allowed = F.when(F.col("allows_marketing"), stays).otherwise(
        F.coalesce(F.col("agrees") < campaign.day, F.lit(False))
    )
    about = (F.col("joined") <= campaign.day) & (F.col("left") > campaign.day)
    treated = ~chance.happens(campaign.holdout, "arm", person)
    number = F.when(F.col("changed") <= campaign.day, F.col("segment_after")).otherwise(F.col("segment"))
    return (
        people.where(F.col("email").isNotNull() & allowed & about)
        .withColumn("number", number)
        .join(F.broadcast(segments.select("number", "name", "campaign_effect")), "number")
        .select(
            "person",
            "email",
            F.when(treated, "treated").otherwise("holdout").alias("arm"),
            F.col("number"),
            F.col("name").alias("segment"),
            F.col("campaign_effect").alias("effect"),
            (treated & chance.happens(F.col("campaign_effect"), "responds", person)).alias("responds"),
            (chance.uniform("responds after", person) * campaign.window_days * 0.95).alias("responds_after_days"),
        )
    )
