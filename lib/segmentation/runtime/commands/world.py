"""Commands around known truth: the simulated world, and the score against it."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table as TextTable

from segmentation.bed.knobs import load_world
from segmentation.bed.score import Score, Truth
from segmentation.bed.world import simulate as write_world
from segmentation.config.spark import SparkSettings
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.spark import get_spark
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages.score import score_warehouse


@click.command(epilog="\b\nExample:\n  segmentation simulate --dest world --set people=10000 --set seed=7")
@click.option("--dest", required=True, metavar="DIR", help="A new or empty folder, or URI, for sources and truth.")
@click.option("--partitions", type=click.IntRange(1), help="Partitions of people; the rows do not depend on it.")
@common_options
def simulate(common: Common, dest: str, partitions: int | None) -> None:
    """Write a simulated world: sources as a company has them, and the truth beside them.

    --config names a file of knobs (default: the knobs' defaults), --set overrides single ones.
    """
    world = load_world(common.config, common.overrides)
    progress = common.progress()
    with progress.stage("simulate"):
        spark = get_spark(SparkSettings())
        rows = write_world(spark, world, dest, partitions, progress.tell)
    progress.note(
        f"World {world.world_id}: {world.people:,} people, {rows:,} rows in {dest}; the truth is in {dest}/truth."
    )


@click.command(epilog="\b\nExample:\n  segmentation score --config conf/world.yml --truth world/truth --out score.json")
@click.option("--truth", required=True, metavar="DIR", help="The truth that `simulate` has written.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also write it as JSON.")
@common_options
def score(common: Common, truth: str, out: Path | None) -> None:
    """Score a warehouse against the world that its events are from."""
    settings = common.settings()
    spark = common.spark(settings)
    progress = common.progress()
    known = Truth.open(spark, truth)
    warehouse = Warehouse(spark, settings.warehouse)
    with progress.stage("score"):
        found = score_warehouse(warehouse, settings, known, common.as_of)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(found.as_json(), encoding="utf-8")
    if common.log_format == "json":
        click.echo(found.as_json(), nl=False)
    else:
        _show(found)


def _show(found: Score) -> None:
    table = TextTable(title=f"World {found.world_id}, {found.people:,} people", title_justify="left")
    table.add_column("area")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for area, figures in found.measured.items():
        for number, (name, value) in enumerate(figures.items()):
            table.add_row("" if number else area, name.replace("_", " "), _text(value))
        table.add_section()
    for name, why in found.not_measured.items():
        table.add_row(name.replace("_", " "), f"not measured: {why}", "–")
    open_console().print(table)


def _text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


COMMANDS = (simulate, score)
