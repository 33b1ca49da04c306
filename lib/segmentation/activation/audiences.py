"""Who is in which audience at the end of a date, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.activation.conditions import ENTERED, FEATURES, GRANTED, Compiler, audience_column, name_in_grid
from segmentation.config.audiences import AudienceSettings, PersonRule, in_order
from segmentation.config.rfm import Grid
from segmentation.contracts.activation import AUDIENCE_MEMBERS
from segmentation.contracts.errors import Problem
from segmentation.contracts.table import check_columns
from segmentation.features.measures import Measures
from segmentation.features.quantiles import values_at
from segmentation.segments.named import unknown_segments

KEY = ["audience", "person_id"]


def check_segments(audiences: Sequence[AudienceSettings], names: Mapping[str, str]) -> list[Problem]:
    """Segments that the audiences name and that are not published (`names`: id -> name), with their key paths."""
    return [
        problem
        for number, audience in enumerate(audiences)
        for key, rule in audience.who.walk(f"audiences.{number}.who")
        for problem in unknown_segments(
            rule.segment_names, names, f"{key}.{'segment' if rule.segment is not None else 'entered'}"
        )
    ]


def named_purposes(audiences: Sequence[AudienceSettings]) -> list[str]:
    """The purposes that rules ask people to have granted."""
    return sorted({rule.granted for a in audiences for _, rule in a.who.walk("") if rule.granted is not None})


def named_grids(audiences: Sequence[AudienceSettings]) -> list[Grid]:
    """The grids of scores in which rules ask people to have a name."""
    return sorted({rule.grid for a in audiences for _, rule in a.who.walk("") if rule.grid is not None})


def describe_people(
    features: DataFrame,
    segments: DataFrame,
    changes: DataFrame,
    scores: Mapping[Grid, DataFrame],
    granted: DataFrame,
    audiences: Sequence[AudienceSettings],
) -> DataFrame:
    """One row a person of `features` (of one date) -> `person_id`, STRUCT `features`, `segment_id` (null: in none), and
    where an audience asks for them names in grids of scores, `entered_segment_id` of those who moved, and `granted`.

    `segments` and `changes`: one row a person of one version; `scores`: the grids that are asked for, of the date;
    `granted`: as of `granted_purposes`.
    The struct has the features that audiences name.
    """
    rules = [rule for audience in audiences for _, rule in audience.who.walk("")]
    named = sorted({rule.feature for rule in rules if rule.feature is not None})
    check_columns(features, ["person_id", *named], "the table 'features' at this date")
    check_columns(segments, ["person_id", "segment_id"], "the published segments")
    struct = F.struct(*named) if named else F.lit(None)
    people = features.select("person_id", struct.alias(FEATURES))
    described = people.join(segments.select("person_id", "segment_id"), "person_id", "left")
    if any(rule.entered for rule in rules):
        moved = changes.select("person_id", F.col("to_segment_id").alias(ENTERED))
        described = described.join(moved, "person_id", "left")
    for grid in named_grids(audiences):
        named_so = scores[grid].select("person_id", F.col("rfm_segment").alias(name_in_grid(grid)))
        described = described.join(named_so, "person_id", "left")
    if named_purposes(audiences):
        described = described.join(granted.select("person_id", GRANTED), "person_id", "left")
    return described


def find_tops(features: DataFrame, audiences: Sequence[AudienceSettings]) -> dict[tuple[str, float], float]:
    """Feature and share, as audiences name them with `top_share` -> the least that one of those people has of it, where
    anybody has any."""
    rules = [rule for audience in audiences for _, rule in audience.who.walk("")]
    asked = {(rule.feature, rule.top_share) for rule in rules if rule.feature and rule.top_share}
    if not asked:
        return {}
    names = sorted({name for name, _ in asked})
    row = features.agg(*(F.count(name).alias(name) for name in names)).first()
    assert row is not None, "a global aggregate has one row"
    # At least one person, and no more than the share: written as decimals, so that 0.07 of 100 are 7.
    place = {(name, share): row[name] - max(1, int(Decimal(str(share)) * row[name])) for name, share in asked}
    at = values_at(features, {n: [place[n, s] for name, s in asked if name == n and row[n]] for n in names})
    return {key: at[key[0], place[key]] for key in asked if row[key[0]]}


def judge_people(
    people: DataFrame,
    events: DataFrame,
    audiences: Sequence[AudienceSettings],
    segments: Mapping[str, str],
    tops: Mapping[tuple[str, float], float],
    as_of: date,
    conditions: Sequence[PersonRule] = (),
) -> DataFrame:
    """One row a person -> `person_id`, `segment_id`, and BOOLEAN: `is_NAME` for each audience, `meets_N` for each
    further condition.

    `people` as of `describe_people`; `events` with `person_id`, none after the end of `as_of`, are read once for all
    audiences, and not at all where none asks for them; `segments`: id -> name; `tops` as of `find_tops`.
    """
    measures = Measures("events", as_of)
    compiler = Compiler(measures, segments, tops)
    columns = {audience.name: compiler.column(audience.who) for audience in audiences}
    further = [compiler.column(condition).alias(f"meets_{n}") for n, condition in enumerate(conditions)]
    judged = people
    if measures.asked:
        judged = judged.join(measures.compute(events), "person_id", "left")
    for level in in_order(audiences):
        judged = judged.select("*", *(columns[a.name].alias(audience_column(a.name)) for a in level))
    judged = judged.select("*", *further)
    return judged.select(
        "person_id", "segment_id", *map(audience_column, columns), *(f"meets_{n}" for n in range(len(further)))
    )


def list_members(judged: DataFrame, audiences: Sequence[AudienceSettings]) -> DataFrame:
    """One row a person -> one row a person and audience: `audience`, `person_id`, `segment_id`."""
    names = [F.when(F.col(audience_column(a.name)), F.lit(a.name)) for a in audiences]
    inside = F.array_compact(F.array(*names)) if names else F.array().cast("array<string>")
    return judged.select(F.explode(inside).alias("audience"), "person_id", "segment_id")


def update_members(before: DataFrame, now: DataFrame, as_of: date) -> DataFrame:
    """Rows of `audience_members` -> the same with the members of `now` at the end of `as_of`.

    What was written for `as_of` and for later dates is taken back first, so a date may be run again: the rows depend
    on the dates before it, on `now`, and on when on this date who is in `now` came in live.
    """
    check_columns(before, set(AUDIENCE_MEMBERS.column_names), "the table 'audience_members'")
    check_columns(now, KEY, "the members of the audiences")
    date_, left = F.lit(as_of), F.col("left_as_of")
    earlier = members_before(before, as_of)
    live = before.where(F.col("entered_as_of") == date_).select(*KEY, F.col("entered_ts").alias("live_ts"))
    inside = now.select(*KEY, F.lit(True).alias("is_in")).join(live, KEY, "left")
    current = (
        earlier.where(left.isNull())
        .join(inside, KEY, "full_outer")
        .select(
            *KEY,
            F.coalesce("entered_as_of", date_).alias("entered_as_of"),
            F.when(F.col("is_in").isNull(), date_).alias("left_as_of"),
            F.coalesce("entered_ts", "live_ts").alias("entered_ts"),
        )
    )
    dated = earlier.where(left.isNotNull()).select(*current.columns).unionByName(current)
    return dated.withColumns(
        {"entered_ts": F.coalesce("entered_ts", _end_of("entered_as_of")), "left_ts": _end_of("left_as_of")}
    ).select(*AUDIENCE_MEMBERS.column_names)


def members_before(members: DataFrame, as_of: date) -> DataFrame:
    """Rows of `audience_members` as they were before `as_of` was looked at."""
    date_, left = F.lit(as_of), F.col("left_as_of")
    return members.where(F.col("entered_as_of") < date_).withColumn("left_as_of", F.when(left < date_, left))


def _end_of(day: str) -> Column:
    """The moment at which a DATE (UTC) is over."""
    return F.date_add(day, 1).cast("timestamp")


def single_conditions(rule: PersonRule) -> Iterator[PersonRule]:
    """The conditions of which every one must hold: what `all` joins, taken apart."""
    for part in rule.all or [rule]:
        yield from single_conditions(part) if part.all else [part]
