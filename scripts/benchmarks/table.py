"""The tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from scripts.benchmarks.figures import Comparison, Figures


def show(console: Console, figures: Sequence[Figures], comparisons: Sequence[Comparison]) -> None:
    """Prints all figures, then ratios side by side."""
    console.print(figures_table(figures))
    console.print(comparisons_table(comparisons))


def figures_table(figures: Sequence[Figures]) -> Table:
    """One line an engine and size."""
    judged = any(one.silhouette is not None for one in figures)
    table = Table(box=box.SIMPLE)
    table.add_column("stage")
    table.add_column("rows", justify="right")
    table.add_column("engine")
    for name in ("rounds", "wall s", "CPU s", "peak MB", "written MB", "rows/s", *(["silhouette"] if judged else [])):
        table.add_column(name, justify="right")
    before = None
    for one in figures:
        if before is not None and (one.stage, one.rows) != before:
            table.add_section()
        before = (one.stage, one.rows)
        table.add_row(
            one.stage,
            f"{one.rows:,}",
            one.engine,
            str(one.rounds),
            f"{one.wall_s:.2f}",
            f"{one.cpu_s:.2f}",
            f"{one.peak_rss_bytes / 1e6:,.0f}",
            f"{one.bytes_written / 1e6:,.1f}",
            f"{one.rows_a_second:,.0f}",
            *(["-" if one.silhouette is None else f"{one.silhouette:.3f}"] if judged else []),
        )
    return table


def comparisons_table(comparisons: Sequence[Comparison]) -> Table:
    """One line a stage, rival and size: our cost by theirs."""
    table = Table(box=box.SIMPLE)
    table.add_column("segmentation against")
    table.add_column("rows", justify="right")
    for name in ("CPU ratio", "wall ratio", "exponent", "theirs"):
        table.add_column(name, justify="right")
    for one in comparisons:
        for number, rows in enumerate(one.cpu_ratios):
            # The exponent is of all sizes together, and stands once.
            exponents = (one.exponent, one.rival_exponent) if number == 0 else ("", "")
            table.add_row(
                f"{one.rival}, {one.stage}" if number == 0 else "",
                f"{rows:,}",
                f"{one.cpu_ratios[rows]:.2f}",
                f"{one.wall_ratios[rows]:.2f}",
                *(_exponent(value) for value in exponents),
            )
        table.add_section()
    return table


def _exponent(value: float | str | None) -> str:
    if isinstance(value, str):
        return value
    return "-" if value is None else f"{value:.2f}"
