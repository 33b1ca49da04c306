"""Refused rows of a batch, written to be repaired by hand."""

from __future__ import annotations

from pathlib import Path

from segmentation.activation.folder import Folder
from segmentation.contracts.errors import ConfigError
from segmentation.ingest.batches import read_ledger
from segmentation.ingest.repairs import waiting_lines
from segmentation.runtime.plans import counted
from segmentation.runtime.warehouse import Warehouse


def write_refused(warehouse: Warehouse, batch: str, file: Path) -> int:
    """Writes the refused rows of a batch that nobody has repaired, as JSON, a line each, to `file`; returns how many.

    Raises `ConfigError` where there is no such batch, or the file is there already: it may have been edited.
    """
    read_ledger(warehouse.read_or_empty("ingest_batches")).find(batch)
    place = file.expanduser().absolute()
    if place.exists():
        raise ConfigError(f"There is a file '{file}' already: name another, or take that away.")
    folder = Folder(warehouse.spark, str(place.parent), "refused rows")
    with counted(waiting_lines(warehouse.read_or_empty("events_quarantine"), batch)) as lines:
        folder.write_lines(place.name, lines, b"", "\n")
        return lines.count()
