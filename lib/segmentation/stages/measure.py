"""What the campaigns of an audience add: the treated against the control group. Reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pyspark.sql import functions as F

from segmentation.config.audiences import ALL_CAMPAIGNS
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError, InputError, Problem
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
from segmentation.experiments.outcomes import Outcomes, read_outcomes, sum_outcomes
from segmentation.experiments.resampling import resample_means
from segmentation.features.rules import rule_column
from segmentation.runtime.stage import StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour

READS = ("holdouts", "events", "identity_map", "identity_history")
EVERYONE = "everyone"


@dataclass(frozen=True)
class Comparison:
    """The two arms of one segment, or of everyone: shares who bought, and what was spent a person, as it is (by a t
    test, and by drawing again) and given what people had spent before.

    `adjusted_p_value` is of the shares, corrected for the number of segments; everyone's needs no correction.
    """

    segment_id: str
    treated: Arm
    control: Arm
    bought: Effect
    spent: Effect
    spent_resampled: Effect
    spent_given_before: Effect
    smallest_visible: float
    adjusted_p_value: float


@dataclass(frozen=True)
class Measurement:
    """One audience at the end of a date."""

    audience: str
    as_of: date
    since: date
    everyone: Comparison
    segments: Sequence[Comparison]


def measure(context: StageContext, audiences: Sequence[str]) -> list[Measurement]:
    """Compares the arms of each audience by what they bought (`features.purchase`) since they were assigned.

    Events are read once for all audiences. Raises `InputError` where nobody of one has an arm yet.
    """
    settings, as_of = context.settings, context.as_of
    holdouts = context.read_or_empty("holdouts").where(
        F.col("audience").isin(list(audiences)) & (F.col("assigned_as_of") <= F.lit(as_of))
    )
    behaviour = keep_behaviour(context.read("events"), as_of, settings)
    owned = attach_persons(behaviour, context.read_owners(), list(settings.identity.identifiers))
    purchases = owned.where(rule_column(settings.features.purchase, "events"))
    found = read_outcomes(sum_outcomes(holdouts, purchases))
    for audience in audiences:
        if audience not in found:
            raise InputError(f"Nobody of '{audience}' is in a control group yet: run `segmentation audiences` first.")
    return [_measurement(audience, as_of, found[audience]) for audience in audiences]


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


def _measurement(audience: str, as_of: date, found: Outcomes) -> Measurement:
    segments = {segment_id: _compare(segment_id, groups) for segment_id, groups in found.groups.items()}
    adjusted = adjust_p_values({segment_id: c.bought.p_value for segment_id, c in segments.items()})
    together = {arm: [g for of in found.groups.values() for g in of.get(arm, ())] for arm in (TREATED, CONTROL)}
    return Measurement(
        audience=audience,
        as_of=as_of,
        since=found.since,
        everyone=_compare(EVERYONE, together),
        segments=[replace(one, adjusted_p_value=adjusted[segment_id]) for segment_id, one in segments.items()],
    )


def _compare(segment_id: str, groups: Mapping[str, Sequence[Arm]]) -> Comparison:
    treated, control = (sum(groups.get(arm, ()), NOBODY) for arm in (TREATED, CONTROL))
    bought = compare_rates(treated, control)
    return Comparison(
        segment_id=segment_id,
        treated=treated,
        control=control,
        bought=bought,
        spent=compare_means(treated, control),
        spent_resampled=resample_means(groups.get(TREATED, ()), groups.get(CONTROL, ())),
        spent_given_before=compare_means_given_before(treated, control),
        smallest_visible=smallest_visible(treated, control),
        adjusted_p_value=bought.p_value,
    )
