"""The command that says what campaigns add."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isnan
from typing import Any

import click
from rich.table import Table

from segmentation.experiments.contamination import Contamination
from segmentation.experiments.lift import Effect
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.record import RunRecord
from segmentation.runtime.runner import Request, open_context
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages.measure import READS, Comparison, Measurement, find_held_out
from segmentation.stages.measure import measure as measure_audiences
from segmentation.stages.measure_plan import DAYS, EFFECT, POWER, CampaignPlan, plan_audience
from segmentation.stages.measure_plan import READS as PLAN_READS

_SIGNIFICANT = 0.05
_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command(epilog="\b\nExample:\n  segmentation measure --audience lapsing --config conf/example.yml")
@click.option("--audience", metavar="NAME", help="Default: every one that has a control group, and all_campaigns.")
@click.option("--plan", metavar="AUDIENCE", help="Say beforehand what a campaign of this audience can show.")
@click.option("--effect", type=_SHARE, help=f"With --plan: the rise of the share to be seen. Default: {EFFECT}.")
@click.option("--rate", type=_SHARE, help="With --plan: the share who buy anyway. Default: who bought lately.")
@click.option("--days", type=click.IntRange(1, 36_500), help=f"With --plan: in how many days. Default: {DAYS}.")
@click.option("--power", type=_SHARE, help=f"With --plan: how often it is to be seen. Default: {POWER}.")
@common_options
def measure(common: Common, audience: str | None, plan: str | None, **planned: Any) -> None:
    """Say what the campaigns of an audience add, against its control group, and what all add together.

    Of what people spent, the first figure is the plain difference (Welch), the second its interval by drawing again
    from the same people (bootstrap), which a few who spend very much do not upset, and the third takes out what they
    had spent before anyway (CUPED). p is of the share who bought and of the plain difference of what was spent, each
    corrected for all audiences and segments that are told (Holm).

    Contamination is who was in both arms, and counts in the first, and who was held out and is at a destination of the
    audience all the same.

    --plan says how many people it takes to tell an effect from chance, and what the audience of today can show.
    """
    given = {name: value for name, value in planned.items() if value is not None}
    if plan is None and given:
        raise click.UsageError(f"--{next(iter(given))} goes with --plan.")
    if plan is not None and audience is not None:
        raise click.UsageError("Give either --audience, to measure it, or --plan.")
    settings = common.settings()
    names = find_held_out(settings, audience or plan)
    warehouse, reads = Warehouse(common.spark(settings), settings.warehouse), READS if plan is None else PLAN_READS
    context = open_context(RunRecord(warehouse), settings, reads, Request(common.as_of), common.progress().tell)
    if plan is not None:
        _tell_plan(plan_audience(context, plan, **given), common)
        return
    found = measure_audiences(context, names)
    if common.log_format == "json":
        click.echo(json.dumps([_plain(asdict(one)) for one in found], default=str))
        return
    console = open_console()
    for one in found:
        console.print(f"{one.audience}: {_verdict(one)}{_mixed(one.contamination)}")
        console.print(_table(one))


def _tell_plan(found: CampaignPlan, common: Common) -> None:
    if common.log_format == "json":
        click.echo(json.dumps(_plain(asdict(found)), default=str))
        return
    plan = found.plan
    by_now = f"of {plan.people:,} people at the end of {found.as_of}, {plan.holdout:.0%} are held out"
    before = "said" if found.rate_days is None else f"in the last {found.rate_days} days"
    console = open_console()
    console.print(f"{found.audience}: {by_now}; {plan.rate:.1%} buy anyway ({before}).")
    console.print(
        f"To see {100 * plan.effect:g} points more in {plan.power:.0%} of campaigns, it takes "
        f"{plan.needed_treated:,} treated people and {plan.needed_control:,} held out."
    )
    if isnan(plan.power_today):
        console.print("So few people are in it that one of the arms would have nobody.")
        return
    smallest = "No rise is large enough to be seen as often as that."
    if not isnan(plan.smallest_effect):
        smallest = f"The smallest rise that is seen as often as that: {100 * plan.smallest_effect:.2f} points."
    console.print(f"The audience of today shows it in {plan.power_today:.0%} of campaigns. {smallest}")


def _verdict(one: Measurement) -> str:
    treated, control, effect = one.everyone.treated, one.everyone.control, one.everyone.bought
    if isnan(effect.p_value):
        return "an arm has no people yet, so there is nothing to compare."
    told = "more than chance explains"
    if one.everyone.adjusted_p_values["bought"] >= _SIGNIFICANT:
        told = "no more than chance may explain"
        if not isnan(one.everyone.smallest_visible):
            told += f" (arms of this size show {100 * one.everyone.smallest_visible:.1f} points four times in five)"
    return (
        f"from {one.since} to {one.as_of}, {treated.rate:.1%} of {treated.people:,} treated people bought, and "
        f"{control.rate:.1%} of {control.people:,} held out: {_points(effect)}, {told}."
    )


def _mixed(found: Contamination) -> str:
    """What is mixed up in the arms, where anything is."""
    told = []
    if found.in_both_arms:
        told.append(f"people of both arms who turned out to be one: {found.in_both_arms:,}, each in the first arm")
    if found.controls_delivered:
        told.append(f"held out and delivered all the same: {found.controls_delivered:,}")
    return f" Contamination: {'; '.join(told)}." if told else ""


def _table(one: Measurement) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in (
        "segment",
        "treated",
        "control",
        "bought more (95 %)",
        "spent more (95 %)",
        "drawn again",
        "given before",
        "p bought",
        "p spent",
    ):
        table.add_column(name, justify="left" if name == "segment" else "right", overflow="fold")
    for row in (one.everyone, *one.segments):
        table.add_row(*_cells(row))
    return table


def _cells(row: Comparison) -> tuple[str, ...]:
    p_values = ("" if isnan(p) else f"{p:.3f}" for p in (row.adjusted_p_values[name] for name in ("bought", "spent")))
    people = (f"{row.treated.people:,}", f"{row.control.people:,}")
    spent = (_money(row.spent), _range(row.spent_resampled), _money(row.spent_given_before))
    return row.segment_id, *people, _points(row.bought), *spent, *p_values


def _points(effect: Effect) -> str:
    if isnan(effect.low):
        return "too few"
    return f"{100 * effect.difference:+.1f} points ({100 * effect.low:+.1f} to {100 * effect.high:+.1f})"


def _money(effect: Effect) -> str:
    return "too few" if isnan(effect.low) else f"{effect.difference:+,.2f} ({effect.low:+,.2f} to {effect.high:+,.2f})"


def _range(effect: Effect) -> str:
    return "too few" if isnan(effect.low) else f"{effect.low:+,.2f} to {effect.high:+,.2f}"


def _plain(value: Any) -> Any:
    """JSON has no word for no number but null."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and isnan(value) else value


COMMANDS = (measure,)
