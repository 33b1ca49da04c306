"""What the campaigns of an audience add: the treated against the control group. Reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import functions as F

from segmentation.contracts.errors import InputError
from segmentation.experiments.holdouts import CONTROL, TREATED
from segmentation.experiments.lift import Arm, Effect, adjust_p_values, compare_means, compare_rates
from segmentation.experiments.outcomes import read_arms, sum_outcomes
from segmentation.features.rules import rule_column
from segmentation.runtime.stage import StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour

READS = ("holdouts", "events", "identity_map")
EVERYONE = "everyone"
_NOBODY = Arm(0, 0, 0.0, 0.0)


@dataclass(frozen=True)
class Comparison:
    """The two arms of one segment, or of everyone: shares who bought, and what was spent a person.

    `adjusted_p_value` is of the shares, corrected for the number of segments; everyone's needs no correction.
    """

    segment_id: str
    treated: Arm
    control: Arm
    bought: Effect
    spent: Effect
    adjusted_p_value: float


@dataclass(frozen=True)
class Measurement:
    """One audience at the end of a date."""

    audience: str
    as_of: date
    since: date
    everyone: Comparison
    segments: Sequence[Comparison]


def measure(context: StageContext, audience: str) -> Measurement:
    """Compares the arms of an audience by what they bought (`features.purchase`) since they were assigned.

    Raises `InputError` where nobody has an arm yet.
    """
    settings, as_of = context.settings, context.as_of
    arms = context.read_or_empty("holdouts").where(
        (F.col("audience") == audience) & (F.col("assigned_as_of") <= F.lit(as_of))
    )
    first = arms.agg(F.min("assigned_as_of")).first()
    if first is None or first[0] is None:
        raise InputError(f"Nobody of '{audience}' is in a control group yet: run `segmentation audiences` first.")
    owned = attach_persons(
        keep_behaviour(context.read("events"), as_of), context.read("identity_map"), list(settings.identity.identifiers)
    )
    purchases = owned.where(rule_column(settings.features.purchase, "events"))
    found = read_arms(sum_outcomes(arms, purchases))
    segments = {segment_id: _compare(segment_id, found[segment_id]) for segment_id in found}
    adjusted = adjust_p_values({segment_id: c.bought.p_value for segment_id, c in segments.items()})
    together = {arm: sum((of.get(arm, _NOBODY) for of in found.values()), _NOBODY) for arm in (TREATED, CONTROL)}
    return Measurement(
        audience=audience,
        as_of=as_of,
        since=first[0],
        everyone=_compare(EVERYONE, together),
        segments=[_compare(segment_id, found[segment_id], adjusted[segment_id]) for segment_id in segments],
    )


def _compare(segment_id: str, arms: Mapping[str, Arm], adjusted: float | None = None) -> Comparison:
    treated, control = arms.get(TREATED, _NOBODY), arms.get(CONTROL, _NOBODY)
    bought = compare_rates(treated, control)
    return Comparison(
        segment_id=segment_id,
        treated=treated,
        control=control,
        bought=bought,
        spent=compare_means(treated, control),
        adjusted_p_value=bought.p_value if adjusted is None else adjusted,
    )
