"""What led people to convert: each conversion, and its amount, shared out among the touches before it.

A journey is what one person was touched by since their last conversion, up to the next one or to the date. A touch is
in one journey only, so no conversion is counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from segmentation.contracts.errors import InputError
from segmentation.contracts.table import MONEY, check_columns
from segmentation.experiments.markov import CONVERTED, LOST, START, Transitions, removal_effects

RULES = ("first", "last", "linear", "position", "time_decay", "shapley")
METHODS = (*RULES, "markov")
"""First and last touch; all alike; 40 % to the first and the last and 20 % between them; halved with each half-life;
the Shapley value of the channels, where a journey converts by all of its channels together; the removal effect in a
Markov chain."""

MOST_CHANNELS, MOST_TOUCHES = 200, 100
"""More channels than these are none; of a longer journey the last touches count."""

_WEIGHT = "decimal(12,9)"


@dataclass(frozen=True)
class Credit:
    """One channel, of everyone (`segment_id` None) or of one segment: method -> conversions, and their amounts."""

    segment_id: str | None
    channel: str
    touches: int
    conversions: Mapping[str, float]
    revenue: Mapping[str, float]


@dataclass(frozen=True)
class Converted:
    """Conversions of everyone (`segment_id` None) or of one segment; those that are `untouched` go to no channel."""

    segment_id: str | None
    conversions: int
    untouched: int
    revenue: float
    untouched_revenue: float


@dataclass(frozen=True)
class Attribution:
    """What `segmentation attribution` tells, everyone first, then each segment."""

    as_of: date
    totals: Sequence[Converted]
    credits: Sequence[Credit]


def list_journeys(
    events: DataFrame, channel: Column, touches: Column, conversion: Column, window_days: int
) -> DataFrame:
    """Events -> one row a journey: `person_id`, `path` ARRAY of STRUCT (`channel`, `days` before its end), in order,
    `converted`, `amount` (0 where it did not convert).

    In: `person_id`, `event_ts`, `event_id`, `amount`. Events at one moment are ordered by id; one that touches and
    converts is the last touch of its own journey.
    """
    check_columns(events, ("person_id", "event_ts", "event_id", "amount"), "the events to attribute")
    touched = F.when(touches & channel.isNotNull() & (channel != ""), channel)
    marked = events.select(
        "person_id", "event_ts", "event_id", "amount", touched.alias("channel"), conversion.alias("converts")
    ).where(F.col("channel").isNotNull() | F.col("converts"))
    order = Window.partitionBy("person_id").orderBy("event_ts", "event_id")
    before = F.count_if("converts").over(order.rowsBetween(Window.unboundedPreceding, -1))
    touch = F.when(F.col("channel").isNotNull(), F.struct("event_ts", "event_id", "channel"))
    journeys = (
        marked.withColumn("journey", before)
        .groupBy("person_id", "journey")
        .agg(
            F.array_sort(F.collect_list(touch)).alias("touches"),
            F.max("event_ts").alias("end"),
            F.bool_or("converts").alias("converted"),
            F.coalesce(F.sum(F.when(F.col("converts"), F.col("amount"))), F.lit(0)).cast(MONEY).alias("amount"),
        )
    )

    def aged(one: Column) -> Column:
        days = (F.unix_micros(F.col("end")) - F.unix_micros(one["event_ts"])) / F.lit(86_400_000_000)
        return F.struct(one["channel"].alias("channel"), days.alias("days"))

    recent = F.filter(F.transform("touches", aged), lambda one: one["days"] < window_days)
    last = F.reverse(F.slice(F.reverse(recent), 1, MOST_TOUCHES))
    return journeys.select("person_id", last.alias("path"), "converted", "amount")


def attribute(journeys: DataFrame, half_life_days: float, as_of: date) -> Attribution:
    """Shares conversions out, for everyone and for each segment, by every method.

    In: `list_journeys` with `segment_id` (null: in none), read a few times. What comes to the driver is by channel, and
    never a person. Raises `InputError` where there are too many channels.
    """
    _check_channels(journeys)
    totals, shared, chains = _totals(journeys), _share_out(journeys, half_life_days), _count_steps(journeys)
    segments = sorted({segment for segment in totals if segment is not None})
    parts: list[tuple[str | None, list[str | None]]] = [(None, list(totals))]
    parts += [(segment, [segment]) for segment in segments]
    summed = [(segment, _sum_up(segment, [totals[part] for part in among])) for segment, among in parts]
    credits_ = [
        credit
        for (segment, among), (_, total) in zip(parts, summed, strict=True)
        for credit in _credits(
            segment, [shared.get(part, {}) for part in among], [chains.get(part, {}) for part in among], total
        )
    ]
    return Attribution(as_of, [total for _, total in summed], credits_)


def _check_channels(journeys: DataFrame) -> None:
    channels = journeys.select(F.explode("path.channel").alias("channel")).distinct().limit(MOST_CHANNELS + 1).count()
    if channels > MOST_CHANNELS:
        raise InputError(
            f"There are more than {MOST_CHANNELS} channels: name a field with fewer values under attribution.channel."
        )


def _totals(journeys: DataFrame) -> dict[str | None, dict[str, float]]:
    """Segment -> its figures as of `Converted`; with segments in which nobody converted."""
    converted, untouched = F.col("converted"), F.col("converted") & (F.size("path") == 0)
    rows = journeys.groupBy("segment_id").agg(
        F.count_if(converted).alias("conversions"),
        F.count_if(untouched).alias("untouched"),
        F.sum("amount").cast("double").alias("revenue"),
        F.sum(F.when(untouched, F.col("amount")).otherwise(0)).cast("double").alias("untouched_revenue"),
    )
    return {row["segment_id"]: row.asDict() for row in rows.collect()}


def _sum_up(segment_id: str | None, parts: Sequence[Mapping[str, float]]) -> Converted:
    return Converted(
        segment_id,
        conversions=sum(int(part["conversions"]) for part in parts),
        untouched=sum(int(part["untouched"]) for part in parts),
        revenue=sum(part["revenue"] for part in parts),
        untouched_revenue=sum(part["untouched_revenue"] for part in parts),
    )


def _share_out(journeys: DataFrame, half_life_days: float) -> dict[str | None, dict[str, Row]]:
    """Segment -> channel -> its touches, and for each of `RULES` what it gets of conversions and of their amounts."""
    size, place = F.size("path"), F.col("place")
    first, last = place == 0, place == size - 1

    def decayed(days: Column) -> Column:
        return F.pow(F.lit(0.5), days / F.lit(half_life_days))

    everything = F.aggregate("path", F.lit(0.0), lambda so_far, one: so_far + decayed(one["days"]))
    alike = F.size(F.filter("path", lambda one: one["channel"] == F.col("touch.channel")))
    weights = {
        "first": first.cast("int"),
        "last": last.cast("int"),
        "linear": 1 / size,
        "position": F.when(size == 1, 1.0).when(size == 2, 0.5).when(first | last, 0.4).otherwise(0.2 / (size - 2)),
        "time_decay": decayed(F.col("touch.days")) / everything,
        "shapley": 1 / (F.size(F.array_distinct("path.channel")) * alike),
    }
    # Rounded, and added up as decimals: the same bits whatever the order of the rows.
    touches = journeys.select("*", F.posexplode("path").alias("place", "touch"))
    weighed = touches.withColumns({name: weight.cast(_WEIGHT) for name, weight in weights.items()})
    sums = [
        F.sum(F.when(F.col("converted"), what).otherwise(0)).cast("double").alias(f"{name} {of}")
        for name in RULES
        for of, what in (("conversions", F.col(name)), ("amount", F.col(name) * F.col("amount")))
    ]
    rows = weighed.groupBy("segment_id", F.col("touch.channel").alias("channel")).agg(
        F.count("*").alias("touches"), *sums
    )
    found: dict[str | None, dict[str, Row]] = {}
    for row in rows.collect():
        found.setdefault(row["segment_id"], {})[row["channel"]] = row
    return found


def _count_steps(journeys: DataFrame) -> dict[str | None, Counter[tuple[str, str]]]:
    """Segment -> from a state to another -> how often, in journeys with any touch."""
    end = F.when(F.col("converted"), F.lit(CONVERTED)).otherwise(F.lit(LOST))
    states = F.concat(F.array(F.lit(START)), F.col("path.channel"), F.array(end))
    walked = journeys.where(F.size("path") > 0).select("segment_id", states.alias("states"))
    step = F.transform(
        F.sequence(F.lit(1), F.size("states") - 1),
        lambda at: F.struct(F.element_at("states", at).alias("here"), F.element_at("states", at + 1).alias("there")),
    )
    steps = walked.select("segment_id", F.explode(step).alias("step"))
    rows = steps.groupBy("segment_id", "step.here", "step.there").agg(F.count("*").alias("times")).collect()
    found: dict[str | None, Counter[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["segment_id"], Counter())[row["here"], row["there"]] = row["times"]
    return found


def _credits(
    segment_id: str | None, shared: Sequence[Mapping[str, Row]], chains: Sequence[Transitions], total: Converted
) -> list[Credit]:
    """Credits of some people, given by parts of them."""
    steps = Counter[tuple[str, str]]()
    for chain in chains:
        steps.update(chain)
    effects = removal_effects(steps) if steps else {}
    all_effects = sum(effects.values())
    touched, paid = total.conversions - total.untouched, total.revenue - total.untouched_revenue
    found = []
    for channel in sorted(effects):
        rows = [part[channel] for part in shared if channel in part]
        share = effects[channel] / all_effects if all_effects else 0.0
        found.append(
            Credit(
                segment_id,
                channel,
                sum(row["touches"] for row in rows),
                {rule: sum(row[f"{rule} conversions"] for row in rows) for rule in RULES} | {"markov": share * touched},
                {rule: sum(row[f"{rule} amount"] for row in rows) for rule in RULES} | {"markov": share * paid},
            )
        )
    return found
