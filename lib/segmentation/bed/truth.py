"""The truth tables, beside the sources.

| table | grain | columns |
| --- | --- | --- |
| `people` | one person | what `people.draw_people` draws |
| `events` | one row of a source | `disorder.WRITTEN`: what happened to whom, what was done to the row |
| `sessions` | one event that a visit left | `event_id`, `source`, `person`, `visit`, `event_ts` |
| `sightings` | identifiers that a person's rows carry together | `person`, the identifiers in clear, `rows` |
| `identity` | one identifier | `identifier_type`, `identifier_value` in clear, `person` (null: nobody's), `kind` |
| `segments` | one person | `person`, `segment_before`, `segment_after`, `changed_on`, `joined_on`, `left_on` |
| `campaign` | one person in its audience | `person`, `arm`, `segment`, `effect`, `converts_anyway`, `converts` |
| `consent` | one person and purpose, over one period | `person`, `purpose`, `granted`, `valid_from`, `valid_to` |
| `erasures` | one request | `person`, `requested_on`, `user_id`, `email` |
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.bed.chance import Chance
from segmentation.bed.clock import DAY_MS, midnight, noon, timestamp
from segmentation.bed.knobs import World
from segmentation.bed.registers import PURPOSE
from segmentation.bed.rows import IDENTIFIERS
from segmentation.bed.spelling import known_only
from segmentation.bed.visits import campaign_visit_id

_MEETS_VISITS = ("web", "app", "pos")


def tell_sessions(events: DataFrame) -> DataFrame:
    """Which true visit left each event: originals only, and only those that can be accepted."""
    return events.where(
        F.col("source").isin(*_MEETS_VISITS)
        & F.col("visit").isNotNull()
        & F.col("malformed").isNull()
        & (F.col("copy") == 0)
    ).select("event_id", "source", "person", "visit", timestamp("happened").alias("event_ts"))


def tell_sightings(events: DataFrame) -> DataFrame:
    """The sets of identifiers that appear together in rows of a person; placeholders are nobody's and left out."""
    seen = events.where((F.col("visitor") == "person") & F.col("malformed").isNull())
    return (
        seen.select("person", "device_kind", "happened", *map(known_only, IDENTIFIERS))
        .where(F.coalesce(*IDENTIFIERS).isNotNull())
        .groupBy("person", "device_kind", *IDENTIFIERS)
        .agg(F.count("*").alias("rows"), F.max("happened").alias("last"))
    )


def tell_identity(sightings: DataFrame) -> DataFrame:
    """Whose each identifier is: the one's who has it most; the last one's, where a cookie changed hands.

    A kiosk is nobody's.
    """
    each = F.array(
        *(F.struct(F.lit(name).alias("identifier_type"), F.col(name).alias("identifier_value")) for name in IDENTIFIERS)
    )
    used = (
        sightings.select("person", "device_kind", "rows", "last", F.inline(each))
        .where("identifier_value is not null")
        .withColumn("device_kind", F.when(F.col("identifier_type") == "cookie", F.col("device_kind")))
        .groupBy("identifier_type", "identifier_value", "person")
        .agg(F.sum("rows").alias("rows"), F.max("last").alias("last"), F.max("device_kind").alias("device_kind"))
    )
    is_recycled = F.col("device_kind").eqNullSafe("recycled")
    rank = F.struct(F.when(is_recycled, F.col("last")).otherwise(F.col("rows")), -F.col("person"))
    owned = used.groupBy("identifier_type", "identifier_value").agg(
        F.max_by("person", rank).alias("owner"),
        F.count("*").alias("people"),
        F.max("device_kind").alias("device_kind"),
        F.sum("rows").alias("rows"),
    )
    kind = F.coalesce("device_kind", F.when(F.col("people") > 1, "shared").otherwise("own"))
    return owned.withColumn("kind", kind).select(
        "identifier_type",
        "identifier_value",
        F.when(F.col("kind") != "kiosk", F.col("owner")).alias("person"),
        "kind",
        "people",
        "rows",
    )


def tell_segments(people: DataFrame, segments: DataFrame, world: World) -> DataFrame:
    names = F.broadcast(segments.select("number", "name"))
    before = names.select(F.col("number").alias("segment"), F.col("name").alias("segment_before"))
    after = names.select(F.col("number").alias("segment_after_number"), F.col("name").alias("segment_after"))
    # Who leaves before the change never changes.
    changes = F.col("changed") < F.col("left")
    lived = people.select(
        "person",
        "segment",
        F.when(changes, F.col("segment_after")).otherwise(F.col("segment")).alias("segment_after_number"),
        F.when(changes, _date(world, "changed")).alias("changed_on"),
        _date(world, "joined").alias("joined_on"),
        F.when(F.col("left") < world.days, _date(world, "left")).alias("left_on"),
    )
    return (
        lived.join(before, "segment")
        .join(after, "segment_after_number")
        .select("person", "segment_before", "segment_after", "changed_on", "joined_on", "left_on")
    )


def tell_campaign(audience: DataFrame, events: DataFrame, world: World) -> DataFrame:
    """Who was in which arm, who bought within the window, and who would have done so without the campaign."""
    sent = noon(world, world.campaign.day)
    in_window = (F.col("happened") >= sent) & (F.col("happened") < sent + world.campaign.window_days * DAY_MS)
    moved = F.col("visit") == campaign_visit_id(Chance(world.seed), F.col("person"))
    bought = (
        events.where(
            (F.col("event_name") == "purchase") & (F.col("visitor") == "person") & (F.col("copy") == 0) & in_window
        )
        .groupBy("person")
        .agg(F.count_if(~moved).alias("anyway"), F.count("*").alias("purchases"))
    )
    return audience.join(bought, "person", "left").select(
        "person",
        "arm",
        "segment",
        "effect",
        F.coalesce(F.col("anyway") > 0, F.lit(False)).alias("converts_anyway"),
        F.coalesce(F.col("purchases") > 0, F.lit(False)).alias("converts"),
    )


def tell_consent(people: DataFrame, world: World) -> DataFrame:
    changed = F.timestamp_millis(noon(world, F.coalesce("withdraws", "agrees") + 1))

    def period(granted: Column, valid_from: Column, valid_to: Column) -> Column:
        return F.struct(granted.alias("granted"), valid_from.alias("valid_from"), valid_to.alias("valid_to"))

    first = F.col("allows_marketing")
    periods = F.array(
        period(first, F.timestamp_millis(noon(world, F.col("joined"))), changed),
        F.when(changed.isNotNull(), period(~first, changed, F.lit(None).cast("timestamp"))),
    )
    return people.where("user_id is not null or email is not null").select(
        "person", F.lit(PURPOSE).alias("purpose"), F.inline(F.array_compact(periods))
    )


def tell_erasures(people: DataFrame, world: World) -> DataFrame:
    return people.where("erases is not null and (user_id is not null or email is not null)").select(
        "person", _date(world, "erases").alias("requested_on"), "user_id", "email"
    )


def _date(world: World, day: str) -> Column:
    return F.to_date(F.timestamp_millis(midnight(world, F.col(day))))
