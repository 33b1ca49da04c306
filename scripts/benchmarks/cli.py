"""The command line of scripts/benchmark."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console
from scripts.benchmarks import THREADS
from scripts.benchmarks.figures import as_json, compare, summarise
from scripts.benchmarks.rounds import DisagreementError, Result, rivals_process, run_stage
from scripts.benchmarks.stages import ON_REQUEST, STAGES, Stage
from scripts.benchmarks.table import show

from segmentation.config.spark import SparkSettings
from segmentation.contracts.errors import SegmentationError
from segmentation.runtime.spark import get_spark
from segmentation.runtime.terminal import open_console

_FEWEST, _MOST = 1_000, 1_000_000_000


class Sizes(click.ParamType):
    """Numbers of rows with commas between them, as a tuple from the smallest up."""

    name = "ROWS,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        sizes = set()
        for part in str(value).split(","):
            text = part.strip().replace("_", "")
            if not (text.isascii() and text.isdigit() and _FEWEST <= int(text) <= _MOST):
                self.fail(
                    f"'{part.strip()}' is not a size: give whole numbers of rows from {_FEWEST} to {_MOST} with "
                    "commas between them, such as 100000,1000000.",
                    param,
                    ctx,
                )
            sizes.add(int(text))
        return tuple(sorted(sizes))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("stages", nargs=-1, type=click.Choice(list(STAGES)), metavar="[STAGE]...")
@click.option("--sizes", type=Sizes(), help="Rows of each input. Default: for some ten minutes on two cores.")
@click.option("--repeats", type=click.IntRange(1, 100), default=2, show_default=True, help="Rounds that count.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to this file, as JSON.")
def benchmark(stages: tuple[str, ...], sizes: tuple[int, ...] | None, repeats: int, out: Path | None) -> None:
    """Measure stages against what else one would use on one machine.

    STAGE is ingest (against Spark that writes the same rows as they are), sessions and features (against DuckDB; rows
    are events), day (sessions and features of one day more of ninety, against all of them anew; rows are events),
    identity (who is who after one day more of ninety, against everybody anew, and of everybody at once, against plain
    GraphFrames on the same graph; rows are pairs of identifiers), more (features with ten more of them, against those
    without; rows are events), components (against SciPy and plain GraphFrames; rows are edges), train (single fits, and
    the search of k and method, against scikit-learn; rows are people), assign (against NumPy; rows are people),
    audiences (fifty against one; rows are events) or export (one person in a hundred changed, against DuckDB; rows are
    people). Default: all but day and identity, which first go through 89 days, and more.

    All engines read the same Parquet files, made by Spark from a seed, and write Parquet, in turns, with two threads.
    They have to find the same, or the benchmark fails. At the first size, and at those up to a million rows, the
    first two rounds are thrown away, but for the search, a round of which warms Java by itself; GraphFrames, which
    takes long, runs once at each size, in the JVM that the others have warmed. CPU seconds say more than wall seconds
    where the machine has other work to do. Java gives back no memory that it once took, so the peak of what runs on
    Spark may be an earlier run's.

    \b
    Example:
      scripts/benchmark sessions features --sizes 100000,1000000 --repeats 3 --out figures.json
    """
    if out is not None and not out.absolute().parent.is_dir():
        raise click.UsageError(f"The folder of --out does not exist: {out.parent}.")
    names = dict.fromkeys(stages) if stages else [name for name in STAGES if name not in ON_REQUEST]
    chosen = [stage for name in names for stage in STAGES[name]]
    terminal = Console(stderr=True)
    results = _measure(chosen, sizes, repeats, lambda text: terminal.print(text, style="dim", highlight=False))
    figures = [summarise(result) for result in results]
    show(open_console(), figures, compare(figures))
    if out is not None:
        out.write_text(json.dumps(as_json(results, _machine()), indent=2) + "\n", encoding="utf-8")
        terminal.print(f"All figures: {out}", highlight=False)


def _measure(stages: Sequence[Stage], sizes: tuple[int, ...] | None, repeats: int, tell: Any) -> list[Result]:
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="segmentation-benchmark-") as folder:
        spark = get_spark(SparkSettings(master=f"local[{THREADS}]", conf={"spark.local.dir": folder}))
        try:
            for number, stage in enumerate(stages):
                # A process a stage: the memory of one stage's rivals is not the next one's.
                with rivals_process() as pool:
                    place = Path(folder) / f"stage-{number}"
                    place.mkdir()
                    results += run_stage(spark, pool, stage, sizes or stage.sizes, repeats, place, tell)
        finally:
            spark.stop()
    return results


def _machine() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "threads": THREADS,
    }


def run_command(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status; what is wrong is said in one sentence."""
    try:
        benchmark.main(args=list(arguments), prog_name="scripts/benchmark", standalone_mode=False)
    except click.exceptions.Abort:
        return _fail("Stopped.", 1)
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except SegmentationError as error:
        return _fail(str(error), error.exit_status)
    except DisagreementError as error:
        return _fail(f"The engines disagree, so nothing was compared: {error}", 1)
    return 0


def _fail(text: str, status: int) -> int:
    click.echo(" ".join(text.split()), err=True)
    return status
