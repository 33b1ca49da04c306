"""What is known of people beside their visits: the CRM extract, the marketing tool's log, consent, and who asks to be
deleted."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.bed.chance import Chance
from segmentation.bed.clock import HOUR_MS, noon
from segmentation.bed.knobs import World
from segmentation.bed.rows import complete_rows
from segmentation.bed.spelling import write_email, write_name, write_phone, write_street

PURPOSE = "marketing"
"""What people of the world are asked to consent to."""

_OPENS, _CLICKS = 0.35, 0.2


def extract_crm(people: DataFrame, world: World) -> DataFrame:
    """One row a CRM record: people who are in the CRM, some of them twice.

    The second record of a person has the older e-mail or none, another spelling, and nothing that says it is the same
    person, except a phone number at times.
    """
    chance, typing, person, copy = Chance(world.seed), world.typing, F.col("person"), F.col("record")
    keys = (person, copy)
    records = F.when(chance.happens(world.crm_twice, "crm twice", person), F.array(F.lit(1), F.lit(2))).otherwise(
        F.array(F.lit(1))
    )
    first = copy == 1
    email = F.when(first, F.col("email")).otherwise(F.col("second_email"))
    keeps_phone = first | chance.happens(0.5, "crm phone", *keys)
    keeps_user = first & chance.happens(0.6, "crm user", person)
    crm_id = F.concat(F.lit("C"), F.upper(F.substring(chance.token("crm", *keys), 1, 14)))
    rows = (
        people.where(chance.happens(world.crm, "in crm", person))
        .withColumn("record", F.explode(records))
        .select(
            F.lit("crm").alias("source"),
            F.concat(F.lit(f"{world.world_id}-"), crm_id).alias("event_id"),
            F.lit("crm_record").alias("event_name"),
            noon(world, F.col("joined")).alias("happened"),
            "person",
            F.lit("person").alias("visitor"),
            crm_id.alias("crm_id"),
            F.when(keeps_user, F.col("user_id")).alias("user_id"),
            write_email(chance, typing, email, *keys).alias("email"),
            F.when(keeps_phone, write_phone(chance, F.col("phone"), *keys)).alias("phone"),
            F.when(first & chance.happens(0.7, "crm card", person), F.col("card")).alias("card"),
            write_name(
                chance,
                F.when(first, typing.spelled_otherwise).otherwise(1.0),
                F.col("first_name"),
                F.col("last_name"),
                *keys,
            ).alias("name"),
            write_street(chance, typing.spelled_otherwise, F.col("street"), *keys).alias("street"),
            "city",
            "postcode",
        )
    )
    return complete_rows(rows)


def log_campaign(audience: DataFrame, world: World) -> DataFrame:
    """One row an action of the marketing tool: who was assigned to which arm, and mails sent, opened and clicked."""
    chance, campaign, person = Chance(world.seed), world.campaign, F.col("person")
    sent = noon(world, campaign.day)

    def action(name: str, at: Column) -> Column:
        return F.struct(F.lit(name).alias("event_name"), at.cast("bigint").alias("happened"))

    opens = chance.happens(_OPENS, "opens", person)
    clicks = opens & chance.happens(_CLICKS, "clicks", person)
    after = 60_000 + F.floor(chance.exponential(6.0 * HOUR_MS, "opens after", person))
    mailed = F.array(
        action("campaign_sent", sent),
        F.when(opens, action("campaign_opened", sent + after)),
        F.when(clicks, action("campaign_clicked", sent + after + 20_000)),
    )
    actions = F.concat(
        F.array(action("campaign_assigned", sent - HOUR_MS)),
        F.when(F.col("arm") == "treated", F.array_compact(mailed)).otherwise(
            F.array().cast("array<struct<event_name:string,happened:bigint>>")
        ),
    )
    event_id = F.concat(F.lit(f"{world.world_id}-"), chance.token("marketing", person, F.col("event_name")))
    rows = audience.select("person", "email", "arm", F.inline(actions)).select(
        F.lit("marketing").alias("source"),
        event_id.alias("event_id"),
        "event_name",
        "happened",
        "person",
        F.lit("person").alias("visitor"),
        "email",
        "arm",
        F.lit(campaign.name).alias("campaign"),
    )
    return complete_rows(rows)


def log_consent(people: DataFrame, world: World) -> DataFrame:
    """One row a decision on marketing: granted or denied on joining; some withdraw or grant it on a later day."""
    chance, person = Chance(world.seed), F.col("person")

    def decision(name: Column, day: Column) -> Column:
        return F.struct(name.alias("event_name"), noon(world, day).alias("happened"))

    granted = F.when(F.col("allows_marketing"), "consent_granted").otherwise("consent_denied")
    decisions = F.array(
        decision(granted, F.col("joined")),
        F.when(F.col("withdraws").isNotNull(), decision(F.lit("consent_withdrawn"), F.col("withdraws") + 1)),
        F.when(F.col("agrees").isNotNull(), decision(F.lit("consent_granted"), F.col("agrees") + 1)),
    )
    event_id = F.concat(F.lit(f"{world.world_id}-"), chance.token("consent", person, F.col("event_name")))
    rows = (
        people.where("user_id is not null or email is not null")
        .select("person", "user_id", "email", F.inline(F.array_compact(decisions)))
        .select(
            F.lit("consent").alias("source"),
            event_id.alias("event_id"),
            "event_name",
            "happened",
            "person",
            F.lit("person").alias("visitor"),
            "user_id",
            F.when(F.col("user_id").isNull(), F.col("email")).alias("email"),
            F.lit(PURPOSE).alias("purpose"),
        )
    )
    return complete_rows(rows)


def ask_for_erasure(people: DataFrame) -> DataFrame:
    """One line (`value`) a person who asks to be deleted: `type=value`, as `segmentation erase --requests` takes it."""
    asking = F.coalesce(F.concat(F.lit("user_id="), "user_id"), F.concat(F.lit("email="), "email"))
    return people.where(F.col("erases").isNotNull() & asking.isNotNull()).select(asking.alias("value")).orderBy("value")
