"""What the campaigns of an audience add: the treated against the control group. Reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.held import read_held
from segmentation.activation.log import read_standings
from segmentation.config.audiences import ALL_CAMPAIGNS
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError, InputError, Problem
from segmentation.experiments.contamination import Contamination, count_contamination
from segmentation.experiments.holdouts import CONTROL, TREATED
from segmentation.experiments.lift import (
    NOBODY,
    Arm,
    Effect,
    adjust_p_values,
    compare_means,
    compare_means_given_before,
    compare_rates,
    smallest_visible,
)
from segmentation.experiments.merges import find_merged, follow_merges
from segmentation.experiments.outcomes import Outcomes, read_outcomes, sum_outcomes
from segmentation.experiments.resampling import resample_means
from segmentation.features.rules import rule_column
from segmentation.runtime.stage import StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour

READS = ("holdouts", "events", "identity_map", "identity_history", "export_log", "export_members")
EVERYONE = "everyone"
TESTED = ("bought", "spent", "spent_resampled", "spent_given_before")
"""Figures of a `Comparison` that come with a p-value."""


@dataclass(frozen=True)
class Comparison:
    """The two arms of one segment, or of everyone: shares who bought, and what was spent a person, as it is (by a t
    test, and by drawing again) and given what people had spent before.

    `adjusted_p_values`: figure -> its p-value, corrected for all of that figure that one call of `measure` tells.
    """

    segment_id: str
    treated: Arm
    control: Arm
    bought: Effect
    spent: Effect
    spent_resampled: Effect
    spent_given_before: Effect
    smallest_visible: float
    adjusted_p_values: Mapping[str, float]


@dataclass(frozen=True)
class Measurement:
    """One audience at the end of a date."""

    audience: str
    as_of: date
    since: date
    contamination: Contamination
    everyone: Comparison
    segments: Sequence[Comparison]


def measure(context: StageContext, audiences: Sequence[str]) -> list[Measurement]:
    """Compares the arms of each audience by what they bought (`features.purchase`) since they were assigned.

    People are who they are known to be now: who was in both arms counts in the first. Events are read once for all
    audiences, and p-values are corrected for all audiences and segments. Raises `InputError` where nobody of one has an
    arm yet.
    """
    settings, as_of = context.settings, context.as_of
    assigned = context.read_or_empty("holdouts").where(
        F.col("audience").isin(list(audiences)) & (F.col("assigned_as_of") <= F.lit(as_of))
    )
    delivered, trust = _delivered(context, audiences), list(settings.identity.identifiers)
    known, owners = assigned.select("person_id").union(delivered.select("person_id")), context.read_owners()
    merged = find_merged(known, context.read_or_empty("identity_history"), owners, trust).localCheckpoint()
    holdouts = follow_merges(assigned, merged)
    today = F.coalesce("now", "person_id").alias("person_id")
    mixed = count_contamination(holdouts, delivered.join(merged, "person_id", "left").select("audience", today))
    owned = attach_persons(keep_behaviour(context.read("events"), as_of, settings), owners, trust)
    purchases = owned.where(rule_column(settings.features.purchase, "events"))
    found = read_outcomes(sum_outcomes(holdouts, purchases))
    for audience in audiences:
        if audience not in found:
            raise InputError(f"Nobody of '{audience}' is in a control group yet: run `segmentation audiences` first.")
    return _correct([_measurement(audience, as_of, found[audience], mixed[audience]) for audience in audiences])


def find_held_out(settings: Settings, asked: str | None = None) -> list[str]:
    """The audience asked for, or every one that has a control group, and all of them together where they have one.

    Raises `ConfigError` where there is none.
    """
    held_out = [one.name for one in settings.audiences if one.holdout]
    held_out += [] if settings.universal_control is None else [ALL_CAMPAIGNS]
    if not held_out or (asked is not None and asked not in held_out):
        there = f"those with one are {', '.join(held_out)}" if held_out else "no audience has one"
        what = f"'{asked}' has no control group" if asked else "there is nothing to compare"
        mend = "give it a `holdout`, or all of them a `universal_control`"
        raise ConfigError([Problem("audiences", f"{what} ({there}): {mend}")])
    return [asked] if asked else held_out


def _delivered(context: StageContext, audiences: Sequence[str]) -> DataFrame:
    """`audience`, `person_id`: whom destinations of these audiences hold by their last delivery; those of every
    audience are of all campaigns too."""
    standings = read_standings(context.read_or_empty("export_log"))
    rows = context.read_or_empty("export_members")
    found = rows.where(F.lit(False)).select(F.lit("").alias("audience"), "person_id")
    for export in context.settings.exports:
        last = standings[export.name].last if export.name in standings else None
        names = [name for name in (export.audience, ALL_CAMPAIGNS) if export.audience and name in audiences]
        if names and last is not None:
            held = read_held(rows, export.name, last)
            found = found.unionByName(
                held.select(F.explode(F.array(*map(F.lit, names))).alias("audience"), "person_id")
            )
    return found


def _measurement(audience: str, as_of: date, found: Outcomes, contamination: Contamination) -> Measurement:
    together = {arm: [g for of in found.groups.values() for g in of.get(arm, ())] for arm in (TREATED, CONTROL)}
    return Measurement(
        audience=audience,
        as_of=as_of,
        since=found.since,
        contamination=contamination,
        everyone=_compare(EVERYONE, together),
        segments=[_compare(segment_id, groups) for segment_id, groups in found.groups.items()],
    )


def _compare(segment_id: str, groups: Mapping[str, Sequence[Arm]]) -> Comparison:
    treated, control = (sum(groups.get(arm, ()), NOBODY) for arm in (TREATED, CONTROL))
    return Comparison(
        segment_id=segment_id,
        treated=treated,
        control=control,
        bought=compare_rates(treated, control),
        spent=compare_means(treated, control),
        spent_resampled=resample_means(groups.get(TREATED, ()), groups.get(CONTROL, ())),
        spent_given_before=compare_means_given_before(treated, control),
        smallest_visible=smallest_visible(treated, control),
        adjusted_p_values={},
    )


def _correct(found: Sequence[Measurement]) -> list[Measurement]:
    """The same with the p-values of each figure corrected for all of its tests."""
    rows = {(one.audience, place): row for one in found for place, row in enumerate((one.everyone, *one.segments))}
    adjusted = {
        figure: adjust_p_values({test: getattr(row, figure).p_value for test, row in rows.items()}) for figure in TESTED
    }
    told = {
        test: replace(row, adjusted_p_values={figure: adjusted[figure][test] for figure in TESTED})
        for test, row in rows.items()
    }
    return [
        replace(
            one,
            everyone=told[one.audience, 0],
            segments=[told[one.audience, place] for place in range(1, len(one.segments) + 1)],
        )
        for one in found
    ]
