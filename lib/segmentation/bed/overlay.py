"""Simulated web sign-ins over customers who are known by one identifier only.

Public data sets know each customer by one number, so nothing in them can be stitched. This lays a small, seeded set
of browsers, e-mails and sign-ins over a share of the customers, with known truth: who really held each identifier.
Everything is marked as simulated (event ids start with `simulated-`, e-mails end in `@example.com`).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.bed.chance import Chance
from segmentation.config.model import Section
from segmentation.contracts.table import check_columns

_PAGES = ("/", "/offers", "/recipes", "/stores", "/basket", "/account")
_DAY = 24 * 3600


class OverlayParams(Section):
    """How much is laid over the customers."""

    seed: int = Field(20170101, description="The same seed gives the same rows.")
    share: float = Field(0.25, gt=0, le=1, description="Share of customers who use the web site.")
    most_browsers: int = Field(3, ge=1, le=10, description="A customer has one to this many browsers.")
    signs_in: float = Field(0.55, ge=0, le=1, description="Share of visits with a sign-in.")
    shared_tablets: float = Field(0.06, ge=0, le=1, description="Share of pairs of users who share a tablet.")
    recycled_cookies: float = Field(
        0.06, ge=0, le=1, description="Share of pairs of which one gets the other's cookie, later."
    )


@dataclass(frozen=True)
class Overlay:
    """The simulated events, and who really held each identifier."""

    events: DataFrame
    """`event_id`, `event_name`, `event_ts` TIMESTAMP, `cookie`, `email`, `household_id` (null unless given), `page`."""
    truth: DataFrame
    """`identifier_type`, `identifier_value` (in clear), `owner` (a household_id), `kind` (own, shared, recycled), and
    `component`: identifiers of an owner that no event ties to the others have one of their own."""


def simulate_sign_ins(households: DataFrame, params: OverlayParams) -> Overlay:
    """Web visits, some with a sign-in, of a share of the households.

    In: one row a household: `household_id` STRING, `first_date` and `last_date` DATE. Out: see `Overlay`. A tablet that
    two households share belongs to the one that uses it more, a recycled cookie to the one that has it last.
    """
    check_columns(households, {"household_id", "first_date", "last_date"}, "the list of households")
    chance = Chance(params.seed)
    users = _pair_up(households.where(chance.happens(params.share, "user", F.col("household_id"))), chance)
    browsers = _give_browsers(users, chance, params)
    visits = _visit(browsers, chance, params)
    return Overlay(events=_leave_events(visits, chance), truth=_tell_truth(visits))


def _pair_up(users: DataFrame, chance: Chance) -> DataFrame:
    """Adds `partner`: users are taken two and two, in an order by hash, within 64 buckets; one may be left alone."""
    by_hash = Window.partitionBy("bucket").orderBy("rank", "household_id")
    numbered = users.select(
        F.col("household_id").cast("string"),
        "first_date",
        "last_date",
        F.pmod(chance.number("bucket", F.col("household_id")), F.lit(64)).alias("bucket"),
        chance.number("rank", F.col("household_id")).alias("rank"),
    ).withColumn("place", F.row_number().over(by_hash) - 1)
    pair = Window.partitionBy("bucket", F.floor(F.col("place") / 2)).orderBy("place")
    return (
        numbered.withColumn("is_first", F.col("place") % 2 == 0)
        .withColumn(
            "pair", F.when(F.col("is_first"), F.col("household_id")).otherwise(F.lag("household_id").over(pair))
        )
        .withColumn("is_pair", F.col("is_first") & F.lead("household_id").over(pair).isNotNull() | ~F.col("is_first"))
    )


def _give_browsers(users: DataFrame, chance: Chance, params: OverlayParams) -> DataFrame:
    """One row a browser of a user: its cookie and kind, the part of the user's time in which it is used, its visits."""
    user, pair = F.col("household_id"), F.col("pair")

    def browser(kind: str, cookie: Column, start: float | Column, end: float | Column, visits: Column) -> Column:
        return F.struct(
            F.lit(kind).alias("kind"),
            cookie.alias("cookie"),
            F.lit(start).cast("double").alias("starts"),
            F.lit(end).cast("double").alias("ends"),
            visits.cast("int").alias("visits"),
        )

    own = F.transform(
        F.sequence(F.lit(1), chance.below(params.most_browsers, "browsers", user) + 1),
        lambda number: browser(
            "own", chance.token("cookie", user, number), 0.0, 1.0, 3 + chance.below(6, "visits", user, number)
        ),
    )
    tablet = F.when(
        F.col("is_pair") & chance.happens(params.shared_tablets, "tablet", pair),
        F.array(browser("shared", chance.token("tablet", pair), 0.0, 1.0, F.when(F.col("is_first"), 7).otherwise(3))),
    )
    recycled = F.when(
        F.col("is_pair") & chance.happens(params.recycled_cookies, "recycled", pair),
        F.array(
            browser(
                "recycled",
                chance.token("recycled cookie", pair),
                F.when(F.col("is_first"), 0.0).otherwise(0.6),
                F.when(F.col("is_first"), 0.4).otherwise(1.0),
                F.lit(4),
            )
        ),
    )
    none = F.array().cast("array<struct<kind:string,cookie:string,starts:double,ends:double,visits:int>>")
    together = F.concat(own, F.coalesce(tablet, none), F.coalesce(recycled, none))
    return users.select("household_id", "first_date", "last_date", F.inline(together))


