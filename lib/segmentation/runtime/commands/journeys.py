"""`segmentation features --suggest-journeys`: which steps in a row would tell people apart, ready to be declared."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.table import Table

from segmentation.runtime.options import Common
from segmentation.runtime.record import RunRecord
from segmentation.runtime.runner import Request, open_context
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages.suggest_journeys import READS, Vocabulary, look_at_journeys

_MEANS = {"follows": "after {before}, {last} comes next", "contains": "{all} in a journey"}


def show_journeys(common: Common) -> None:
    """Prints the steps in a row and what to write into the configuration, or one JSON object; writes no table."""
    settings = common.settings()
    record = RunRecord(Warehouse(common.spark(settings), settings.warehouse))
    found = look_at_journeys(open_context(record, settings, READS, Request(common.as_of), common.progress().tell))
    if common.log_format == "json":
        rated = [asdict(one) for one in found.rated]
        click.echo(json.dumps({"journeys": found.journeys, "rated": rated, "declaration": found.declaration}))
        return
    console = open_console()
    if not found.rated:
        console.print(f"In no two steps in a row of {found.journeys:,} journeys people differ: none is suggested.")
        return
    console.print(_table(found))
    console.print("To make them features, chosen once for good, write:")
    click.echo(found.declaration)


def _table(found: Vocabulary) -> Table:
    title = f"Steps in a row in which people differ most, of {found.journeys:,} journeys"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("share of times that", "people with any", "mean", "deviation"):
        table.add_column(name, justify="left" if name.startswith("share") else "right")
    for one in found.rated:
        *before, last = one.steps
        words = _MEANS[one.kind].format(before=" → ".join(before), last=last, all=" → ".join(one.steps))
        table.add_row(words, f"{one.people:,}", f"{one.mean:.2f}", f"{one.deviation:.2f}")
    return table
