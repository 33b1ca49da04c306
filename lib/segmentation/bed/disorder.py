"""What happens to rows on their way: placeholders, wrong clocks, delays, copies and broken parts."""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.bed.chance import Chance
from segmentation.bed.clock import DAY_MS, HOUR_MS
from segmentation.bed.knobs import World
from segmentation.bed.rows import IDENTIFIERS, ROW
from segmentation.bed.spelling import PLACEHOLDERS, known_only

_BREAKS = {
    "web": ("cut_line", "bad_event_ts", "no_identifier"),
    "app": ("bad_event_ts", "no_identifier"),
    "pos": ("bad_event_ts", "bad_amount"),
    "marketing": ("cut_line", "bad_event_ts"),
    "crm": ("bad_event_ts",),
    "consent": ("bad_event_ts", "no_identifier"),
}
"""What can be wrong with a row of each source."""

WRITTEN = (
    *ROW,
    "is_placeholder",
    "own_time",
    "sent",
    "received",
    "is_late",
    "copy",
    "copy_of",
    "copy_kind",
    "malformed",
)
"""Columns of a row as it was written. Times are milliseconds since 1970, those of happening (`own_time`) and of sending
(`sent`, null where nothing says it) by the clock of the device or till; `copy` is 0 for the original; `copy_of` is the
original's event id, `copy_kind` exact or near; `malformed` names what is broken, null: nothing."""


def disturb(rows: DataFrame, world: World) -> DataFrame:
    """One row a row that reaches a file, from one row a thing that happened (`rows.ROW`)."""
    chance = Chance(world.seed)
    rows = _with_placeholders(rows, world, chance)
    rows = _delay(rows, world, chance)
    rows = _break_parts(rows, world, chance)
    return _copy(rows, world, chance).select(*WRITTEN)


def _with_placeholders(rows: DataFrame, world: World, chance: Chance) -> DataFrame:
    replaced, hits = {}, []
    for name, values in PLACEHOLDERS.items():
        hit = (
            F.col(name).isNotNull()
            & (F.col("visitor") == "person")
            & chance.happens(world.typing.placeholder, f"placeholder {name}", F.col("event_id"))
        )
        replaced[name] = F.when(hit, chance.pick(values, f"which placeholder {name}", F.col("event_id"))).otherwise(
            F.col(name)
        )
        hits.append(hit)
    return rows.withColumns({**replaced, "is_placeholder": hits[0] | hits[1] | hits[2]})


def _delay(rows: DataFrame, world: World, chance: Chance) -> DataFrame:
    """Devices send at once, some rows late; tills send in the night after; other systems an hour later.

    A device's clock may be wrong, and so may all clocks of a source: what they say of happening and of sending is wrong
    alike.
    """
    disorder, key, source = world.disorder, F.col("event_id"), F.col("source")
    by_device, by_till = source.isin("web", "app"), source == "pos"
    latency = 150 + chance.below(2500, "latency", key)
    is_late = by_device & (F.col("visitor") == "person") & chance.happens(disorder.late, "late", key)
    minutes = math.log(disorder.latest_days * 24 * 60)
    late = F.floor(60_000 * F.exp(chance.uniform("delay", key) * minutes))
    tonight = (F.floor(F.col("happened") / DAY_MS) + 1) * DAY_MS + 2 * HOUR_MS
    received = (
        F.when(by_device, F.col("happened") + F.when(is_late, late).otherwise(0) + latency)
        .when(by_till, tonight + latency)
        .otherwise(F.col("happened") + HOUR_MS)
    )
    device = F.coalesce("cookie", "device_id")
    wrong = F.floor((2 * chance.uniform("wrong by", device) - 1) * disorder.wrong_by_hours * HOUR_MS)
    skew = F.when(by_device & chance.happens(disorder.wrong_clock, "wrong clock", device), wrong).otherwise(0)
    for name, hours in disorder.source_clocks.items():
        skew = skew + F.when(source == name, round(hours * HOUR_MS)).otherwise(0)
    return rows.withColumns({"received": received, "is_late": is_late}).withColumns(
        {
            "own_time": F.col("happened") + skew,
            "sent": F.when(by_device | by_till, F.col("received") - latency + skew),
        }
    )


def _break_parts(rows: DataFrame, world: World, chance: Chance) -> DataFrame:
    key = F.col("event_id")
    breaks = chance.happens(world.disorder.malformed, "breaks", key) & (F.col("visitor") == "person")
    kind: Column = F.lit(None).cast("string")
    for source, kinds in _BREAKS.items():
        kind = F.when(F.col("source") == source, chance.pick(kinds, "how it breaks", key)).otherwise(kind)
    rows = rows.withColumn("malformed", F.when(breaks, kind))
    keeps = F.col("malformed").isNull() | (F.col("malformed") != "no_identifier")
    rows = rows.withColumns({name: F.when(keeps, F.col(name)) for name in IDENTIFIERS})
    nobody = F.coalesce(*(known_only(name) for name in IDENTIFIERS)).isNull()
    # A placeholder names nobody, so a row with nothing else has no identifier.
    return rows.withColumn(
        "malformed", F.when(nobody & F.col("malformed").isNull(), "no_identifier").otherwise(F.col("malformed"))
    )


def _copy(rows: DataFrame, world: World, chance: Chance) -> DataFrame:
    """Exact copies, half of them a day later; near copies with a new id, a moment later."""
    disorder, key = world.disorder, F.col("event_id")
    exact = chance.happens(disorder.duplicate, "copied", key)
    near = chance.happens(disorder.near_duplicate, "sent again", key) & F.col("source").isin("web", "app")
    copies = F.array_compact(F.array(F.lit(0), F.when(exact, 1), F.when(near, 2)))
    next_day = chance.happens(0.5, "copied next day", key)
    is_exact, is_near = F.col("copy") == 1, F.col("copy") == 2
    moment = F.when(is_near, 1 + chance.below(900, "moment", key)).otherwise(0)
    wait = F.when(is_exact & next_day, DAY_MS).otherwise(moment)
    return rows.withColumn("copy", F.explode(copies)).withColumns(
        {
            "copy_of": F.when(F.col("copy") > 0, key),
            "copy_kind": F.when(is_exact, "exact").when(is_near, "near"),
            "own_time": F.col("own_time") + moment,
            "sent": F.col("sent") + moment,
            "received": F.col("received") + wait,
            "event_id": F.when(
                is_near, F.concat(F.lit(f"{world.world_id}-"), chance.token("sent again", key))
            ).otherwise(key),
        }
    )
