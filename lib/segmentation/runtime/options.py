"""Options that every command takes, and what they make."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import click
from pyspark.sql import SparkSession

from segmentation.config.settings import Settings, load_settings
from segmentation.identity.lookup import Identifier
from segmentation.runtime.progress import Progress
from segmentation.runtime.spark import session_for


@dataclass(frozen=True)
class Common:
    """The common options of one call."""

    config: Path | None
    as_of: date | None
    log_format: Literal["text", "json"]
    overrides: tuple[str, ...]
    dates: tuple[date, ...] = ()
    """All of --as-of, oldest first, where a command takes several."""

    def settings(self, default: Path | None = None, base: Path | None = None) -> Settings:
        """The configuration that the call names. Raises `ConfigError`; a missing --config is a usage error."""
        path = self.config or default
        if path is None:
            raise click.UsageError("Missing option '--config': name a configuration file, such as conf/example.yml.")
        return load_settings(path, self.overrides, base)

    def progress(self) -> Progress:
        return Progress(self.log_format)

    def spark(self, settings: Settings) -> SparkSession:
        return session_for(settings)


def common_options(command: Callable[..., Any], many_dates: bool = False) -> Callable[..., Any]:
    """Adds `--config`, `--as-of`, `--log-format`, `--set` and `--debug`; passes them as one `Common`."""
    form = ("DATE[,DATE…]", "YYYY-MM-DD, or several.") if many_dates else ("DATE", "YYYY-MM-DD.")

    @click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration (YAML).")
    @click.option(
        "--as-of",
        "dates",
        metavar=form[0],
        callback=_read_dates if many_dates else _read_one_date,
        help=f"{form[1]} Default: the newest event's date.",
    )
    @click.option("--log-format", type=click.Choice(["text", "json"]), default="text", help="How progress is written.")
    @click.option(
        "--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Overrides one value; repeatable."
    )
    @click.option(
        "--debug", is_flag=True, is_eager=True, expose_value=False, callback=_debug, help="Show stack traces."
    )
    @functools.wraps(command)
    def with_common(
        *args: Any,
        config: Path | None,
        dates: tuple[date, ...],
        log_format: Literal["text", "json"],
        overrides: tuple[str, ...],
        **kwargs: Any,
    ) -> Any:
        as_of = dates[0] if len(dates) == 1 else None
        return command(*args, Common(config, as_of, log_format, overrides, dates), **kwargs)

    return with_common


def read_identifier(text: str, where: str = "") -> Identifier:
    """`type=value`, as a source would write it. An error quotes nothing but `where`: what was typed may be personal."""
    kind, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not kind or not value:
        raise click.BadParameter(f"{where}write type=value, such as email=ann@example.com.")
    return kind, value


def identifier_option(_: click.Context, __: click.Parameter, given: str | tuple[str, ...] | None) -> Any:
    """Callback of an option with one identifier, or with several."""
    if given is None:
        return None
    return read_identifier(given) if isinstance(given, str) else [read_identifier(text) for text in given]


def read_date(_: click.Context, __: click.Parameter, value: str | None) -> date | None:
    """Callback of an option with a date."""
    if value is None:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()
    except ValueError:
        raise click.BadParameter(f"'{value}' is not a date YYYY-MM-DD.") from None


def _read_one_date(context: click.Context, option: click.Parameter, value: str | None) -> tuple[date, ...]:
    found = read_date(context, option, value)
    return () if found is None else (found,)


def _read_dates(context: click.Context, option: click.Parameter, value: str | None) -> tuple[date, ...]:
    found = {read_date(context, option, part.strip()) for part in value.split(",")} if value is not None else set()
    return tuple(sorted(day for day in found if day is not None))


def _debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.find_root().ensure_object(dict)["debug"] = value or context.find_root().ensure_object(dict).get("debug")
