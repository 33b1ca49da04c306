"""Visits: when each person comes, by which channel and device, and what comes of it."""

from __future__ import annotations

import json

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.bed.calendar import Calendar
from segmentation.bed.chance import Chance
from segmentation.bed.clock import DAY_MS, HOUR_MS, midnight
from segmentation.bed.knobs import World

_LN2 = 0.6931471805599453
_CAMPAIGN_PHASE = 2
_APP_SIGNED_IN = 0.85


def list_segments(spark: SparkSession, world: World) -> DataFrame:
    """One row a latent segment: `number`, and its knobs, those of the funnel among them, with the channels' shares as
    `to_web`, `to_app`."""
    rows = []
    for number, segment in enumerate(world.segments):
        weights = segment.channels
        total = (weights.web + weights.app + weights.store) or 1.0
        knobs = segment.model_dump(exclude={"channels", "funnel", "share"}) | segment.funnel.model_dump()
        rows.append({"number": number, **knobs, "to_web": weights.web / total, "to_app": weights.app / total})
    schema = ", ".join(f"{name}: {_ddl(name, value)}" for name, value in rows[0].items())
    # Read from a constant, so that no Python worker has to be started for six rows.
    constant = F.from_json(F.lit(json.dumps(rows)), f"array<struct<{schema}>>")
    return spark.range(1).select(F.inline(constant))


def _ddl(name: str, value: object) -> str:
    if name == "number":
        return "int"
    if isinstance(value, tuple):
        return "array<string>"
    return "string" if isinstance(value, str) else "double"


def draw_visits(people: DataFrame, segments: DataFrame, responses: DataFrame, world: World) -> DataFrame:
    """One row a visit of a person.

    In: the people, the segments' knobs, and those who respond to the campaign (`assign_campaign`), who come once more.
    Out: `person`, `phase`, `number` (the visit's key), `visit` (its id), `started` (LONG, milliseconds since 1970,
    UTC), `channel`, `cookie` (web), `device_id` (app), `device_kind` (kiosk, home, recycled, null: their own),
    `signs_in`, `buys`, `in_campaign`, `length` (events), `pause_after` (events before a long pause, null: none), the
    segment's knobs that events need, the person's `lavish`, identifiers and name.
    """
    chance = Chance(world.seed)
    visits = _come(people, segments, world, chance).unionByName(_respond(people, segments, responses, world))
    return _with_events(_with_device(visits, world, chance), world, chance)


def visit_id(chance: Chance, person: Column, phase: Column, number: Column) -> Column:
    """The id of a visit in the truth tables."""
    return chance.token("visit", person, phase, number)


def campaign_visit_id(chance: Chance, person: Column) -> Column:
    """The id of the visit to which the campaign moved a person, if it did."""
    return visit_id(chance, person, F.lit(_CAMPAIGN_PHASE), F.lit(1))


