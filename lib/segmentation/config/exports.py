"""`exports`: where published segments and audiences go."""

from __future__ import annotations

from pathlib import PurePosixPath
from string import Formatter
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from segmentation.config.model import Name, Section

ExportColumn = Literal[
    "person_id", "segment_id", "segment_name", "probability", "margin", "method", "segment_version", "as_of"
]
"""What a file may hold: no personal value is among them."""

Readers = Literal["machine", "people"]

_PLACES = {"name", "version", "type"}


class ExportSettings(Section):
    """One destination."""

    name: Name = Field(description="Its name in `export_log.destination`.")
    type: Literal["csv", "jsonl"] = Field("csv", description="CSV as in RFC 4180, or one JSON object a line.")
    path: str | None = Field(
        None, description="The folder (or URI of one) to deliver to. Default: `_exports/NAME` in the warehouse."
    )
    file: str = Field(
        "{name}-v{version}.{type}",
        description="The file inside the folder; `{name}`, `{version}` (of the segments) and `{type}` are filled in.",
    )
    segments: list[str] = Field(
        [], description="Ids or names of the segments whose people are delivered. Default: all."
    )
    audience: Name | None = Field(
        None, description="The audience whose people are delivered; with `segments`, those who are in both."
    )
    purpose: Name | None = Field(
        None,
        description="Only people who granted this, by their newest statement when the file is written; see `consent`.",
    )
    columns: list[ExportColumn] = Field(
        ["person_id", "segment_id", "segment_name"], min_length=1, description="The columns, in order."
    )
    readers: Readers = Field(
        "machine",
        description="`people` open it in a spreadsheet: text that would run there as a formula gets a leading `'`.",
    )
    line_ending: Literal["lf", "crlf"] = Field("lf", description="What ends a line.")

    @model_validator(mode="before")
    @classmethod
    def _readers_were_called_audience(cls, data: Any) -> Any:
        """What files of version 0.1 say with `audience: people`; no audience may have one of these names."""
        if isinstance(data, dict) and "readers" not in data and data.get("audience") in get_args(Readers):
            return {**{key: value for key, value in data.items() if key != "audience"}, "readers": data["audience"]}
        return data

    @field_validator("path")
    @classmethod
    def _does_not_climb(cls, path: str | None) -> str | None:
        if path is not None and ".." in path.replace("\\", "/").split("/"):
            raise ValueError(f"'{path}' climbs out with '..': name the folder itself")
        return path

    @field_validator("file")
    @classmethod
    def _stays_inside(cls, file: str) -> str:
        try:
            unknown = {name for _, name, _, _ in Formatter().parse(file) if name is not None} - _PLACES
        except ValueError:
            raise ValueError(f"'{file}' has a brace that is not closed") from None
        if unknown:
            raise ValueError(f"'{file}' may hold {{name}}, {{version}} and {{type}} only")
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file or not path.name.strip("."):
            raise ValueError(f"'{file}' must be a file inside the export's folder")
        return file

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, columns: list[ExportColumn]) -> list[ExportColumn]:
        if len(set(columns)) < len(columns):
            raise ValueError("a column stands twice")
        return columns

    def file_name(self, version: int) -> str:
        """The file of one segment version, relative to the folder."""
        return self.file.format(name=self.name, version=version, type=self.type)
