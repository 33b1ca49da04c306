"""Refused rows of a batch, written to be repaired by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from segmentation.activation.folder import Folder
from segmentation.contracts.errors import ConfigError
from segmentation.ingest.batches import read_ledger
from segmentation.ingest.repairs import waiting_lines
from segmentation.runtime.plans import counted
from segmentation.runtime.warehouse import Warehouse


def write_refused(warehouse: Warehouse, batch: str, file: Path) -> int:
    """Writes the refused rows of a batch that nobody has repaired, as JSON, a line each, to `file`, which only the user
    may read; returns how many.

    Raises `ConfigError` where there is no such batch, the file is there already (it may have been edited), or it cannot
    be written.
    """
    read_ledger(warehouse.read_or_empty("ingest_batches")).find(batch)
    place = file.expanduser().absolute()
    if place.exists():
        raise ConfigError(f"There is a file '{file}' already: name another, or take that away.")
    with (
        counted(waiting_lines(warehouse.read_or_empty("events_quarantine"), batch)) as lines,
        _hidden_folder(place.parent) as hidden,
    ):
        Folder(warehouse.spark, str(hidden), "refused rows").write_lines(place.name, lines, b"", "\n")
        written = hidden / place.name
        written.chmod(0o600)
        written.replace(place)
        return lines.count()


@contextmanager
def _hidden_folder(beside: Path) -> Iterator[Path]:
    """A folder in which Spark may write what nobody else is to see, while it writes it too."""
    try:
        beside.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".refused-", dir=beside) as hidden:
            yield Path(hidden)
    except OSError as error:
        raise ConfigError(
            f"Refused rows cannot be written there ({type(error).__name__}): name a file in a folder that you may "
            "write to."
        ) from None
