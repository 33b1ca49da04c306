"""Paths in the configuration: relative ones get their base, `package:` ones their place on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from segmentation.contracts.errors import ConfigError, Problem

if TYPE_CHECKING:
    from segmentation.config.servers import SftpServer
    from segmentation.config.settings import Settings

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_CATALOG = re.compile(r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$")
_PACKAGE = "package:"


def resolve(settings: Settings, base: Path) -> Settings:
    """`settings` with every path made absolute (URIs and `catalog.schema` stay). Raises `ConfigError`."""
    problems: list[Problem] = []

    def place(path: str, key: str) -> str:
        try:
            return locate(path, base)
        except LookupError as error:
            problems.append(Problem(key, str(error.args[0]), path))
            return path

    sources = [
        source.model_copy(
            update={
                "path": source.path if source.format == "kafka" else place(source.path, f"sources.{number}.path"),
                "lookups": [
                    lookup.model_copy(update={"path": place(lookup.path, f"sources.{number}.lookups.{position}.path")})
                    for position, lookup in enumerate(source.lookups)
                ],
            }
        )
        for number, source in enumerate(settings.sources)
    ]
    exports = [
        export.model_copy(
            update={
                "path": place(export.path, f"exports.{number}.path") if export.path else None,
                "sftp": _with_key(export.sftp, place, f"exports.{number}.sftp.key_file"),
            }
        )
        for number, export in enumerate(settings.exports)
    ]
    overrides = place(settings.identity.overrides, "identity.overrides") if settings.identity.overrides else None
    identity = settings.identity.model_copy(update={"overrides": overrides})
    warehouse = settings.warehouse if is_catalog(settings.warehouse) else place(settings.warehouse, "warehouse")
    money = settings.money
    if money:
        files = {"rates": money.rates, "prices": money.prices}
        placed = {name: place(path, f"money.{name}") for name, path in files.items() if path}
        money = money.model_copy(update=placed)
    metrics = settings.monitoring.prometheus
    watched = {"prometheus": place(metrics, "monitoring.prometheus") if metrics else None}
    spark, lineage = settings.spark, settings.spark.openlineage
    if lineage and lineage.file:
        there = {"file": place(lineage.file, "spark.openlineage.file")}
        spark = spark.model_copy(update={"openlineage": lineage.model_copy(update=there)})
    if problems:
        raise ConfigError(problems)
    return settings.model_copy(
        update={
            "sources": sources,
            "identity": identity,
            "money": money,
            "exports": exports,
            "warehouse": warehouse,
            "spark": spark,
            "monitoring": settings.monitoring.model_copy(update=watched),
        }
    )


def _with_key(server: SftpServer | None, place: Callable[[str, str], str], key: str) -> SftpServer | None:
    if server is None or server.key_file is None:
        return server
    return server.model_copy(update={"key_file": place(server.key_file, key)})


def is_catalog(warehouse: str) -> bool:
    """Whether the warehouse is `catalog.schema` and not a folder."""
    return bool(_CATALOG.match(warehouse))


def locate(path: str, base: Path) -> str:
    """One path made absolute; raises `LookupError` when it names a package that is not installed."""
    if path.startswith(_PACKAGE):
        name, _, inside = path.removeprefix(_PACKAGE).partition("/")
        spec = find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise LookupError(f"the Python package '{name}' is not installed")
        return str(Path(next(iter(spec.submodule_search_locations))) / inside)
    if _SCHEME.match(path):
        return path
    return str((base / Path(path).expanduser()).absolute())
