"""The command that looks at what ran."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table

from segmentation.runtime.history import PastRun, PastStage, read_newest_runs, read_run
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse

_COLOURS = {"succeeded": "green", "running": "yellow", "failed": "red"}
_SHORT = 8
"""Digits of a run's id that stand in the list; `--show` takes them too."""


@click.command(epilog="\b\nExample:\n  segmentation runs --show 3f2a9c1e --config conf/example.yml")
@click.option("--show", "beginning", metavar="ID", help="The stages of one run, by its id or the beginning of it.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Runs to list.")
@common_options
def runs(common: Common, beginning: str | None, limit: int) -> None:
    """Show the newest runs, or the stages of one.

    A stage that says `running` and is not at work any more was killed: start the same command again.
    """
    settings = common.settings()
    table = Warehouse(common.spark(settings), settings.warehouse).read_or_empty("runs")
    if beginning is None:
        found = read_newest_runs(table, limit)
        rows, shown = [_run_json(run) for run in found], _list(found)
    else:
        run = read_run(table, beginning)
        rows, shown = [{"run_id": run.run_id, **_stage_json(stage)} for stage in run.stages], _stages(run)
    if common.log_format == "json":
        for row in rows:
            click.echo(json.dumps(row, default=str))
    else:
        open_console().print(shown)


def _list(found: list[PastRun]) -> Table:
    """What fits into eighty columns, the stages folded."""
    table = Table(box=None, pad_edge=False)
    for name in ("run", "status", "started (UTC)", "seconds"):
        table.add_column(name, no_wrap=True, justify="right" if name == "seconds" else "left")
    table.add_column("stages", overflow="fold")
    for run in found:
        stages = ", ".join(stage.stage for stage in run.stages)
        table.add_row(run.run_id[:_SHORT], _status(run.status), _moment(run), _seconds(run), stages)
    return table


def _stages(run: PastRun) -> Table:
    table = Table(title=f"Run {run.run_id}, started {_moment(run)} UTC", title_justify="left", box=None, pad_edge=False)
    for name in ("stage", "status", "rows in", "rows out", "seconds"):
        table.add_column(name, no_wrap=True, justify="left" if name in ("stage", "status") else "right")
    table.add_column("more", overflow="fold")
    for stage in run.stages:
        figures = [f"{value:,} {name.replace('_', ' ')}" for name, value in sorted(stage.figures.items())]
        mode = [] if stage.mode in (None, "full") else [str(stage.mode)]
        more = stage.error or ", ".join([*mode, *figures])
        table.add_row(
            stage.stage, _status(stage.status), _count(stage.rows_in), _count(stage.rows_out), _seconds(stage), more
        )
    return table


def _run_json(run: PastRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "status": run.status,
        "started_ts": run.started_ts,
        "seconds": run.seconds,
        "stages": [stage.stage for stage in run.stages],
    }


def _stage_json(stage: PastStage) -> dict[str, Any]:
    return {**asdict(stage), "seconds": stage.seconds}


def _status(status: str) -> str:
    return f"[{_COLOURS[status]}]{status}[/]"


def _moment(run: PastRun) -> str:
    return f"{run.started_ts:%Y-%m-%d %H:%M}"


def _seconds(record: PastRun | PastStage) -> str:
    return "" if record.seconds is None else f"{record.seconds:,.1f}"


def _count(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


COMMANDS = (runs,)
