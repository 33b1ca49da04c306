"""The people of the world: what each is, has and allows. One row a person, from nothing but their number."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.bed import spelling
from segmentation.bed.calendar import Calendar
from segmentation.bed.chance import Chance
from segmentation.bed.knobs import World

_HOMES = ("0123", "0123", "0012", "0122", "0011", "0111", "0000")
"""Who of four people in a row live together: the same digit, the same home."""


def draw_people(spark: SparkSession, world: World, partitions: int | None = None) -> DataFrame:
    """One row a person.

    `person` LONG, `home` LONG (the number of the first person there), `lives_alone`; `joined` and `left` (days, INT;
    they are about from the one until before the other); `segment` and `segment_after` (numbers of latent segments),
    `changed` (day from which the latter holds, null: never); `often` and `lavish` (factors of visit rate and spend);
    identifiers in clear, each null where the person has none: `user_id`, `email`, `second_email`, `phone`, `card`;
    how the person is really called and lives: `first_name`, `last_name`, `street`, `city`, `postcode`;
    `allows_marketing` (when they join), `withdraws`, `agrees`, `erases` (days, null: never).
    """
    chance, population = Chance(world.seed), world.population
    calendar = Calendar.of(world.season, world.start, world.days)
    person = F.col("person")
    people = spark.range(0, world.people, 1, partitions).withColumnRenamed("id", "person")
    people = _give_home(people, chance)
    shares = [segment.share for segment in world.segments]
    segment = chance.weighted(shares, "segment", person)
    joined = F.when(chance.happens(population.there_from_start, "there", person), 0).otherwise(
        F.floor(calendar.day_at(chance.uniform("joined", person))).cast("int")
    )
    # The next segment is any of the others, each as likely.
    step = 1 + chance.below(max(len(shares) - 1, 1), "next segment", person)
    changes = chance.happens(population.change_segment, "changes", person) & F.lit(len(shares) > 1)
    churn = F.element_at(F.array(*(F.lit(part.monthly_churn) for part in world.segments)), F.col("segment") + 1)
    people = people.withColumns({"segment": segment, "joined": joined}).withColumns(
        {
            "changed": F.when(changes & (F.col("joined") < population.change_day), population.change_day),
            "left": _day_of_leaving(chance, person, churn, world.days),
        }
    )
    people = people.withColumn(
        "segment_after",
        F.when(F.col("changed").isNotNull(), (F.col("segment") + step) % len(shares)).otherwise(F.col("segment")),
    )
    spread = population.deviation
    return people.select(
        "person",
        "home",
        "lives_alone",
        "joined",
        "left",
        "segment",
        "segment_after",
        "changed",
        F.exp(chance.normal("often", person) * spread).alias("often"),
        F.exp(chance.normal("lavish", person) * spread).alias("lavish"),
        *_identifiers(chance, world),
        spelling.first_name(chance, person, F.col("home")).alias("first_name"),
        spelling.last_name(chance, F.col("home")).alias("last_name"),
        spelling.street(chance, F.col("home")).alias("street"),
        spelling.city(chance, F.col("home")).alias("city"),
        spelling.postcode(chance, F.col("home")).alias("postcode"),
        *_permissions(chance, world),
    )


def _give_home(people: DataFrame, chance: Chance) -> DataFrame:
    """Four people in a row share out up to four homes; a home is named by the first person in it."""
    block, place = F.floor(F.col("person") / 4), (F.col("person") % 4).cast("int")
    homes = chance.pick(_HOMES, "homes", block)
    digit = homes.substr(place + 1, F.lit(1))
    together = F.length(homes) - F.length(F.replace(homes, digit, F.lit("")))
    return people.select(
        "person",
        (block * 4 + F.position(digit, homes) - 1).alias("home"),
        (together == 1).alias("lives_alone"),
    )


def _day_of_leaving(chance: Chance, person: Column, churn: Column, days: int) -> Column:
    """A geometric lifetime after joining, at most to the world's end."""
    lifetime = F.when(churn > 0, 30 * F.log(1 - chance.uniform("left", person)) / F.log(1 - churn)).otherwise(days)
    return F.least(F.col("joined") + 1 + F.floor(F.least(lifetime, F.lit(days))), F.lit(days)).cast("int")


def _identifiers(chance: Chance, world: World) -> list[Column]:
    population, person, home = world.population, F.col("person"), F.col("home")
    shares = (person != home) & chance.happens(population.shared_email, "shared email", person)
    has_email = chance.happens(population.email, "has email", person) | shares
    own = spelling.email(chance, F.when(shares, home).otherwise(person), home)
    return [
        F.when(
            chance.happens(population.account, "account", person), F.concat(F.lit("u"), chance.token("user", person))
        )
        .substr(1, 17)
        .alias("user_id"),
        F.when(has_email, own).alias("email"),
        F.when(
            has_email & chance.happens(population.second_email, "second email", person),
            spelling.email(chance, person, home, "second"),
        ).alias("second_email"),
        F.when(chance.happens(population.phone, "phone", person), spelling.phone(person)).alias("phone"),
        F.when(
            chance.happens(population.card, "card", person),
            F.concat(F.lit("7"), F.lpad(person.cast("string"), 12, "0")),
        ).alias("card"),
    ]


def _permissions(chance: Chance, world: World) -> list[Column]:
    consent, person = world.consent, F.col("person")
    stay = F.col("left") - F.col("joined")

    def some_day(purpose: str) -> Column:
        return F.col("joined") + F.floor(chance.uniform(purpose, person) * stay).cast("int")

    allows = chance.happens(consent.marketing, "allows marketing", person)
    withdraws = allows & chance.happens(consent.withdraw, "withdraws", person)
    agrees = ~allows & chance.happens(consent.agree_later, "agrees later", person)
    return [
        allows.alias("allows_marketing"),
        F.when(withdraws, some_day("withdrawn")).alias("withdraws"),
        F.when(agrees, some_day("agreed")).alias("agrees"),
        F.when(chance.happens(consent.erase, "erases", person), some_day("erased")).alias("erases"),
    ]
