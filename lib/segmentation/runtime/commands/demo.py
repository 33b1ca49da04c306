"""The demo: the whole pipeline on real input, from one command."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import click
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.bed.identity_score import score_identity
from segmentation.bed.names import name_as_in_tables
from segmentation.bed.overlay import OverlayParams, simulate_sign_ins
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.progress import StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import report
from segmentation.stages.pipeline import STAGES

SIMULATED = "sign_ins"
"""The source of the demo's configuration that this project simulates; all others are read as they are."""


@click.command(epilog="\b\nExample:\n  segmentation demo --dest demo")
@click.option(
    "--dest",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="The folder to fill: warehouse, simulated sign-ins, exports, report.",
)
@common_options
def demo(common: Common, dest: Path) -> None:
    """Run the whole pipeline on a year of grocery baskets; ends with the path of a report."""
    dest = dest.absolute()
    settings = common.settings(default=_own_configuration(), base=dest)
    dest.mkdir(parents=True, exist_ok=True)
    _have_key(dest / "key")
    spark = common.spark(settings)
    progress, request = common.progress(), Request(common.as_of)

    def run(stages: list[str], settings: Settings = settings) -> list[StageReport]:
        return run_stages(spark, settings, [STAGES[name] for name in stages], request, progress)

    visits, truth = dest / "input" / SIMULATED, dest / "input" / "truth"
    if not (visits / "_SUCCESS").exists():
        run(["ingest"], settings.model_copy(update={"sources": [s for s in settings.sources if s.name != SIMULATED]}))
        _simulate(spark, settings, visits, truth)
        progress.note(f"Simulated web sign-ins, with known truth, are in {visits}.")
    before, after = _split(list(STAGES), report.STAGE.name)
    run(before)
    _score(spark, settings, truth, Path(settings.warehouse) / report.FOLDER / report.SCORE)
    results = [done.result for done in run(after) if done.result]
    click.echo(f"The report, for a browser: {results[-1]}")


def _own_configuration() -> Path:
    path = Path(__file__).parents[4] / "conf" / "demo.yml"
    if not path.is_file():
        raise ConfigError(
            "The demo is part of the project's checkout: clone it, or give --config a copy of conf/demo.yml."
        )
    return path


def _split(stages: list[str], at: str) -> tuple[list[str], list[str]]:
    return stages[: stages.index(at)], stages[stages.index(at) :]


def _have_key(path: Path) -> None:
    """The demo's e-mails are simulated, so a key of its own, kept beside its tables, does for them."""
    if "SEGMENTATION_KEY" in os.environ or "SEGMENTATION_KEY_FILE" in os.environ:
        return
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32) + "\n", encoding="utf-8")
    os.environ["SEGMENTATION_KEY_FILE"] = str(path)


def _simulate(spark: SparkSession, settings: Settings, visits: Path, truth: Path) -> None:
    """Lays sign-ins over the households whose events are already in; the events last, since they say it is done."""
    events = Warehouse(spark, settings.warehouse).read("events")
    overlay = simulate_sign_ins(_households(events), OverlayParams())
    overlay.truth.coalesce(1).write.mode("overwrite").parquet(str(truth))
    overlay.events.coalesce(1).write.mode("overwrite").parquet(str(visits))


def _households(events: DataFrame) -> DataFrame:
    household = F.col("identifiers")["household_id"].alias("household_id")
    return (
        events.where(F.col("amount").isNotNull())
        .groupBy(household)
        .agg(F.min("event_date").alias("first_date"), F.max("event_date").alias("last_date"))
    )


def _score(spark: SparkSession, settings: Settings, truth: Path, out: Path) -> None:
    """How well stitching recovered who signed in, for the report."""
    known = name_as_in_tables(spark.read.parquet(str(truth)), settings.identity)
    score = score_identity(Warehouse(spark, settings.warehouse).read("identity_map"), known)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(score.as_dict(), indent=2), encoding="utf-8")


COMMANDS = (demo,)
