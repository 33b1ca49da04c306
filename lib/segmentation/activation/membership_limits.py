"""Who meets a rule and is kept out all the same: quiet times, groups, a limit on entries, and audiences too small.

None of it puts anybody out of an audience for another one: whoever is in stays, and only who would come in waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from segmentation.activation.audiences import KEY, members_before
from segmentation.config.audiences import AudienceSettings, EntryLimit


def limit_members(
    found: DataFrame, before: DataFrame, audiences: Sequence[AudienceSettings], limit: EntryLimit | None, as_of: date
) -> DataFrame:
    """Members by the rules alone -> those who are in: `audience`, `person_id`, `segment_id`.

    `before`: rows of `audience_members`; what was written for `as_of` and later does not count. Rows that depend on
    nothing but these, so a date may be run again.
    """
    return limit_entries(found, members_before(before, as_of), audiences, limit, as_of)


def limit_entries(
    found: DataFrame, earlier: DataFrame, audiences: Sequence[AudienceSettings], limit: EntryLimit | None, as_of: date
) -> DataFrame:
    """The same while the date is not over: all rows of `audience_members` that are `earlier` count."""
    quiet = {a.name: a.again_after_days for a in audiences if a.again_after_days}
    groups = {a.name: a.group for a in audiences if a.group}
    smallest = {a.name: a.min_size for a in audiences if a.min_size}
    members = found
    if quiet or groups or limit:
        inside = earlier.where("left_as_of IS NULL").select(*KEY, F.lit(False).alias("new"))
        members = members.join(inside, KEY, "left").withColumn("new", F.coalesce("new", F.lit(True)))
    if quiet:
        members = _keep_quiet(members, earlier, quiet, as_of)
    order = _lookup({audience.name: number for number, audience in enumerate(audiences)})
    if groups:
        members = _one_of_a_group(members, groups, order)
    if limit:
        members = _keep_limit(members, earlier, limit, order, as_of)
    if smallest:
        sizes = members.groupBy("audience").agg(F.count("*").alias("size"))
        enough = sizes.where(F.col("size") >= F.coalesce(_lookup(smallest), F.lit(0))).select("audience")
        members = members.join(F.broadcast(enough), "audience", "left_semi")
    return members.select(*found.columns)


def _keep_quiet(members: DataFrame, earlier: DataFrame, quiet: Mapping[str, int], as_of: date) -> DataFrame:
    """Without those who would come in again too soon after they left."""
    away = F.datediff(F.lit(as_of), "left_as_of") < _lookup(quiet)
    left = earlier.where(away).select(*KEY).distinct().withColumn("left", F.lit(True))
    return members.join(left, KEY, "left").where(~(F.col("new") & F.coalesce("left", F.lit(False)))).drop("left")


def _one_of_a_group(members: DataFrame, groups: Mapping[str, str], order: Column) -> DataFrame:
    """Each person in one audience of a group: the one that they are in, else the first."""
    group = F.coalesce(_lookup(groups), F.concat(F.lit("-"), F.col("audience")))  # no group has a name like that
    rank = F.row_number().over(Window.partitionBy("person_id", group).orderBy("new", order))
    return members.withColumn("rank", rank).where("rank = 1").drop("rank")


def _keep_limit(members: DataFrame, earlier: DataFrame, limit: EntryLimit, order: Column, as_of: date) -> DataFrame:
    """Without those entries that are more than a person may have, the last in order."""
    since = as_of - timedelta(days=limit.days)
    entered = earlier.where(F.col("entered_as_of") > F.lit(since)).groupBy("person_id").agg(F.count("*").alias("had"))
    number = F.row_number().over(Window.partitionBy("person_id", "new").orderBy(order))
    numbered = members.withColumn("number", number).join(entered, "person_id", "left")
    fits = F.col("number") + F.coalesce("had", F.lit(0)) <= limit.entries
    return numbered.where(~F.col("new") | fits).drop("number", "had")


def _lookup(values: Mapping[str, object]) -> Column:
    """What stands for the row's audience; null where nothing does."""
    pairs = [F.lit(part) for pair in values.items() for part in pair]
    return F.element_at(F.create_map(*pairs), F.col("audience")) if pairs else F.lit(None)
