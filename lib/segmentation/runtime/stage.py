"""What a stage is: a name, the tables that it reads and writes, and a function from the ones to the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

import click
from pyspark.sql import DataFrame, SparkSession

from segmentation.config.settings import Settings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import InputError
from segmentation.privacy.audit import Act
from segmentation.runtime.warehouse import Warehouse
from segmentation.sessions.attach import owners_then


@dataclass(frozen=True)
class Earlier:
    """What the tables of a stage were last made from: they are as it left them, and it would make them the same way."""

    inputs: Mapping[str, int]
    """Table -> its Delta version of then."""
    as_of: date


@dataclass(frozen=True)
class StageContext:
    """All that a stage is given. Nothing in it is reached for: no global session, clock or path."""

    spark: SparkSession
    settings: Settings
    warehouse: Warehouse
    inputs: Mapping[str, int]
    """Delta version of each table that the stage may read, pinned when it started; missing: no such table yet."""
    now: datetime
    """When the stage started, UTC: for columns that record when something was done, never for what it finds."""
    tell: Callable[[str], None]
    """Says on the terminal what the stage is doing."""
    code_version: str
    """Version of the suite with a hash of its source."""
    as_of_option: date | None = None
    """`--as-of`, where it was given; see `as_of`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the stage's own command."""
    earlier: Earlier | None = None
    """For a stage that is `incremental`; None: everything has to be done."""
    _newest: date | None = None

    @property
    def as_of(self) -> date:
        """The date that the run is for: `--as-of`, else the newest event's."""
        found = self.as_of_option or self._newest
        if found is None:
            raise InputError("There are no events yet: run `segmentation ingest` first.")
        return found

    def read(self, name: str) -> DataFrame:
        """A table that the stage declares, at its pinned version."""
        return self.warehouse.read(name, self.inputs.get(name))

    def read_or_empty(self, name: str) -> DataFrame:
        """The same, or no rows where the table does not exist yet."""
        return self.read(name) if name in self.inputs else self.warehouse.read_or_empty(name)

    def read_owners(self, then: Earlier | None = None) -> DataFrame:
        """Whose each identifier is, or was at `as_of` where `point_in_time` asks for that; as the tables and the date
        are now, or were `then`."""
        versions, as_of = (then.inputs, then.as_of) if then else (self.inputs, self.as_of)
        if self.settings.point_in_time.identity == "then":
            return owners_then(self.warehouse.read("identity_history", versions.get("identity_history")), as_of)
        return self.warehouse.read("identity_map", versions.get("identity_map"))


@dataclass(frozen=True)
class Outcome:
    """What a stage did: rows read and written, further counts by name, and whether it did all or only what changed."""

    rows_in: int
    rows_out: int
    figures: dict[str, int] = field(default_factory=dict)
    mode: Literal["full", "incremental"] = "full"
    message: str = ""
    """One clause for the terminal, e.g. `7 segments by bisecting k-means`."""
    result: str = ""
    """What the user wants to go on with, such as the path of a report: the command's last line on standard output."""


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline. `state` are tables of its own writing that it also reads (what it left last time)."""

    name: str
    help: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Callable[[StageContext], Outcome]
    depends_on: Callable[[Settings], object]
    """The part of the configuration that its result depends on."""
    follows: Callable[[Settings], object] = lambda _: None
    """A further part, where an incremental stage can go on from what it did last although this has changed since."""
    state: tuple[str, ...] = ()
    reusable: bool = True
    """Whether it may be passed over when nothing that it reads has changed since it last succeeded."""
    incremental: bool = False
    """Whether it can go on from what it did last, see `StageContext.earlier`."""
    many_dates: bool = False
    """Whether its own command takes several dates, and does them one after the other."""
    options: tuple[click.Option, ...] = ()
    """Options of its own command, beside the common ones; the stage finds them in `StageContext.options`."""
    acts: Callable[[Warehouse], Sequence[Act]] = lambda _: ()
    """What its tables say was done that has to be accounted for; the log takes what it does not have yet."""
    needs: Callable[[Settings], object] = lambda _: None
    """Raises `ConfigError` where a secret is missing that it cannot do without: asked before Spark is started."""

    def __post_init__(self) -> None:
        unknown = {*self.reads, *self.writes, *self.state} - set(CATALOGUE)
        assert not unknown, f"stage {self.name} names unknown tables {unknown}"
