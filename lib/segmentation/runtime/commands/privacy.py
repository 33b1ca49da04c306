"""Commands for people who ask what is held on them, or to be forgotten."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from segmentation.identity.lookup import Identifier
from segmentation.privacy.key import load_key
from segmentation.runtime.options import Common, common_options, identifier_option, read_identifier
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages.access import hand_over
from segmentation.stages.erase import Erasure


@click.command(
    epilog="\b\nExample:\n  segmentation access --identifier email=ann@example.com --dest ann.json --config my.yml"
)
@click.option(
    "--identifier",
    "asked",
    required=True,
    metavar="TYPE=VALUE",
    callback=identifier_option,
    help="Any identifier of the person.",
)
@click.option(
    "--dest",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The file to write, which only you may read.",
)
@common_options
def access(common: Common, asked: Identifier, dest: Path) -> None:
    """Write all that is held on one person, as JSON to hand over.

    The personal values in it are in clear. That it was asked for is kept in the audit log, before it is given.
    """
    settings = common.settings()
    warehouse = Warehouse(common.spark(settings), settings.warehouse, run_id=str(uuid.uuid4()))
    rows = hand_over(warehouse, settings, asked, dest, datetime.now(UTC))
    common.progress().note(f"{rows:,} rows on one person are in {dest}.")


@click.command(
    epilog="\b\nExample:\n  segmentation erase --requests requests.txt --config my.yml\n\n\b\n"
    "One request a line of the file:\n  email=ann@example.com"
)
@click.option(
    "--identifier",
    "asked",
    multiple=True,
    metavar="TYPE=VALUE",
    callback=identifier_option,
    help="Any identifier of whom to erase; repeatable.",
)
@click.option(
    "--requests",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Identifiers, one a line, or - for standard input: other users can see what is given as --identifier.",
)
@common_options
def erase(common: Common, asked: list[Identifier], requests: TextIO | None) -> None:
    """Forget people: every row of them, every older file with them, and whoever brings them back.

    Whoever has one of the identifiers is erased with all the others. Their sources are not touched, but what comes
    again from these is turned away; destinations are told at the next export. Ends with a receipt, which holds no
    personal value. Needs the key, also where no identifier is personal. Killed, it is started again.
    """
    if requests is not None:
        lines = enumerate(requests.read().splitlines(), 1)
        asked += [read_identifier(line, f"line {number} of --requests: ") for number, line in lines if line.strip()]
    if not asked:
        raise click.UsageError("Name whom to erase: --identifier type=value, or --requests with a file of them.")
    settings = common.settings()
    stages = Erasure(asked, load_key(what="Tombstones of people who are erased")).stages
    reports = run_stages(common.spark(settings), settings, stages, Request(common.as_of), common.progress())
    click.echo(reports[-1].result)


COMMANDS = (access, erase)
