"""One delivery: a file and its manifest, each whole or not at all, the manifest last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from segmentation.activation.destinations.destination import Destination
from segmentation.activation.folder import Folder
from segmentation.activation.records import file_fields
from segmentation.activation.rendering import LINE_ENDINGS, header, render_lines
from segmentation.config.destinations import FileType
from segmentation.config.exports import ExportSettings
from segmentation.contracts.errors import DeliveryError


@dataclass(frozen=True)
class Shipment:
    """What is to be delivered where: an export, the published version, and the segments chosen (None: all).

    `platform`: whose format the file has; None for one of the project's own.
    `pinned`: Delta versions of the further tables that decide who is in it, such as `audience_members`.
    """

    export: ExportSettings
    platform: Destination | None
    segment_version: int
    as_of: date
    segment_ids: Sequence[str] | None
    names: Mapping[str, str]
    pinned: Mapping[str, int]

    @property
    def file(self) -> str:
        return self.export.file_name(self.segment_version)

    @property
    def manifest(self) -> str:
        return f"{self.file}.manifest.json"

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the file, in order."""
        if self.platform is None:
            return self.export.columns
        return [field.header for field in file_fields(self.platform, self.export.fields)]

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
    def purposes(self) -> Sequence[str]:
        """What people may have been asked to grant before they are in the file."""
        own = (self.export.purpose,) if self.export.purpose else ()
        return (*own, *(self.platform.purposes if self.platform else ()))

    @property
    def fingerprint(self) -> str:
        """Hash of all that the file depends on, given that a version's members never change."""
        said = self.export.model_dump(mode="json")
        told = [said, self.rules, self.segment_version, dict(self.names), dict(self.pinned)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def deliver(shipment: Shipment, folder: Folder, members: DataFrame, rows: int, left_out: Mapping[str, int]) -> str:
    """Writes the file, then its manifest; returns the SHA-256 of the file's bytes. Raises `DeliveryError`.

    `members`: one row a person with the columns of the export; `rows`: how many they are;
    `left_out`: why a value or a person is not in the file -> people.
    """
    export = shipment.export
    try:
        if shipment.format == "parquet":
            sha256 = folder.write_parquet(shipment.file, members, shipment.columns, "person_id")
        else:
            lines = render_lines(members, shipment.columns, shipment.format, export.readers)
            first = header(shipment.columns, shipment.format, export.line_ending)
            sha256 = folder.write_lines(shipment.file, lines, first, LINE_ENDINGS[export.line_ending])
    except PySparkException as error:
        kind = error.getCondition() or type(error).__name__
        raise DeliveryError(
            f"The export '{export.name}' could not be written ({kind}): nothing was delivered."
        ) from error
    folder.write_text(
        shipment.manifest, json.dumps(_manifest(shipment, rows, left_out, sha256), indent=2, ensure_ascii=False) + "\n"
    )
    return sha256


def _manifest(shipment: Shipment, rows: int, left_out: Mapping[str, int], sha256: str) -> dict[str, Any]:
    export = shipment.export
    ids = sorted(shipment.names) if shipment.segment_ids is None else shipment.segment_ids
    return {
        "destination": export.name,
        "file": shipment.file,
        "rows": rows,
        "left_out": dict(left_out),
        "sha256": sha256,
        "type": export.type,
        "rules_of": shipment.rules,
        "encoding": None if shipment.format == "parquet" else "UTF-8",
        "line_ending": None if shipment.format == "parquet" else export.line_ending,
        "audience": export.audience,
        "purpose": export.purpose,
        "readers": export.readers,
        "columns": list(shipment.columns),
        "segment_version": shipment.segment_version,
        "as_of": shipment.as_of.isoformat(),
        "tables": dict(shipment.pinned),
        "segments": {segment_id: shipment.names[segment_id] for segment_id in ids},
    }
