"""Every error that a user can meet, under one base class.

Each carries the exit status of the command line (see the README), and its text is one sentence for the person
who has to act: what failed, which table, column or key, at most five examples, what to do next. It never holds
an identifier or another personal value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EXAMPLES = 5


class SegmentationError(Exception):
    """Base of all errors that are explained to the user; ``exit_status`` is what the command ends with."""

    exit_status = 1


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a configuration: where (key path), what was found, what is wrong, what was meant."""

    key: str
    message: str
    value: object = None
    suggestion: str | None = None

    def __str__(self) -> str:
        shown = "" if self.value is None else f" (found {_short(self.value)})"
        meant = "" if self.suggestion is None else f"; did you mean '{self.suggestion}'?"
        return f"{self.key}: {self.message}{shown}{meant}"


class ConfigError(SegmentationError):
    """The configuration or the way the command was called is wrong; nothing was run."""

    exit_status = 2

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = () if isinstance(problems, str) else tuple(problems)
        super().__init__(problems if isinstance(problems, str) else "; ".join(map(str, problems)))


class InputError(SegmentationError):
    """Input data broke its contract or a quality gate; nothing published has changed."""

    exit_status = 3


class UnreadableError(InputError):
    """Files of a source cannot be read as what they should be."""


class EmptyError(InputError):
    """Files of a source have nothing in them, not even the names of columns."""


class MissingColumnsError(InputError):
    """A DataFrame or table lacks columns that the next step needs."""

    def __init__(self, what: str, missing: Iterable[str], available: Iterable[str]) -> None:
        lacking, have = sorted(missing), sorted(available)
        super().__init__(
            f"{what} lacks the column{'s'[: len(lacking) > 1]} {_listed(lacking)}; it has {_listed(have, 20)}."
        )


class PublicationRefused(SegmentationError):  # noqa: N818 - a refusal is an outcome, and reads as one
    """A publication gate refused a candidate version; the published version stays as it was."""

    exit_status = 4


class DeliveryError(SegmentationError):
    """A file could not be written where it was to be delivered; what was delivered before is still there, whole."""


class WarehouseBusyError(SegmentationError):
    """Another run is at work on the same warehouse."""


def _listed(names: Sequence[str], most: int = EXAMPLES) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _short(value: object, most: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"
