"""One delivery: files and their manifest, each whole or not at all, the manifest last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import Any, Literal

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from segmentation.activation.destinations.destination import Destination
from segmentation.activation.folder import Folder
from segmentation.activation.records import file_fields
from segmentation.activation.rendering import LINE_ENDINGS, header, render_lines
from segmentation.config.destinations import FileType
from segmentation.config.exports import PERSON_ID, ExportSettings
from segmentation.contracts.errors import DeliveryError

HASHED = "sha256"
"""Column with the SHA-256, in hexadecimal, of the id of somebody who was erased."""


@dataclass(frozen=True)
class Shipment:
    """What is to be delivered where: an export, the published version, and the segments chosen (None: all).

    `platform`: whose format the file has; None for one of the project's own.
    `names`: id -> name of all published segments; `labels`: what the destination calls them, those that it had before
    among them. `pinned`: Delta versions of the further tables that decide who is in it, such as `audience_members`.
    `purposes`: what people must all have granted to be in it; `unless_refused`: what they must not have refused.
    `number`: 1, 2, 3, … of this destination.
    """

    export: ExportSettings
    platform: Destination | None
    segment_version: int
    as_of: date
    segment_ids: Sequence[str] | None
    names: Mapping[str, str]
    labels: Mapping[str, str]
    purposes: Sequence[str]
    unless_refused: Sequence[str]
    pinned: Mapping[str, int]
    number: int

    @property
    def file(self) -> str:
        return self.export.file_name(self.segment_version, self.number)

    @property
    def removed_file(self) -> str:
        """The file of those to be taken out, where changes are sent, or the destination only adds people."""
        return self._beside("removed")

    @property
    def erased_file(self) -> str:
        """The file of those to be taken out who were erased, where the destination only adds people."""
        return self._beside("erased")

    @property
    def manifest(self) -> str:
        return f"{self.file}.manifest.json"

    @property
    def only_adds(self) -> bool:
        """Whether who is not in a file stays at the destination, so that it has to be told of everyone who is to go."""
        if self.platform is not None:
            return self.platform.only_adds
        return self.export.mode == "upsert" and not self.export.is_table

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the file, in order."""
        if self.platform is None:
            return self.export.columns
        return [field.header for field in file_fields(self.platform, self.export.fields)]

    @property
    def finders(self) -> Sequence[str]:
        """The columns by which the destination finds a person."""
        if self.platform is None:
            return [PERSON_ID]
        together = set(self.platform.found_together)
        fields = file_fields(self.platform, self.export.fields)
        return [field.header for field in fields if field.finds or field.header in together]

    @property
    def removed_columns(self) -> Sequence[str]:
        """The columns of the file of those to be taken out: where a platform takes it as it takes the other, all."""
        return self.finders if self.platform is None or self.platform.only_adds else self.columns

    @property
    def format(self) -> FileType:
        """In what the rows are written."""
        kind = self.export.type
        return kind if kind == "jsonl" or kind == "parquet" else "csv"

    @property
    def rules(self) -> str | None:
        """Date of the platform's rules that the file follows."""
        return self.platform.ruled.isoformat() if self.platform else None

    @property
    def refusals(self) -> Sequence[str]:
        """The purposes of which a no is carried out at once, however many say it."""
        return sorted({*self.purposes, *self.unless_refused, *(self.platform.purposes if self.platform else ())})

    @property
    def fingerprint(self) -> str:
        """Hash of all that the file depends on, given that a version's members never change."""
        said = self.export.model_dump(mode="json")
        asked = [self.purposes, self.unless_refused]
        told = [said, self.rules, self.segment_version, dict(self.labels), asked, dict(self.pinned)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def _beside(self, what: str) -> str:
        """A file of what one delivery alone says, which the next must not overwrite."""
        name = PurePosixPath(self.file)
        number = "" if self.export.numbers_files else f"-{self.number}"
        return str(name.with_name(f"{name.stem}{number}-{what}{name.suffix}"))


@dataclass(frozen=True)
class Load:
    """What one delivery carries.

    `rows`: a row a person with the columns of the export: everyone, or those who are new or told otherwise (`sent`).
    `removed`: those to be taken out, by what the destination finds them by; None: whoever is not in `rows`.
    `erased`: of these, a row each with the hash that is all that is left of them (`HASHED`).
    `why`: a clause that says why it is everyone though changes are sent.
    `left_out`: why a value or a person is not in it -> people.
    """

    rows: DataFrame
    count: int
    sent: Literal["everyone", "changes"] = "everyone"
    removed: DataFrame | None = None
    removals: int = 0
    erased: DataFrame | None = None
    erasures: int = 0
    why: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)


