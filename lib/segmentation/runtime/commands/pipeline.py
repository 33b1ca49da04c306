"""Commands that run stages."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import click

from segmentation.config.paths import locate
from segmentation.runtime.commands.feature_docs import show_feature_docs
from segmentation.runtime.commands.journeys import show_journeys
from segmentation.runtime.commands.preview import show_identity_preview
from segmentation.runtime.commands.timeout import show_timeout
from segmentation.runtime.options import Common, common_options, read_date
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.stage import Stage
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import ingest, maintain
from segmentation.stages.hand_out import write_refused
from segmentation.stages.pipeline import ON_REQUEST, STAGES, choose_stages


@click.command(
    epilog="\b\nExample:\n  segmentation run --config conf/example.yml --as-of 2026-01-31"
    "\n  segmentation run --config conf/example.yml --from 2026-01-25 --to 2026-01-31"
    "\n  segmentation run --config conf/example.yml --stages ingest,live --every 60"
)
@click.option("--stages", metavar="A,B", help=f"Only these, in order: {','.join(STAGES)}; or live.")
@click.option("--from", "first", metavar="DATE", callback=read_date, help="With --to: as of each day, oldest first.")
@click.option("--to", "last", metavar="DATE", callback=read_date, help="The last of these days.")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Keep on, until one fails or is stopped: run, and again so many seconds after it.",
)
@common_options
def run(common: Common, stages: str | None, first: date | None, last: date | None, every: int | None) -> None:
    """Run the whole pipeline; what is already done is not done again.

    With --from and --to it catches up after days that were missed: one run a day, in order, until one fails.
    """
    chosen = choose_stages(None if stages is None else [name.strip() for name in stages.split(",")])
    if first is None and last is None:
        _execute(common, chosen)
        while every is not None:
            sleep(every)
            _execute(common, chosen)
        return
    if every is not None:
        raise click.UsageError("--every goes on with what comes, --from and --to go back: give one of them.")
    if first is None or last is None or common.as_of is not None:
        raise click.UsageError("--from and --to go together, and not with --as-of: give both days, or one date.")
    if first > last:
        raise click.UsageError(f"--from {first} is after --to {last}: give the earlier day first.")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    _execute_each(common, days, chosen, again=lambda day: f"--from {day}")


@click.command(
    epilog="\b\nExample:\n  segmentation replay --config conf/example.yml --batch 5d41402abc4b2a76b9719d911017c592"
)
@click.option("--batch", required=True, metavar="ID", help="The batch, as `ingest_batches` and the quarantine name it.")
@click.option("--refused", metavar="FILE", help="Write its refused rows there, to be repaired; take nothing in.")
@click.option("--rows", metavar="FILE", help="Take in its rows in this file, repaired, and not the batch again.")
@common_options
def replay(common: Common, batch: str, refused: str | None, rows: str | None) -> None:
    """Take a batch in again, by the mapping and the rules of now.

    What it brought before is replaced: rows that are good now leave the quarantine and become events, those that are
    not are refused. A file that was repaired needs no replay: `ingest` takes it in as a new one.

    Where the rows were wrong and nobody delivers them anew, --refused writes them as JSON, a line each, to be edited;
    lines may be left out. --rows takes them in as a batch of their own, and the quarantine says of each by which batch
    it was repaired (`repaired_by`). What is still wrong is refused as a row of that batch. A token that stands for a
    personal value may stay, and then the vault has no clear value for it unless another event brings that; instead of
    `broken_row` give the row's columns.
    """
    if refused is not None and rows is not None:
        raise click.UsageError("--refused writes rows to be repaired, and --rows takes them in: give one of them.")
    if refused is not None:
        settings = common.settings()
        written = write_refused(Warehouse(common.spark(settings), settings.warehouse), batch, Path(refused))
        click.echo(f"{written:,} refused rows of the batch are in {refused}.")
        return
    repaired = {} if rows is None else {ingest.REPAIRED: locate(rows, Path.cwd())}
    _execute(common, [ingest.STAGE], **{ingest.REPLAY: batch, **repaired})


def _execute(common: Common, stages: list[Stage], **options: Any) -> None:
    settings = common.settings()
    for stage in stages:
        stage.needs(settings)
    reports = run_stages(common.spark(settings), settings, stages, Request(common.as_of, options), common.progress())
    for result in filter(None, (report.result for report in reports)):
        click.echo(result)


def _execute_each(
    common: Common, days: Sequence[date], stages: list[Stage], again: Callable[[date], str], **options: Any
) -> None:
    """A run a day, in order, until one fails; `again` says what to start again with."""
    for day in days:
        common.progress().note(f"as of {day}")
        try:
            _execute(replace(common, as_of=day), stages, **options)
        except Exception:
            common.progress().note(f"stopped at {day}: start again with {again(day)} when its cause is mended")
            raise


def _command(stage: Stage) -> click.Command:
    @click.command(
        name=stage.name, help=stage.help, epilog=f"\b\nExample:\n  segmentation {stage.name} --config conf/example.yml"
    )
    @functools.partial(common_options, many_dates=stage.many_dates)
    def command(common: Common, **options: Any) -> None:
        further = {option.name: options.pop(option.name) for look in looks for option in look.options if option.name}
        asked = [look for look in looks if options.pop(look.flag.name)]
        if len(asked) > 1:
            raise click.UsageError(f"{asked[0].flag.opts[0]} and {asked[1].flag.opts[0]}: give one of them.")
        if asked:
            wanted = {option.name: further.pop(option.name) for option in asked[0].options if option.name}
        if misplaced := [name for name, value in further.items() if value]:
            owner = next(look for look in looks if misplaced[0] in {option.name for option in look.options})
            raise click.UsageError(f"--{misplaced[0]} goes with {owner.flag.opts[0]}.")
        if asked:
            asked[0].show(common, **wanted)
        elif len(common.dates) > 1:
            _execute_each(common, common.dates, [stage], again=lambda day: f"--as-of {_from(common, day)}", **options)
        else:
            _execute(common, [stage], **options)

    looks = _LOOKS.get(stage.name, ())
    command.params += [*stage.options, *(option for look in looks for option in (look.flag, *look.options))]
    return command


def _from(common: Common, day: date) -> str:
    return ",".join(str(other) for other in common.dates if other >= day)


@dataclass(frozen=True)
class _Look:
    """What a stage's command can find out instead of running the stage; it writes no table."""

    flag: click.Option
    show: Callable[..., None]
    options: tuple[click.Option, ...] = ()


_LOOKS: dict[str, tuple[_Look, ...]] = {
    "identity": (
        _Look(
            click.Option(["--dry-run"], is_flag=True, help="Say what would change; write nothing."),
            show_identity_preview,
        ),
    ),
    "features": (
        _Look(
            click.Option(["--docs"], is_flag=True, help="Write the catalogue of features as a page; write no table."),
            show_feature_docs,
            (click.Option(["--output"], metavar="FILE", help="With it: where. Default: `_reports/features.html`."),),
        ),
        _Look(
            click.Option(
                ["--suggest-journeys"],
                is_flag=True,
                help="Say which steps in a row would tell people apart as features; write nothing.",
            ),
            show_journeys,
        ),
    ),
    "sessions": (
        _Look(
            click.Option(["--suggest-timeout"], is_flag=True, help="Say what timeout the gaps support; write nothing."),
            show_timeout,
            (click.Option(["--output"], metavar="FILE", help="With it: also draw the gaps (.html, .svg)."),),
        ),
    ),
}

COMMANDS = (run, replay, *map(_command, (*STAGES.values(), *ON_REQUEST.values(), maintain.STAGE)))
