"""Bots and test accounts on the web."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.bed.activity import DEPARTMENTS, USER_AGENTS
from segmentation.bed.chance import Chance
from segmentation.bed.clock import DAY_MS, midnight
from segmentation.bed.knobs import World
from segmentation.bed.rows import complete_rows

_BOT_AGENTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "python-requests/2.32.3",
    "curl/8.11.0",
)


def send_bots(spark: SparkSession, world: World) -> DataFrame:
    """One row an event of a bot: an event every second or so, for hours on end, with one cookie and no purchase.

    Declared ones name themselves in their user agent, the others look like browsers.
    """
    chance, bot = Chance(world.seed), F.col("id")
    declared = chance.happens(world.intruders.declared_bots, "declared", bot)
    agent = F.when(declared, chance.pick(_BOT_AGENTS, "bot agent", bot)).otherwise(
        chance.pick(USER_AGENTS, "user agent", bot)
    )
    count = round(world.people * world.intruders.bots_per_thousand / 1000)
    page = F.concat(F.lit("/c/"), chance.pick(DEPARTMENTS, "bot page", bot, F.col("place")))
    started = _start(world, chance.below(world.days - 1, "bot day", bot), chance.uniform("bot hour", bot))
    return _leave(
        spark,
        world,
        "bot",
        count,
        chance.around(F.lit(float(world.intruders.bot_events)), "bot events", bot),
        started + F.col("place") * 1100 + chance.below(400, "bot pause", bot, F.col("place")),
        {
            "event_name": F.lit("page_view"),
            "declared": declared,
            "cookie": chance.token("bot cookie", bot),
            "page": page,
            "user_agent": agent,
        },
    )


def send_testers(spark: SparkSession, world: World) -> DataFrame:
    """One row an event of a test account (`user_id` starts with `test-`), whose orders are absurdly large."""
    chance, test, place = Chance(world.seed), F.col("id"), F.col("place")
    count = round(world.people * world.intruders.tests_per_thousand / 1000)
    buys = place % 10 == 0
    started = _start(world, chance.below(world.days - 1, "test day", test), chance.uniform("test hour", test))
    return _leave(
        spark,
        world,
        "test",
        count,
        chance.around(F.lit(float(world.intruders.test_events)), "test events", test),
        started + place * 20_000,
        {
            "event_name": F.when(buys, "purchase").otherwise("page_view"),
            "cookie": chance.token("test cookie", test),
            "user_id": F.concat(F.lit("test-"), F.substring(chance.token("test user", test), 1, 12)),
            "email": F.concat(F.lit("qa"), test.cast("string"), F.lit("@example.test")),
            "amount": F.when(buys, F.lit(99999)),
            "price": F.when(buys, F.lit(99999)),
            "quantity": F.when(buys, F.lit(1)),
            "page": F.lit("/test"),
            "user_agent": F.lit(USER_AGENTS[0]),
        },
    )


def _leave(
    spark: SparkSession,
    world: World,
    visitor: str,
    count: int,
    events: Column,
    happened: Column,
    columns: dict[str, Column],
) -> DataFrame:
    chance = Chance(world.seed)
    rows = spark.range(0, count).select(
        "id", F.explode(F.sequence(F.lit(1), F.greatest(events, F.lit(1)))).alias("place")
    )
    event_id = F.concat(F.lit(f"{world.world_id}-"), chance.token(f"{visitor} event", F.col("id"), F.col("place")))
    return complete_rows(
        rows.withColumns(
            {
                "source": F.lit("web"),
                "visitor": F.lit(visitor),
                "event_id": event_id,
                "happened": happened,
                **columns,
            }
        )
    )


def _start(world: World, day: Column, share_of_day: Column) -> Column:
    return midnight(world, day) + F.floor(share_of_day * DAY_MS)
