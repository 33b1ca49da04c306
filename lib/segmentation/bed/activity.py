"""What happens in a visit: pages, sign-ins, baskets and purchases on web and app, and receipts in stores."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.bed.chance import Chance
from segmentation.bed.knobs import World
from segmentation.bed.rows import complete_rows
from segmentation.bed.spelling import write_email, write_name, write_phone, write_street

DEPARTMENTS = ("grocery", "electronics", "clothing", "home", "media", "garden", "beauty", "toys")
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)
_WANDERING = ("page_view", "page_view", "view_item", "view_item", "search")
_LONG_ENOUGH = 4
"""Events of a visit that turns back on the way to a purchase, or signs out: it has looked about before."""


def leave_events(visits: DataFrame, world: World) -> DataFrame:
    """One row (`rows.ROW`) an event of each visit (`visits.draw_visits`).

    Offsets from the first event are sorted uniform draws over the visit's length, so pauses are about exponential with
    the segment's mean; in a visit with a long pause everything after its middle happens 31 to 90 minutes later.
    """
    chance = Chance(world.seed)
    keys = (F.col("person"), F.col("phase"), F.col("number"))
    length = F.col("length")
    span = (length - 1) * F.col("seconds_between_events") * 1000 * (0.5 + chance.uniform("span", *keys))
    later = F.transform(
        F.sort_array(F.transform(F.sequence(F.lit(1), length - 1), lambda step: chance.uniform("offset", *keys, step))),
        lambda drawn: F.floor(drawn * span),
    )
    first = F.array(F.lit(0).cast("bigint"))
    offsets = F.when(length > 1, F.concat(first, later)).otherwise(first)
    events = visits.select("*", F.posexplode(offsets).alias("place", "offset")).withColumn("place", F.col("place") + 1)
    pause = 31 * 60_000 + chance.below(59 * 60_000, "long pause", *keys)
    paused = F.when(F.col("place") > F.col("pause_after"), pause).otherwise(0)
    events = events.withColumn("happened", F.col("started") + F.col("offset") + paused)
    events = events.withColumn("event_name", _name(chance, keys))
    return _with_payload(events, world, chance, (*keys, F.col("place")))


def _name(chance: Chance, keys: tuple[Column, ...]) -> Column:
    place, length, buys, steps = F.col("place"), F.col("length"), F.col("buys"), F.col("steps")
    is_app = F.col("channel") == "app"
    from_end = length - place
    ends_open = ~buys & (length >= _LONG_ENOUGH)
    # Of each step but the last, some go on to the next; where they turn back, the visit ends.
    drawn = chance.uniform("goes on", *keys)
    further = F.size(F.filter(F.transform(steps, lambda _, n: n), lambda n: (n > 0) & (drawn < F.pow("goes_on", n))))
    reached = F.when(
        ends_open & chance.happens(F.col("sets_out"), "sets out", *keys), F.least(1 + further, length - 2)
    ).otherwise(0)
    signs_out = F.col("signs_in") & ~is_app & chance.happens(F.col("signs_out"), "signs out", *keys)
    return (
        F.when(
            F.col("channel") == "store",
            F.when(chance.happens(F.col("returns"), "returns", *keys), "return").otherwise("purchase"),
        )
        .when(buys & (from_end == 0), "purchase")
        .when(buys & (from_end <= F.size(steps)), F.element_at(steps, F.size(steps) - from_end + 1))
        .when(from_end < reached, F.element_at(steps, reached - from_end))
        .when(is_app & (place == 1), "app_open")
        .when(~is_app & F.col("signs_in") & (place == F.least(length, F.lit(2))), "sign_in")
        .when(ends_open & signs_out & (from_end == 0), "sign_out")
        .when(place == 1, "page_view")
        .otherwise(chance.pick(_WANDERING, "wandering", *keys, place))
    )


def _with_payload(events: DataFrame, world: World, chance: Chance, keys: tuple[Column, ...]) -> DataFrame:
    person, typing = F.col("person"), world.typing
    visit = keys[:3]
    channel, name = F.col("channel"), F.col("event_name")
    is_web, is_app, is_store = channel == "web", channel == "app", channel == "store"
    pays = name.isin("purchase", "return")

    # On the web the account is known from the sign-in on, in the app throughout once signed in.
    signed_in = F.col("signs_in") & (is_app | (F.col("place") >= F.least(F.col("length"), F.lit(2))))
    # E-mail is typed at half of the sign-ins and by guests who check out, and is in the links of the campaign's mails.
    usual = F.when(chance.happens(0.3, "older address", *visit), F.coalesce("second_email", "email")).otherwise(
        F.col("email")
    )
    typed = write_email(chance, typing, usual, *visit)
    types = (name == "sign_in") & chance.happens(0.5, "signs in by email", *visit)
    guest = (name == F.element_at("steps", -1)) & ~F.col("signs_in")
    arrives = F.col("in_campaign") & (F.col("place") == 1)
    web_email = F.when(arrives, F.col("email")).when(types | guest, typed)

    # At the till: the card, else a phone number, else an e-mail for the receipt, else nothing.
    shows = chance.uniform("shows", *visit)
    nothing = shows < typing.anonymous_receipt
    by_card = F.col("card").isNotNull() & (shows < 0.85)
    by_phone = F.col("phone").isNotNull() & chance.happens(0.7, "by phone", *visit)
    till_card = F.when(~nothing & by_card, F.col("card"))
    till_phone = F.when(~nothing & ~by_card & by_phone, write_phone(chance, F.col("phone"), *visit))
    till_email = F.when(~nothing & ~by_card & ~by_phone, typed)
    # Whose a card is stands on its receipts; others give name and address for a delivery.
    named = is_store & ~nothing & (by_card | chance.happens(typing.named_receipt, "named receipt", *visit))
    otherwise = typing.spelled_otherwise

    spent = F.col("spend") * F.col("lavish") * F.exp(F.col("spend_spread") * chance.normal("spent", *visit))
    quantity = 1 + chance.below(4, "quantity", *visit)
    price = F.greatest(F.round(spent / quantity, 2), F.lit(0.01)).cast("decimal(12,2)")
    sign = F.when(name == "return", -1).otherwise(1)
    category = F.when(chance.happens(0.5, "favourite", *keys), F.col("favourite")).otherwise(
        chance.pick(DEPARTMENTS, "department", *keys)
    )
    shown = (name == "view_item") | (name == F.element_at("steps", 1)) | pays
    rows = events.select(
        F.when(is_store, "pos").otherwise(channel).alias("source"),
        F.concat(F.lit(f"{world.world_id}-"), chance.token("event", *keys)).alias("event_id"),
        name,
        "happened",
        "person",
        "visit",
        F.lit("person").alias("visitor"),
        "device_kind",
        "cookie",
        "device_id",
        F.when(signed_in, F.col("user_id")).alias("user_id"),
        F.when(is_web, web_email).when(is_store, till_email).alias("email"),
        F.when(is_store, till_phone).alias("phone"),
        F.when(is_store, till_card).alias("card"),
        F.when(named, write_name(chance, otherwise, F.col("first_name"), F.col("last_name"), *visit)).alias("name"),
        F.when(named, write_street(chance, otherwise, F.col("street"), *visit)).alias("street"),
        F.when(named, F.col("city")).alias("city"),
        F.when(named, F.col("postcode")).alias("postcode"),
        F.when(pays, price * quantity * sign).alias("amount"),
        F.when(pays, price).alias("price"),
        F.when(pays, quantity).alias("quantity"),
        F.when(shown, category).alias("category"),
        (pays & chance.happens(F.col("coupons"), "coupon", *visit)).alias("coupon"),
        F.when(is_web, F.when(shown, F.concat(F.lit("/c/"), category)).otherwise(F.concat(F.lit("/"), name))).alias(
            "page"
        ),
        F.when(is_web, chance.pick(USER_AGENTS, "user agent", person, F.col("cookie"))).alias("user_agent"),
        F.when(arrives, F.lit(world.campaign.name)).alias("campaign"),
    )
    return complete_rows(rows)
