"""What a campaign of an audience needs before it is sent, and what its arms can show. Reads, and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.audiences import ALL_CAMPAIGNS
from segmentation.config.settings import Settings
from segmentation.contracts.errors import InputError
from segmentation.experiments.holdouts import control_group
from segmentation.experiments.planning import Plan, plan_campaign
from segmentation.features.rules import rule_column
from segmentation.runtime.stage import StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour
from segmentation.stages.audiences import STAGE, find_audience, find_members

READS = (*STAGE.reads, "holdouts")
DAYS, EFFECT, POWER = 30, 0.01, 0.8
"""Days of a campaign, and the effect on the share who buy that is to be seen this often, where nothing else is said."""


@dataclass(frozen=True)
class CampaignPlan:
    """One audience at the end of a date. `rate_days`: the days up to it that the rate is of; None: it was given."""

    audience: str
    as_of: date
    rate_days: int | None
    plan: Plan


def plan_audience(
    context: StageContext,
    audience: str,
    effect: float = EFFECT,
    power: float = POWER,
    rate: float | None = None,
    days: int = DAYS,
) -> CampaignPlan:
    """Plans a campaign to an audience that has a control group, or to everyone for that of all campaigns.

    `rate`: share who buy without it; None: the share of the audience who bought in the `days` days up to the date.
    Raises `InputError` where nobody is there to go by, or the shares cannot be.
    """
    settings, as_of = context.settings, context.as_of
    people = _people(context, audience)
    both = people.join(_buyers(context, days), "person_id", "left")
    row = both.agg(F.count("*").alias("people"), F.count("bought").alias("bought")).first()
    assert row is not None, "a global aggregate has one row"
    if rate is None and not row["people"]:
        raise InputError(f"Nobody is in '{audience}' at {as_of}, so there is no share to go by: say `--rate`.")
    found = row["bought"] / row["people"] if rate is None else rate
    plan = plan_campaign(found, effect, power, _holdout(settings, audience), row["people"])
    return CampaignPlan(audience, as_of, days if rate is None else None, plan)


def _holdout(settings: Settings, audience: str) -> float:
    share = settings.universal_control if audience == ALL_CAMPAIGNS else find_audience(settings, audience).holdout
    assert share is not None, "an audience without a control group has been refused"
    return share


def _people(context: StageContext, audience: str) -> DataFrame:
    """`person_id` of everyone whom an arm of the audience's test would have."""
    if audience == ALL_CAMPAIGNS:
        return context.read("features").where(F.col("as_of") == F.lit(context.as_of)).select("person_id")
    members = find_members(context, find_audience(context.settings, audience)).select("person_id")
    if context.settings.universal_control is None:
        return members
    return members.join(control_group(context.read_or_empty("holdouts"), ALL_CAMPAIGNS), "person_id", "left_anti")


def _buyers(context: StageContext, days: int) -> DataFrame:
    """`person_id` of who bought in the last days, with `bought`."""
    settings, since = context.settings, context.as_of - timedelta(days=days)
    events = keep_behaviour(context.read("events"), context.as_of, settings).where(F.col("event_date") > F.lit(since))
    owned = attach_persons(events, context.read_owners(), list(settings.identity.identifiers))
    bought = owned.where(rule_column(settings.features.purchase, "events")).select("person_id").distinct()
    return bought.withColumn("bought", F.lit(True))
