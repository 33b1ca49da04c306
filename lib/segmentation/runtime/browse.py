"""Opening tables for people to look at."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches

from pyspark.sql import DataFrame

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import ConfigError, Problem
from segmentation.runtime.warehouse import Warehouse
from segmentation.sessions.attach import map_then

_CLOSED = {"vault": "it holds personal values in clear, which only linking, export and erasure read"}


def check_open(name: str) -> None:
    """Raises `ConfigError` for a table that there is not, or that is not shown."""
    if name not in CATALOGUE:
        near = next(iter(get_close_matches(name, CATALOGUE, 1)), None)
        there = ", ".join(CATALOGUE)
        raise ConfigError([Problem("TABLE", f"there is no table '{name}' (there are {there})", suggestion=near)])
    if name in _CLOSED:
        raise ConfigError(f"The table '{name}' is not shown: {_CLOSED[name]}.")


def open_table(warehouse: Warehouse, name: str, version: int | None = None) -> DataFrame:
    """A table as it is now, or was at a Delta version. Raises as `check_open`, and `InputError` where no stage has
    written it yet."""
    check_open(name)
    return warehouse.read(name, version)


def open_map(warehouse: Warehouse, as_of: date) -> DataFrame:
    """Whose each identifier was held to be at the end of a date; see `map_then`. Raises `InputError` where no stage has
    written `identity_history` yet."""
    return map_then(warehouse.read("identity_history"), as_of)