def _come(people: DataFrame, segments: DataFrame, world: World, chance: Chance) -> DataFrame:
    """Visits of each person in each phase of their life: before and after a change of latent segment."""
    calendar = Calendar.of(world.season, world.start, world.days)
    phases = F.array(
        _phase(F.col("segment"), F.col("joined"), F.least(F.coalesce("changed", "left"), F.col("left")), 0),
        _phase(F.col("segment_after"), F.col("changed"), F.col("left"), 1),
    )
    living = F.filter(phases, lambda phase: phase["starts"] < phase["ends"])
    lives = people.select("*", F.inline(living)).join(
        F.broadcast(segments.withColumnRenamed("number", "segment_number")), "segment_number"
    )
    # With a half-life, visits thin out from joining on: the integral of 2^(-t/h) between two days.
    half_life = F.col("half_life_days")
    at_start = F.exp(-_LN2 * (F.col("starts") - F.col("joined")) / half_life)
    at_end = F.exp(-_LN2 * (F.col("ends") - F.col("joined")) / half_life)
    stay = F.col("ends") - F.col("starts")
    days = F.coalesce((at_start - at_end) * half_life / _LN2, stay.cast("double"))
    # A stay in the best months has more visits than one of the same length in others.
    first, last = calendar.share_before(F.col("starts")), calendar.share_before(F.col("ends"))
    season = (last - first) * world.days / stay
    mean = F.col("visits_per_week") / 7 * F.col("often") * days * season
    count = F.least(chance.around(mean, "visits", F.col("person"), F.col("phase")), F.lit(world.most_visits))
    numbered = (
        lives.withColumn("count", count)
        .where("count > 0")
        .withColumn("number", F.explode(F.sequence(F.lit(1), F.col("count"))))
    )
    keys = (F.col("person"), F.col("phase"), F.col("number"))
    drawn = chance.uniform("day", *keys)
    decayed = F.col("joined") - F.log(at_start - drawn * (at_start - at_end)) * half_life / _LN2
    place = F.coalesce((decayed - F.col("starts")) / stay, drawn)
    day = F.least(F.floor(calendar.day_at(first + place * (last - first))).cast("int"), F.col("ends") - 1)
    weekday = (F.col("day") + world.start.weekday()) % 7
    saturday = F.col("day") + (5 - weekday) + chance.below(2, "which day of the weekend", *keys)
    waits = (weekday < 5) & chance.happens(F.col("to_weekend"), "waits", *keys) & (saturday < F.col("ends"))
    hour = F.pmod(F.col("peak_hour") + F.col("hour_spread") * chance.normal("hour", *keys), F.lit(24.0))
    channel = chance.uniform("channel", *keys)
    return (
        numbered.withColumn("day", F.greatest(day, F.col("starts")))
        .withColumn("day", F.when(waits, saturday).otherwise(F.col("day")))
        .withColumn("started", midnight(world, F.col("day")) + F.floor(hour * HOUR_MS))
        .withColumn(
            "channel",
            F.when(channel < F.col("to_web"), "web")
            .when(channel < F.col("to_web") + F.col("to_app"), "app")
            .otherwise("store"),
        )
        .withColumn("in_campaign", F.lit(False))
        .select(*_VISIT)
    )


def _phase(segment: Column, starts: Column, ends: Column, phase: int) -> Column:
    return F.struct(
        segment.cast("int").alias("segment_number"),
        starts.cast("int").alias("starts"),
        ends.cast("int").alias("ends"),
        F.lit(phase).alias("phase"),
    )


def _respond(people: DataFrame, segments: DataFrame, responses: DataFrame, world: World) -> DataFrame:
    """The one visit more of those whom the campaign moved; it starts within the campaign's window."""
    after = F.floor(F.col("responds_after_days") * DAY_MS)
    started = midnight(world, world.campaign.day) + 12 * HOUR_MS + after
    return (
        people.join(
            responses.where("responds").select(
                "person", F.col("number").alias("segment_number"), "responds_after_days"
            ),
            "person",
        )
        .join(F.broadcast(segments.withColumnRenamed("number", "segment_number")), "segment_number")
        .withColumns(
            {
                "phase": F.lit(_CAMPAIGN_PHASE),
                "number": F.lit(1),
                "started": started,
                "day": F.floor((started - midnight(world, 0)) / DAY_MS).cast("int"),
                "channel": F.lit("web"),
                "in_campaign": F.lit(True),
            }
        )
        .select(*_VISIT)
    )


