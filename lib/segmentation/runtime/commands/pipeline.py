"""Commands that run stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from segmentation.runtime.commands.preview import show_identity_preview
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.stage import Stage
from segmentation.stages import ingest
from segmentation.stages.pipeline import STAGES, choose_stages


@click.command(epilog="\b\nExample:\n  segmentation run --config conf/example.yml --as-of 2026-01-31")
@click.option("--stages", metavar="A,B", help=f"Only these, in order: {','.join(STAGES)}.")
@common_options
def run(common: Common, stages: str | None) -> None:
    """Run the whole pipeline; what is already done is not done again."""
    _execute(common, choose_stages(None if stages is None else [name.strip() for name in stages.split(",")]))


@click.command(
    epilog="\b\nExample:\n  segmentation replay --config conf/example.yml --batch 5d41402abc4b2a76b9719d911017c592"
)
@click.option("--batch", required=True, metavar="ID", help="The batch, as `ingest_batches` and the quarantine name it.")
@common_options
def replay(common: Common, batch: str) -> None:
    """Take a batch in again, by the mapping and the rules of now.

    What it brought before is replaced: rows that are good now leave the quarantine and become events, those that are
    not are refused. A file that was repaired needs no replay: `ingest` takes it in as a new one.
    """
    _execute(common, [ingest.STAGE], **{ingest.REPLAY: batch})


def _execute(common: Common, stages: list[Stage], **options: Any) -> None:
    settings = common.settings()
    reports = run_stages(common.spark(settings), settings, stages, Request(common.as_of, options), common.progress())
    for result in filter(None, (report.result for report in reports)):
        click.echo(result)


def _command(stage: Stage) -> click.Command:
    @click.command(
        name=stage.name, help=stage.help, epilog=f"\b\nExample:\n  segmentation {stage.name} --config conf/example.yml"
    )
    @common_options
    def command(common: Common, dry_run: bool = False, **options: Any) -> None:
        if dry_run:
            _PREVIEWS[stage.name](common)
        else:
            _execute(common, [stage], **options)

    command.params += stage.options
    if stage.name in _PREVIEWS:
        command.params.append(click.Option(["--dry-run"], is_flag=True, help="Say what would change; write nothing."))
    return command


_PREVIEWS: dict[str, Callable[[Common], None]] = {"identity": show_identity_preview}
"""Stages that can say what they would change."""

COMMANDS = (run, replay, *map(_command, STAGES.values()))
