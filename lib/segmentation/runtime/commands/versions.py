"""Commands about versions of the segments: looking at them, and going back."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from datetime import UTC, datetime

import click
from markupsafe import Markup
from rich.markup import escape
from rich.table import Table

from segmentation.contracts.errors import InputError
from segmentation.profiles.continuity import list_continuity, tell_continuity
from segmentation.profiles.flows import describe_change, draw_flows, flows_chart, flows_table, tell_flows, title_of
from segmentation.runtime.commands.picture import picture_path, write_picture
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.segments.comparison import Comparison
from segmentation.segments.versions import Version, read_versions
from segmentation.stages.compare import compare_versions
from segmentation.stages.publish import retire_version, roll_back


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


@click.command(epilog='\b\nExample:\n  segmentation retire 3 --reason "names mislead" --config conf/example.yml')
@click.argument("number", type=click.IntRange(min=1), metavar="N")
@click.option("--reason", metavar="TEXT", required=True, help="Why; kept with the version.")
@common_options
def retire(common: Common, number: int, reason: str) -> None:
    """Take version N out of use for good: it is never published, nor made current again.

    Its rows stay, so that it can be looked at and compared.
    """
    settings = common.settings()
    warehouse = Warehouse(common.spark(settings), settings.warehouse, run_id=str(uuid.uuid4()))
    with warehouse.lock():
        retire_version(warehouse, number, datetime.now(UTC), reason)
    common.progress().note(f"Version {number} is retired.")


@click.command(epilog="\b\nExample:\n  segmentation compare 3 4 --output flows.html --config conf/example.yml")
@click.argument("before", type=click.IntRange(min=1))
@click.argument("after", type=click.IntRange(min=1))
@click.option("--output", metavar="FILE", help="Also draw it: a page (.html) or a picture (.svg).")
@common_options
def compare(common: Common, before: int, after: int, output: str | None) -> None:
    """Say who went where from one version of the segments to another."""
    path = picture_path(output)
    settings = common.settings()
    spark = common.spark(settings)
    change = compare_versions(Warehouse(spark, settings.warehouse), before, after)
    if common.log_format == "json":
        figures = {name: getattr(change, name) for name in ("stayed", "moved", "new", "left")}
        flows = [asdict(flow) for flow in change.flows]
        found = {"before": before, "after": after, **figures, "flows": flows, "continuity": list_continuity(change)}
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        console = open_console()
        console.print(_flows(change))
        console.print(describe_change(change))
        for told in tell_continuity(change):
            console.print(escape(told), highlight=False)
    if path is not None:
        page = Markup("{}{}").format(flows_chart(change), flows_table(change))
        write_picture(spark, path, title_of(change), lambda width: draw_flows(change, width), page)


def _flows(change: Comparison) -> Table:
    names = [f"version {one.segment_version} ({one.as_of})" for one in (change.before, change.after)]
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for name in ("people", "of its people"):
        table.add_column(name, justify="right", no_wrap=True)
    for (start, end, *figures), flow in zip(tell_flows(change), change.flows, strict=True):
        stays = flow.stays and flow.from_name == flow.to_name
        table.add_row(escape(start), "[dim]the same[/]" if stays else escape(end), *figures)
    return table


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


COMMANDS = (rollback, retire, versions, compare)
