"""The command `segmentation`: its groups of commands, and what it ends with."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click

from segmentation import __version__
from segmentation.contracts.errors import ConfigError, SegmentationError
from segmentation.runtime.commands import (
    attribution,
    audience,
    audit,
    demo,
    doctor,
    explain,
    look,
    measure,
    pipeline,
    privacy,
    runs,
    versions,
    world,
)
from segmentation.runtime.runner import describe

SECTIONS = {
    "Start here": ("doctor", "demo", "run"),
    "Stages, in order": (
        *("ingest", "identity", "sessions", "features", "train", "assign", "publish"),
        *("audiences", "live", "report", "export"),
    ),
    "Look around": ("show", "versions", "compare", "explain", "runs"),
    "Campaigns": ("audience", "measure", "attribution"),
    "Take back, and keep in order": ("rollback", "retire", "replay", "maintain"),
    "People's data": ("access", "erase", "audit"),
    "A world whose truth is known": ("simulate", "score"),
}
"""Commands as people look for them."""


class SectionedGroup(click.Group):
    """A group whose help tells its commands by `SECTIONS`."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands of each section with their first sentences, whole."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(limit=200)) for name in names])


@click.group(cls=SectionedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="segmentation")
def cli() -> None:
    """Behavioural segmentation on Apache Spark and Delta Lake.

    \b
    Example:
      segmentation run --config conf/example.yml

    Exit status: 0 done, 1 unexpected failure, 2 bad usage or configuration, 3 input broke its contract or a
    quality gate, 4 a publication gate refused the candidate.
    """


MODULES = (
    *(demo, pipeline, versions, runs, audience, measure, attribution, explain),
    *(privacy, audit, look, doctor, world),
)
for module in MODULES:
    for command in module.COMMANDS:
        cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with the status of the contract; also what the files in `jobs/` call.

    When all went well it returns: Databricks takes any `SystemExit` of a wheel's entry point for a failure.
    """
    if status := run_command(sys.argv[1:] if arguments is None else arguments):
        sys.exit(status)


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit status; errors go to standard error in one sentence."""
    debug = "--debug" in arguments
    try:
        cli.main(args=list(arguments), prog_name="segmentation", standalone_mode=False)
    except click.exceptions.Abort:
        return _fail("Stopped.", 1)
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except ConfigError as error:
        for problem in error.problems if len(error.problems) > 1 else ():
            click.echo(f"  {problem}", err=True)
        return _fail(_sentence(error), error.exit_status, error if debug else None)
    except SegmentationError as error:
        return _fail(str(error), error.exit_status, error if debug else None)
    except Exception as error:  # whatever else fails is said in one sentence, without the values it may quote
        text = f"Unexpected failure: {describe(error)}. Nothing published has changed; --debug shows where it happened."
        return _fail(text, 1, error if debug else None)
    return 0


def _sentence(error: ConfigError) -> str:
    if len(error.problems) > 1:
        keys = ", ".join(problem.key for problem in error.problems[:5])
        more = f" and {len(error.problems) - 5} more" if len(error.problems) > 5 else ""
        return f"The configuration has {len(error.problems)} problems, listed above: {keys}{more}."
    return str(error)


def _fail(text: str, status: int, shown: Exception | None = None) -> int:
    if shown is not None:
        traceback.print_exception(shown)
    click.echo(" ".join(text.split()), err=True)
    return status


if __name__ == "__main__":
    main()
