"""What a destination is: the columns of its file, and what each makes of a person's values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

Normaliser = Callable[[Column], Column]
"""A value -> as the destination compares it; null where it cannot be such a value."""


@dataclass(frozen=True)
class Field:
    """One column of the file.

    `takes` is the field of the configuration that feeds it, or one of `person_id`, `segment_id`, `segment_name`,
    which need no feeding. `finds`: whether the destination finds somebody by it.
    """

    header: str
    takes: str
    normalise: Normaliser
    hashed: bool = False
    finds: bool = False

    def column(self, value: Column) -> Column:
        """What the file holds for a value: normalised, and hashed (SHA-256, lower-case hex) where that is the rule."""
        normal = self.normalise(value)
        return F.sha2(normal, 256) if self.hashed else normal


@dataclass(frozen=True)
class Destination:
    """The rules of one platform, as they stood at a date."""

    name: str
    ruled: date
    """When the platform's pages said so: a newer rule is a newer date, and delivers everybody anew."""
    fields: tuple[Field, ...]
    whole_header: bool = False
    """Whether columns that nothing feeds stand in the file too, empty."""
    found_together: tuple[str, ...] = ()
    """Headers that find somebody only when all of them are there."""
    only_adds: bool = False
    """Whether a file adds people and changes them, and takes nobody out: who is not in it stays. Such a platform finds
    everyone by their `person_id`."""
    fewest: int = 0
    """People of a list below which the platform refuses it, or should not get it (`fewest_is_firm`)."""
    fewest_is_firm: bool = False
    most_rows: int | None = None
    most_bytes: int | None = None
    """Of one file."""
    purposes: tuple[str, ...] = ()
    """Purposes that people must all have granted, if they are in one of the countries `purposes_in`, or nobody knows
    where they are."""
    purposes_in: frozenset[str] = frozenset()
