"""Which events no customer made: bots, test accounts, the house's own people.

What one event says of itself (its user agent, its account, its address) flags that event. Rates flag all events of an
identifier on a day (UTC), by all events of that identifier on that day that were ever accepted. So the flags follow
from the set of accepted events alone, in whatever batches and order they came; a batch can only add to those of earlier
ones, and only on the days that it has events of.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.config.traffic import Accounts, Flagged, Rates, TrafficSettings
from segmentation.contracts.table import check_columns
from segmentation.ingest.addresses import is_within
from segmentation.ingest.agents import find_programs
from segmentation.ingest.identifiers import normalise_identifier

_FLAGS: dict[Flagged, str] = {"bots": "is_bot", "tests": "is_test"}
_NEEDS = ("identifiers", "event_ts", "event_name")
_DAY = ("who_type", "who_value", "event_date")
_AGENT, _PROGRAM, _BUSY = "_agent", "_program", "_busy"
_HOUR, _MINUTE = 3600, 60


def leave_out(events: DataFrame, flagged: Sequence[Flagged]) -> DataFrame:
    """The events without those that are flagged so."""
    check_columns(events, set(_FLAGS.values()), "the events")
    for kind in flagged:
        events = events.where(~F.col(_FLAGS[kind]))
    return events


def is_declared(kind: str, raw: Column, normal: Column, accounts: Accounts, identity: IdentitySettings) -> Column:
    """Whether an identifier, as it came or normalised, is one of the declared test accounts."""
    trimmed = F.trim(raw.cast("string"))
    found = [F.lit(False)]
    for value in accounts.values:
        found += [trimmed == value.strip(), normal == normalise_identifier(kind, F.lit(value), identity)]
    for pattern in accounts.patterns:
        found += [column.rlike(f"(?i)^(?:{pattern})$") for column in (trimmed, normal)]
    return reduce(or_, [F.coalesce(one, F.lit(False)) for one in found])


def is_internal(properties: Column, traffic: TrafficSettings) -> Column:
    """Whether an event came from one of the house's own addresses."""
    return is_within(properties[traffic.tests.address], traffic.tests.networks)


def seen_programs(events: DataFrame, traffic: TrafficSettings) -> DataFrame:
    """The user agents among the events that are a program's. Grain out: one of them (`_agent`)."""
    bots = traffic.bots
    return find_programs(events.select(F.col("properties")[bots.user_agent or ""].alias(_AGENT)), _AGENT, bots)


def flag_programs(events: DataFrame, programs: DataFrame, traffic: TrafficSettings) -> DataFrame:
    """The events with `is_bot` set where the user agent is one of `programs` (`seen_programs`). Same grain."""
    told = events.withColumn(_AGENT, F.col("properties")[traffic.bots.user_agent or ""])
    flagged = told.join(programs.withColumn(_PROGRAM, F.lit(True)), _AGENT, "left")
    return _with_flag(flagged, F.col(_PROGRAM).isNotNull(), events)


def suspect_days(
    new: DataFrame, earlier: DataFrame, rates: Rates, trust: Sequence[str], passive: Sequence[str]
) -> DataFrame:
    """Where a closer look at the rates is needed, which is nearly nowhere.

    Grain in: one event; `earlier` are all accepted before on the days of the new ones. Grain out: one hash of an
    identifier (`who`) on one day (`day`, since 1970) that the new events touch. Events of the names in `passive` happen
    to somebody and do not count.
    """
    acts = _acts(new, rates, trust, passive, 1).unionByName(_acts(earlier, rates, trust, passive, 0))
    hours = acts.groupBy(_who(), F.floor(F.col("second") / _HOUR).alias("hour")).agg(
        F.count("*").alias("events"), F.max("is_new").alias("is_new")
    )
    days = hours.groupBy("who", F.floor(F.col("hour") / 24).alias("day")).agg(
        F.max("events").alias("most"), F.count("*").alias("hours"), F.max("is_new").alias("is_new")
    )
    lowest = min((limit for limit in (rates.per_minute, rates.per_hour) if limit is not None), default=None)
    limits = {"most": lowest, "hours": rates.hours_a_day}
    return days.where((F.col("is_new") == 1) & _over(limits)).select("who", "day")