def deliver(shipment: Shipment, folder: Folder, load: Load) -> str:
    """Writes the files, then their manifest; returns the SHA-256 of the bytes of the first. Raises `DeliveryError`."""
    sha256 = _write(shipment, folder, shipment.file, (load.rows, load.count), shipment.columns)
    told = {**describe(shipment, load), "file": shipment.file, "sha256": sha256, "removed": None}
    if load.removed is not None:
        digest = _write(
            shipment, folder, shipment.removed_file, (load.removed, load.removals), shipment.removed_columns
        )
        told["removed"] = {"file": shipment.removed_file, "rows": load.removals, "sha256": digest}
    if load.erased is not None:
        (finder,), rows = shipment.finders, load.erased
        header = f"{finder}_{HASHED}"
        hashed = rows.withColumnRenamed(HASHED, header)
        digest = _write(shipment, folder, shipment.erased_file, (hashed, load.erasures), [header])
        told["erased"] = {"file": shipment.erased_file, "rows": load.erasures, "sha256": digest}
    folder.write_text(shipment.manifest, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    return sha256


def list_files(shipment: Shipment, load: Load) -> list[str]:
    """The files that `deliver` writes, in order: who has the last one has all."""
    further = {shipment.removed_file: load.removed, shipment.erased_file: load.erased}
    return [shipment.file, *(file for file, rows in further.items() if rows is not None), shipment.manifest]


def describe(shipment: Shipment, load: Load) -> dict[str, Any]:
    """What a delivery is, without anybody in it."""
    export, is_text = shipment.export, shipment.export.is_text
    ids = sorted(shipment.names) if shipment.segment_ids is None else shipment.segment_ids
    return {
        "destination": export.name,
        "delivery": shipment.number,
        "sent": load.sent,
        **({"why": load.why} if load.why else {}),
        "rows": load.count,
        "left_out": dict(load.left_out),
        "type": export.type,
        "rules_of": shipment.rules,
        "encoding": "UTF-8" if is_text else None,
        "line_ending": export.line_ending if is_text else None,
        "audience": export.audience,
        "purpose": export.purpose,
        "purposes": list(shipment.purposes),
        "unless_refused": list(shipment.unless_refused),
        "readers": export.readers,
        "columns": list(shipment.columns),
        "segment_version": shipment.segment_version,
        "as_of": shipment.as_of.isoformat(),
        "tables": dict(shipment.pinned),
        "segments": {segment_id: shipment.names[segment_id] for segment_id in ids},
        "labels": {segment_id: shipment.labels[segment_id] for segment_id in ids},
    }


def _write(shipment: Shipment, folder: Folder, file: str, people: tuple[DataFrame, int], columns: Sequence[str]) -> str:
    """Writes rows, and says how many there are, to a file; returns its SHA-256."""
    export, (rows, count) = shipment.export, people
    try:
        if shipment.format == "parquet":
            return folder.write_parquet(file, rows, columns, PERSON_ID)
        lines = render_lines(rows, columns, shipment.format, export.readers) if count else None
        first = header(columns, shipment.format, export.line_ending)
        most = shipment.platform.most_bytes if shipment.platform else None
        return folder.write_lines(file, lines, first, LINE_ENDINGS[export.line_ending], most)
    except PySparkException as error:
        kind = error.getCondition() or type(error).__name__
        raise DeliveryError(
            f"The export '{export.name}' could not be written ({kind}): nothing was delivered."
        ) from error
