"""The command that shows the audit log, and checks that it is whole."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from pyspark.sql import functions as F
from rich.table import Table

from segmentation.privacy.audit import Entry
from segmentation.runtime.audit import read_entries, verify_log
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse


@click.command(epilog="\b\nExample:\n  segmentation audit --verify --config conf/example.yml")
@click.option("--verify", is_flag=True, help="Check that no entry was changed or taken out since it was written.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Newest entries to list.")
@common_options
def audit(common: Common, verify: bool, limit: int) -> None:
    """Show exports, publications, rollbacks, overrides, accesses and erasures, and who made them.

    --verify ends with exit status 3 at the first entry that breaks the chain. The hash that it prints is that of the
    last entry: keep it elsewhere, and entries that are taken away at the end are found out too.
    """
    settings = common.settings()
    log = Warehouse(common.spark(settings), settings.warehouse).read_or_empty("audit_log")
    if not verify:
        _show(list(read_entries(log.orderBy(F.desc("entry")).limit(limit))), common)
        return
    end = verify_log(log)
    if common.log_format == "json":
        click.echo(json.dumps({"entries": end.entry, "last_hash": end.entry_hash}))
    else:
        click.echo(f"{end.entry:,} entries, each in its place. Hash of the last: {end.entry_hash or 'none yet'}")


def _show(entries: list[Entry], common: Common) -> None:
    if common.log_format == "json":
        for entry in entries[::-1]:
            click.echo(json.dumps(asdict(entry), default=str))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("entry", justify="right", no_wrap=True)
    for name in ("when (UTC)", "action", "subject", "by"):
        table.add_column(name, no_wrap=True)
    table.add_column("detail", overflow="fold")
    for entry in entries[::-1]:
        detail = ", ".join(f"{name} {value}" for name, value in sorted(entry.detail.items()))
        moment = f"{entry.acted_ts:%Y-%m-%d %H:%M}"
        table.add_row(f"{entry.entry:,}", moment, entry.action, entry.subject, entry.actor, detail)
    open_console().print(table)


COMMANDS = (audit,)