def busy_days(
    new: DataFrame, earlier: DataFrame, suspects: DataFrame, rates: Rates, trust: Sequence[str], passive: Sequence[str]
) -> DataFrame:
    """Identifiers and days on which they did more than a person can, among the `suspects` (`suspect_days`).

    Grain out: one identifier (`who_type`, `who_value`) on one day (`event_date`, UTC).
    """
    acts = _acts(new, rates, trust, passive, 1).unionByName(_acts(earlier, rates, trust, passive, 0))
    day = F.floor(F.col("second") / (24 * _HOUR)).alias("day")
    seconds = acts.select("*", _who(), day).join(suspects, ["who", "day"], "left_semi").select(*_DAY, "second")
    minutes = (
        seconds.distinct().groupBy(*_DAY, F.floor(F.col("second") / _MINUTE).alias("at")).agg(F.count("*").alias("n"))
    )
    hours = minutes.groupBy(*_DAY, F.floor(F.col("at") / 60).alias("hour")).agg(
        F.max("n").alias("minute"), F.sum("n").alias("n")
    )
    days = hours.groupBy(*_DAY).agg(
        F.max("minute").alias("minute"), F.max("n").alias("hour"), F.count("*").alias("hours")
    )
    limits = {"minute": rates.per_minute, "hour": rates.per_hour, "hours": rates.hours_a_day}
    return days.where(_over(limits)).select(*_DAY)


def flag_busy_days(events: DataFrame, busy: DataFrame, rates: Rates, trust: Sequence[str]) -> DataFrame:
    """The events with `is_bot` set on `busy` days (`busy_days`) of their identifiers. Same grain."""
    named = _named(events, rates, trust).join(busy.withColumn(_BUSY, F.lit(True)), list(_DAY), "left")
    return _with_flag(named, F.col(_BUSY).isNotNull(), events)


def forget_properties(events: DataFrame, traffic: TrafficSettings) -> DataFrame:
    """The events without the properties that were only to be looked at. Same grain."""
    if not traffic.not_kept:
        return events
    kept = F.map_filter("properties", lambda name, _: ~name.isin(*traffic.not_kept))
    return events.withColumn("properties", kept)


def _acts(events: DataFrame, rates: Rates, trust: Sequence[str], passive: Sequence[str], is_new: int) -> DataFrame:
    check_columns(events, (*_NEEDS, "event_date"), "the events")
    if passive:
        events = events.where(~F.col("event_name").isin(*passive))
    second = F.floor(F.unix_micros("event_ts") / 10**6).alias("second")
    named = _named(events, rates, trust).where(F.col("who_type").isNotNull())
    return named.select(*_DAY, second, F.lit(is_new).alias("is_new"))


def _who() -> Column:
    """A name of eight bytes: that two identifiers share one costs a closer look and no more."""
    return F.xxhash64("who_type", "who_value").alias("who")


def _named(events: DataFrame, rates: Rates, trust: Sequence[str]) -> DataFrame:
    """`events` with `who_type` and `who_value`: the identifier by which they are counted."""
    types = rates.by or tuple(reversed(trust))
    kind = F.coalesce(*[F.when(F.col("identifiers")[one] != "", F.lit(one)) for one in types])
    return events.withColumn("who_type", kind).withColumn("who_value", F.col("identifiers")[F.col("who_type")])


def _over(limits: dict[str, int | None]) -> Column:
    over = [F.col(name) > limit for name, limit in limits.items() if limit is not None]
    return reduce(or_, over, F.lit(False))


def _with_flag(marked: DataFrame, is_bot: Column, like: DataFrame) -> DataFrame:
    return marked.select(*((F.col("is_bot") | is_bot).alias(n) if n == "is_bot" else F.col(n) for n in like.columns))
