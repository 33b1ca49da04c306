"""Control groups: people of an audience who are left out of its campaigns, so that these have something to beat."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from segmentation.config.audiences import ALL_CAMPAIGNS
from segmentation.contracts.experiments import HOLDOUTS
from segmentation.contracts.table import check_columns
from segmentation.privacy.tokens import hmac_sha256, with_token_key

CONTROL, TREATED = "control", "treated"
NO_SEGMENT = "none"
"""Stratum of people who are in no segment."""

_KEY = ["audience", "person_id"]
_STRATUM = ["audience", "stratum"]
_DIGITS = 12


def assign_arms(
    before: DataFrame,
    members: DataFrame,
    shares: Mapping[str, float],
    key: bytes,
    as_of: date,
    standing: Collection[str] = (),
) -> DataFrame:
    """Rows of `holdouts` -> the same with everyone of `members` (`audience`, `person_id`, `segment_id`) in an arm.

    `shares`: audience -> which share of it is the control group. Who has an arm keeps it, whatever becomes of the
    person or the share. Of those who are new, each segment gives its share: as many whole people as there are, those
    with the smallest keyed hash, and one more with a chance of what is left over, so that the group grows in
    proportion and no arm can be foretold without the key. What was assigned on `as_of` or later is taken back first,
    but for the audiences that are `standing`: of these somebody may have heard on the same day.
    """
    check_columns(before, set(HOLDOUTS.column_names), "the table 'holdouts'")
    check_columns(members, {*_KEY, "segment_id"}, "the members of the audiences")
    earlier = before.where((F.col("assigned_as_of") < F.lit(as_of)) | F.col("audience").isin(list(standing)))
    chosen = members.where(F.col("audience").isin(list(shares)))
    new = chosen.join(earlier.select(_KEY), _KEY, "left_anti")
    drawn = with_token_key(new, key).select(
        *_KEY,
        F.coalesce("segment_id", F.lit(NO_SEGMENT)).alias("stratum"),
        hmac_sha256(F.encode(F.concat_ws("\0", F.lit("holdout"), *_KEY), "UTF-8")).alias("hash"),
    )
    held = earlier.groupBy(_STRATUM).agg(
        F.count("*").alias("people"), F.count_if(F.col("arm") == CONTROL).alias("controls")
    )
    share = _share(shares)
    # What rounding left over before; more than a person is left over only where the share was another one.
    carried = F.coalesce(share * F.col("people") - F.col("controls"), F.lit(0.0))
    wanted = share * F.count("*").over(Window.partitionBy(_STRATUM)) + F.greatest(
        F.lit(-1.0), F.least(F.lit(1.0), carried)
    )
    ranked = drawn.join(F.broadcast(held), _STRATUM, "left").select(
        *_KEY, "stratum", "hash", wanted.alias("wanted"), F.row_number().over(_by_hash()).alias("rank")
    )
    chance = F.col("wanted") - F.floor("wanted")
    control = (F.col("rank") <= F.floor("wanted")) | (
        (F.col("rank") == F.floor("wanted") + 1) & (_draw(F.col("hash")) < chance)
    )
    assigned = ranked.select(
        *_KEY,
        F.when(control, CONTROL).otherwise(TREATED).alias("arm"),
        "stratum",
        F.lit(as_of).alias("assigned_as_of"),
        F.lit(None).cast("string").alias("other_arm"),
    )
    return earlier.select(*HOLDOUTS.column_names).unionByName(assigned)


def assign_apart(
    before: DataFrame,
    everyone: DataFrame,
    members: DataFrame,
    universal: float,
    shares: Mapping[str, float],
    key: bytes,
    as_of: date,
    standing: Collection[str] = (),
) -> DataFrame:
    """As `assign_arms`, with a share of `everyone` (`person_id`, `segment_id`) held out of the campaigns of every
    audience. Who is held out so has no arm in an audience from then on: neither group of its test is to hold people
    of whom the other has none. Who had one before keeps it, as treated.
    """
    of_all = F.col("audience") == ALL_CAMPAIGNS
    named = everyone.select(F.lit(ALL_CAMPAIGNS).alias("audience"), "person_id", "segment_id")
    overall = assign_arms(before.where(of_all), named, {ALL_CAMPAIGNS: universal}, key, as_of)
    others = members.join(control_group(overall, ALL_CAMPAIGNS), "person_id", "left_anti")
    return overall.unionByName(assign_arms(before.where(~of_all), others, shares, key, as_of, standing))


def control_group(holdouts: DataFrame, *audiences: str) -> DataFrame:
    """Rows of `holdouts` -> `person_id` of whoever is held out of the campaigns of one of these, each once."""
    held_out = holdouts.where(F.col("audience").isin(*audiences) & (F.col("arm") == CONTROL))
    return held_out.select("person_id").distinct()


def _share(shares: Mapping[str, float]) -> Column:
    found = F.lit(0.0)
    for audience, share in sorted(shares.items()):
        found = F.when(F.col("audience") == audience, F.lit(share)).otherwise(found)
    return found


def _by_hash() -> WindowSpec:
    return Window.partitionBy(_STRATUM).orderBy("hash")


def _draw(digest: Column) -> Column:
    """A number from 0 to 1 of the digest's end, which has nothing to do with its place in the order."""
    return F.conv(F.substring(digest, -_DIGITS, _DIGITS), 16, 10).cast("double") / float(16**_DIGITS)