def _visit(browsers: DataFrame, chance: Chance, params: OverlayParams) -> DataFrame:
    """One row a visit: who, with which cookie, when (seconds since 1970), and whether they sign in."""
    keys = (F.col("household_id"), F.col("cookie"), F.col("visit"))
    days = F.datediff("last_date", "first_date") + 1
    place = F.col("starts") + chance.uniform("day", *keys) * (F.col("ends") - F.col("starts"))
    midnight = F.unix_date("first_date").cast("long") + F.least(F.floor(place * days), days - 1)
    return browsers.withColumn("visit", F.explode(F.sequence(F.lit(1), F.col("visits")))).select(
        "household_id",
        "cookie",
        "kind",
        "visit",
        (midnight * _DAY + 7 * 3600 + chance.below(15 * 3600, "second", *keys)).alias("started"),
        chance.happens(params.signs_in, "signs in", *keys).alias("signs_in"),
    )


def _leave_events(visits: DataFrame, chance: Chance) -> DataFrame:
    """Page views before the sign-in carry the cookie alone; from the sign-in on the household is known."""
    keys = (F.col("household_id"), F.col("cookie"), F.col("visit"))
    number = F.col("number")
    before = 1 + chance.below(2, "before", *keys)
    after = 1 + chance.below(3, "after", *keys)
    events = visits.withColumn("sign_in_at", before + 1).withColumn(
        "number", F.explode(F.sequence(F.lit(1), before + F.when(F.col("signs_in"), after + 1).otherwise(0)))
    )
    is_sign_in = number == F.col("sign_in_at")
    known = F.col("signs_in") & (number >= F.col("sign_in_at"))
    email = _email(F.col("household_id"))
    # People type their address as they like; both forms are one address.
    typed = F.when(chance.happens(0.1, "capitals", *keys), F.upper(email)).otherwise(email)
    return events.select(
        F.concat(F.lit("simulated-"), chance.token("event", *keys, number)).alias("event_id"),
        F.when(is_sign_in, "sign_in").otherwise("page_view").alias("event_name"),
        F.timestamp_seconds(F.col("started") + number * 40 + chance.below(30, "pause", *keys, number)).alias(
            "event_ts"
        ),
        "cookie",
        F.when(is_sign_in, typed).alias("email"),
        F.when(known, F.col("household_id")).alias("household_id"),
        F.when(is_sign_in, "/sign-in").otherwise(chance.pick(_PAGES, "page", *keys, number)).alias("page"),
    )


def _tell_truth(visits: DataFrame) -> DataFrame:
    used = visits.groupBy("household_id", "cookie", "kind").agg(
        F.count("*").alias("visits"), F.max("started").alias("last"), F.max("signs_in").alias("signs_in")
    )
    rank = F.struct(F.when(F.col("kind") == "recycled", F.col("last")).otherwise(F.col("visits")), "household_id")
    cookies = used.groupBy("cookie", "kind").agg(
        F.max_by("household_id", rank).alias("owner"), F.max_by("signs_in", rank).alias("tied")
    )
    people = visits.groupBy("household_id").agg(F.max("signs_in").alias("signs_in"))
    owner = F.col("household_id").alias("owner")
    known = people.select(
        F.lit("household_id").alias("identifier_type"),
        F.col("household_id").alias("identifier_value"),
        owner,
        F.lit("own").alias("kind"),
        F.col("household_id").alias("component"),
    )
    emails = people.where("signs_in").select(
        F.lit("email"), _email(F.col("household_id")), owner, F.lit("own"), F.col("household_id")
    )
    of_cookies = cookies.select(
        F.lit("cookie"), "cookie", "owner", "kind", F.when(F.col("tied"), F.col("owner")).otherwise(F.col("cookie"))
    )
    return known.union(emails).union(of_cookies)


def _email(household: Column) -> Column:
    return F.concat(F.lit("household-"), household, F.lit("@example.com"))
