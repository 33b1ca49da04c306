"""Commands that look around and change nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.table import Column
from rich.table import Table as Grid

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.runtime.browse import check_open, open_map, open_table
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse

_NARROWEST = 12
"""Characters that a column needs to be readable."""


@click.command(epilog="\b\nExample:\n  segmentation show segments_current --limit 5 --config conf/example.yml")
@click.argument("table")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Rows to print.")
@click.option("--version", type=click.IntRange(0), help="The table as it was at this Delta version.")
@common_options
def show(common: Common, table: str, limit: int, version: int | None) -> None:
    """Print the first rows of a table of the warehouse; of `identity_map` with --as-of, whose each identifier was held
    to be at the end of that date."""
    check_open(table)
    then = common.as_of if table == "identity_map" else None
    if then and version is not None:
        raise click.UsageError("Give either --as-of or --version: the one is of a date, the other of the table.")
    settings = common.settings()
    warehouse = Warehouse(common.spark(settings), settings.warehouse)
    df = open_map(warehouse, then) if then else open_table(warehouse, table, version)
    rows = [row.asDict(recursive=True) for row in df.orderBy(*CATALOGUE[table].keys).limit(limit).collect()]
    if common.log_format == "json":
        for row in rows:
            click.echo(json.dumps(row, default=str))
        return
    console = open_console()
    side_by_side = len(df.columns) * _NARROWEST <= console.width
    console.print(_grid(table, df.columns, rows) if side_by_side else _list(table, df.columns, rows))
    if len(rows) == limit:
        console.print(f"The first {limit}; --limit shows more.")


def _grid(table: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Grid:
    """A line a row."""
    grid = Grid(title=_title(table), title_justify="left")
    for name in columns:
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*(_cell(row[name]) for name in columns))
    return grid


def _list(table: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Grid:
    """A line a value, for tables with more columns than the terminal has room for."""
    grid = Grid("column", Column("value", overflow="fold"), title=_title(table), title_justify="left")
    for row in rows:
        for name in columns:
            grid.add_row(name, _cell(row[name]))
        grid.add_section()
    return grid


def _title(table: str) -> str:
    return f"{table}: {CATALOGUE[table].grain} a row"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


COMMANDS = (show,)