def _with_device(visits: DataFrame, world: World, chance: Chance) -> DataFrame:
    """Adds the cookie or the device: the person's own, the home's tablet, a kiosk, or a cookie that changes hands."""
    devices, person, home, day = world.devices, F.col("person"), F.col("home"), F.col("day")
    keys = (person, F.col("phase"), F.col("number"))
    kiosks = max(1, round(world.people * devices.kiosk_people / devices.people_per_kiosk))
    at_kiosk = (
        chance.happens(devices.kiosk_people, "kiosk person", person)
        & chance.happens(devices.kiosk_visits, "kiosk visit", *keys)
        & ~F.col("in_campaign")
    )
    on_tablet = (
        ~F.col("lives_alone")
        & chance.happens(devices.shared_tablet, "tablet", home)
        & chance.happens(devices.tablet_visits, "tablet visit", *keys)
    )
    browser = chance.below(chance.below(devices.most_browsers, "browsers", person) + 1, "browser", *keys)
    lives = F.element_at(
        F.array(*map(F.lit, devices.cookie_days)),
        chance.below(len(devices.cookie_days), "cookie days", person, browser) + 1,
    )
    cleared = F.when(
        lives > 0,
        F.floor((day + F.floor(chance.uniform("cleared", person, browser) * lives)) / F.nullif(lives, F.lit(0))),
    ).otherwise(0)
    # A cookie that changes hands is the first browser of one person before the middle of the world, and of another,
    # who has nothing to do with the first, from three days after it.
    half, middle = world.people // 2, world.days // 2
    pair = F.when(person < 2 * half, person % half)
    holds = F.when(person < half, day < middle).otherwise(day >= middle + 3)
    is_recycled = (browser == 0) & holds & chance.happens(devices.recycled_cookies, "recycled", pair)
    cookie = (
        F.when(at_kiosk, chance.token("kiosk", chance.below(kiosks, "which kiosk", person)))
        .when(on_tablet, chance.token("tablet", home))
        .when(is_recycled, chance.token("recycled", pair))
        .otherwise(chance.token("cookie", person, browser, cleared))
    )
    kind = F.when(at_kiosk, "kiosk").when(on_tablet, "home").when(is_recycled, "recycled")
    has_second = chance.happens(devices.second_phone, "second phone", person) & (day >= middle)
    is_web = F.col("channel") == "web"
    return visits.withColumns(
        {
            "cookie": F.when(is_web, cookie),
            "device_id": F.when(F.col("channel") == "app", chance.token("device", person, has_second)),
            "device_kind": F.when(is_web, kind),
        }
    )


def _with_events(visits: DataFrame, world: World, chance: Chance) -> DataFrame:
    """Adds the visit's id, whether they sign in and buy, how many events it has, and where a long pause falls."""
    keys = (F.col("person"), F.col("phase"), F.col("number"))
    is_web, is_store = F.col("channel") == "web", F.col("channel") == "store"
    signs_in = F.when(
        is_web, F.col("device_kind").eqNullSafe("kiosk") | chance.happens(F.col("signs_in"), "signs in", *keys)
    ).otherwise((F.col("channel") == "app") & chance.happens(_APP_SIGNED_IN, "app signed in", F.col("person")))
    buys = is_store | F.col("in_campaign") | chance.happens(F.col("buys"), "buys", *keys)
    longer = 2 + chance.around(F.greatest(F.col("events_per_visit") - 2, F.lit(0.5)), "length", *keys)
    length = (
        F.when(is_store, 1)
        .when(F.col("buys"), F.greatest(longer, F.size("steps") + 3))
        .when(chance.happens(F.col("bounces"), "bounces", *keys), 1)
        .otherwise(longer)
    )
    pauses = chance.happens(world.disorder.long_pause, "pauses", *keys) & (F.col("length") > 1)
    return (
        visits.withColumn("buys", buys)
        .withColumn("signs_in", signs_in & F.col("user_id").isNotNull())
        .withColumn("length", length)
        .withColumn("pause_after", F.when(pauses, F.floor((F.col("length") + 1) / 2)).cast("int"))
        .withColumn("visit", visit_id(chance, *keys))
    )


_VISIT = (
    "person", "home", "lives_alone", "phase", "number", "day", "started", "channel", "in_campaign", "lavish",
    "user_id", "email", "second_email", "phone", "card", "first_name", "last_name", "street", "city", "postcode",
    "events_per_visit", "seconds_between_events", "bounces", "buys", "spend", "spend_spread", "coupons", "signs_in",
    "favourite", "steps", "sets_out", "goes_on", "returns", "signs_out",
)  # fmt: skip
