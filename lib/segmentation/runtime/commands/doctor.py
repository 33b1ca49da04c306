"""`segmentation doctor`: what an examination finds, for people to read."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.table import Table as Grid

from segmentation.contracts.errors import ConfigError
from segmentation.runtime.examination import Finding, examine
from segmentation.runtime.options import Common, common_options
from segmentation.runtime.terminal import open_console


@click.command(epilog="\b\nExample:\n  segmentation doctor --config conf/example.yml")
@common_options
def doctor(common: Common) -> None:
    """Check Java, jars, Spark and, with --config, the configuration, its key and its warehouse."""
    settings, findings = None, []
    if common.config is not None:
        try:
            settings = common.settings()
            findings.append(Finding("configuration", True, f"{common.config} is valid"))
        except ConfigError as error:
            findings.append(Finding("configuration", False, str(error), "correct these keys"))
    findings += examine(settings)
    _show(findings, common.log_format == "json")
    wrong = [finding.what for finding in findings if not finding.ok]
    if wrong:
        raise ConfigError(f"{len(wrong)} of {len(findings)} checks failed: {', '.join(wrong)}; see above what to do.")


def _show(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        for finding in findings:
            click.echo(json.dumps(asdict(finding)))
        return
    grid = Grid(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]"
        advice = "" if finding.ok or not finding.advice else f" → {finding.advice}"
        grid.add_row(mark, finding.what, f"{finding.found}{advice}")
    open_console().print(grid)


COMMANDS = (doctor,)
