"""The command that says which channels led to conversions."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.table import Table

from segmentation.experiments.attribution import METHODS, Attribution, Credit
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.record import RunRecord
from segmentation.runtime.runner import Request, open_context
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages.attribution import READS, attribute_conversions, find_settings


@click.command(epilog="\b\nExample:\n  segmentation attribution --by-segment --config my.yml")
@click.option("--by-segment", is_flag=True, help="A table for each segment too.")
@common_options
def attribution(common: Common, by_segment: bool) -> None:
    """Say which channels led people to convert, by seven methods side by side.

    `attribution` in the configuration says which field names the channel, and what converts. First and last touch give
    all to one; linear, position (40 % to the first and the last) and time decay share a conversion out among the
    touches before it; shapley among its channels; markov by how many conversions would be lost without a channel.
    """
    settings = common.settings()
    find_settings(settings)
    warehouse = Warehouse(common.spark(settings), settings.warehouse)
    context = open_context(RunRecord(warehouse), settings, READS, Request(common.as_of), common.progress().tell)
    found = attribute_conversions(context)
    if common.log_format == "json":
        click.echo(json.dumps(asdict(found), default=str))
        return
    console = open_console()
    for total in found.totals if by_segment else found.totals[:1]:
        console.print(_said(total.segment_id, found))
        mine = [credit for credit in found.credits if credit.segment_id == total.segment_id]
        if mine:
            console.print(_table(mine, "conversions"))
        if any(credit.revenue["linear"] for credit in mine):
            console.print(_table(mine, "revenue"))


def _said(segment_id: str | None, found: Attribution) -> str:
    total = next(one for one in found.totals if one.segment_id == segment_id)
    who = "everyone" if segment_id is None else segment_id
    return (
        f"{who}, until {found.as_of}: {total.conversions:,} conversions of {total.revenue:,.2f}, of them "
        f"{total.untouched:,} of {total.untouched_revenue:,.2f} with no touch before."
    )


def _table(credits_: list[Credit], of: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in (of, "touches", *(method.replace("_", " ") for method in METHODS)):
        table.add_column(name, justify="left" if name == of else "right", overflow="fold")
    for credit in sorted(credits_, key=lambda one: (-getattr(one, of)["linear"], one.channel)):
        figures = [getattr(credit, of)[method] for method in METHODS]
        table.add_row(credit.channel, f"{credit.touches:,}", *(f"{figure:,.1f}" for figure in figures))
    return table


COMMANDS = (attribution,)
