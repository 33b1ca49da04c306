"""The command that says what an audience means."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.table import Table

from segmentation.runtime.options import Common, common_options
from segmentation.runtime.record import RunRecord
from segmentation.runtime.runner import Request, open_context
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import audiences
from segmentation.stages.audiences import Explanation


@click.command(epilog="\b\nExample:\n  segmentation audience --explain lapsing --config conf/example.yml")
@click.option("--explain", "name", required=True, metavar="NAME", help="The audience's name in the configuration.")
@common_options
def audience(common: Common, name: str) -> None:
    """Say who an audience is, how many there are, and where each condition loses people."""
    settings = common.settings()
    found = audiences.find_audience(settings, name)
    warehouse = Warehouse(common.spark(settings), settings.warehouse)
    reads = audiences.STAGE.reads
    context = open_context(RunRecord(warehouse), settings, reads, Request(common.as_of), common.progress().tell)
    explanation = audiences.explain(context, found)
    if common.log_format == "json":
        click.echo(json.dumps(asdict(explanation), default=str, ensure_ascii=False))
        return
    console = open_console()
    console.print(explanation.sentence)
    console.print(f"{explanation.members:,} of {explanation.people:,} people at the end of {explanation.as_of}:")
    console.print(_table(explanation))


def _table(explanation: Explanation) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("condition", overflow="fold")
    for name in ("meet it", "left", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("everyone", f"{explanation.people:,}", f"{explanation.people:,}", "")
    for step in explanation.steps:
        table.add_row(step.condition, f"{step.meet:,}", f"{step.left:,}", f"{step.lost:,}")
    return table


COMMANDS = (audience,)
