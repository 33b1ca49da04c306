"""Commands about versions of the segments: looking at them, and going back."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from datetime import UTC, datetime

import click
from rich.table import Table

from segmentation.contracts.errors import InputError
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.segments.versions import Version, read_versions
from segmentation.stages.publish import roll_back


@click.command(epilog="\b\nExample:\n  segmentation rollback --config conf/example.yml --to 3")
@click.option("--to", "number", type=click.IntRange(min=1), required=True, metavar="N", help="The version.")
@click.option("--reason", metavar="TEXT", help="Why; kept with the version.")
@common_options
def rollback(common: Common, number: int, reason: str | None) -> None:
    """Make published version N current again."""
    settings = common.settings()
    warehouse = Warehouse(common.spark(settings), settings.warehouse, run_id=str(uuid.uuid4()))
    with warehouse.lock():
        changed = roll_back(warehouse, number, datetime.now(UTC), reason)
    common.progress().note(f"Version {number} is current {'again' if changed else 'already'}.")


@click.command(epilog="\b\nExample:\n  segmentation versions --config conf/example.yml")
@common_options
def versions(common: Common) -> None:
    """Show all versions of the segments, newest first."""
    settings = common.settings()
    warehouse = Warehouse(common.spark(settings), settings.warehouse)
    found = read_versions(warehouse.read_or_empty("segment_versions"))[::-1]
    if not found:
        raise InputError("There is no version of the segments yet: run `segmentation run`.")
    if common.log_format == "json":
        click.echo(json.dumps([asdict(version) for version in found], default=str))
    else:
        open_console().print(_table(found))


def _table(found: list[Version]) -> Table:
    """What fits into eighty columns; `--log-format json` has all of it."""
    table = Table(box=None, pad_edge=False)
    for name in ("version", "status", "as of", "people", "segments", "moved", "published"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("people", "segments", "moved") else "left")
    table.add_column("reason", overflow="fold")
    for version in found:
        moved = version.metrics.get("moved_share")
        table.add_row(
            str(version.segment_version),
            f"[bold green]{version.status}[/]" if version.status == "published" else version.status,
            str(version.as_of),
            f"{version.metrics['people']:,.0f}",
            f"{version.metrics['segments']:.0f}",
            "" if moved is None else f"{moved:.1%}",
            f"{version.published_ts:%Y-%m-%d}" if version.published_ts else "",
            version.reason or "",
        )
    return table


COMMANDS = (rollback, versions)
