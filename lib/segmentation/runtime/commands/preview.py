"""`segmentation identity --dry-run`: what other rules would do, on the terminal."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import click
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from segmentation.config.identity import IdentitySettings
from segmentation.identity.comparison import Change
from segmentation.runtime.commands.explain import name_identifier
from segmentation.runtime.options import Common
from segmentation.runtime.record import RunRecord
from segmentation.runtime.runner import Request, open_context
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages.identity_preview import READS, Preview, preview

_SHOWN_PARTS = 5


def show_identity_preview(common: Common) -> None:
    """Prints it as a table and a tree, or as one JSON object; writes nothing, not even a row of `runs`."""
    settings = common.settings()
    warehouse = Warehouse(common.spark(settings), settings.warehouse)
    tell = common.progress().tell
    found = preview(open_context(RunRecord(warehouse), settings, READS, Request(common.as_of), tell))
    if common.log_format == "json":
        click.echo(json.dumps(asdict(found), default=str, ensure_ascii=False))
        return
    console = open_console()
    console.print(_table(found))
    for number, change in enumerate(found.biggest, 1):
        console.print(_tree(number, change, settings.identity))
    console.print("Nothing was written.")


def _table(found: Preview) -> Table:
    table = Table(title=f"What would change, as of {found.as_of}", title_justify="left", box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("count", justify="right")
    counts = {field.name: getattr(found.people, field.name) for field in fields(found.people)}
    rest = ("sessions_moved", "memberships_moved", "export_rows_moved")
    for name, count in [*counts.items(), *((name, getattr(found, name)) for name in rest)]:
        table.add_row(_WORDS.get(name, name.replace("_", " ")), f"{count:,}")
    return table


_WORDS = {
    "merged": "people merged with another",
    "split": "people split",
    "new": "new ids",
    "gone": "ids that go",
    "memberships_moved": "segment memberships moved",
}


def _tree(number: int, change: Change, settings: IdentitySettings) -> Tree:
    shown = ", ".join(change.parts[:_SHOWN_PARTS])
    more = f" and {len(change.parts) - _SHOWN_PARTS} more" if len(change.parts) > _SHOWN_PARTS else ""
    what = f"{shown}{more} → {change.person_id}" if change.kind == "merge" else f"{change.person_id} → {shown}{more}"
    tree = Tree(
        f"{number}. [bold]{change.kind}[/] {what}: {change.events:,} events, {change.identifiers:,} identifiers"
    )
    for link in change.path:
        ends = " — ".join(
            name_identifier(settings, *end) for end in ((link.type, link.value), (link.to_type, link.to_value))
        )
        same = link.before == link.after
        fate = "" if same else f": [yellow]{escape(link.before)}[/] → [yellow]{escape(link.after)}[/]"
        tree.add(f"{ends}, seen together {link.observations:,} times{fate}")
    return tree
