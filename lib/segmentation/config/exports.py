"""`exports`: where published segments and audiences go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import PurePosixPath
from string import Formatter
from typing import Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from segmentation.config.destinations import CLEAR, PLATFORM_FIELDS, TABLE_TYPES, DestinationType
from segmentation.config.model import Name, Section
from segmentation.config.servers import Database, SftpServer
from segmentation.contracts.errors import Problem

ExportColumn = Literal[
    "person_id", "segment_id", "segment_name", "probability", "margin", "method", "segment_version", "as_of"
]
"""What a file may hold: no personal value is among them."""

Readers = Literal["machine", "people"]

PERSON_ID, ATTRIBUTE = "person_id", "attributes."
"""What feeds a field beside identifier types: the person's id, and an attribute of the table `persons`."""

_PLACES = {"name", "version", "delivery", "type"}


class ExportSettings(Section):
    """One destination."""

    name: Name = Field(description="Its name in `export_log.destination`.")
    type: DestinationType = Field(
        "csv",
        description="A file: CSV as in RFC 4180, one JSON object a line, or Parquet. A table, which each delivery "
        "brings up to date in one transaction: a Delta table at `path`, or a `table` of the `database`. Or the "
        "platform that a file is for, in whose own format it is written.",
    )
    path: str | None = Field(
        None,
        description="The folder (or URI of one) to deliver to, or that is the Delta table. Default: `_exports/NAME` in "
        "the warehouse.",
    )
    sftp: SftpServer | None = Field(None, description="A server to which each file is sent from there.")
    database: Database | None = Field(None, description="For the type `table`: where it is.")
    file: str | None = Field(
        None,
        description="The file inside the folder; `{name}`, `{version}` (of the segments), `{delivery}` (a number) and "
        "`{type}` are filled in. Default: `{name}-v{version}.{type}`, or `{name}-{delivery}.{type}` where changes are "
        "sent.",
    )
    sends: Literal["everyone", "changes"] = Field(
        "everyone",
        description="What a file has: `everyone` each time; or the `changes` since what the destination acknowledged "
        "last, who is new or told otherwise in one file and who is to be taken out in another, `…-removed`. The first "
        "has everyone, as does one after which the destination could not name whom to take out (they are found by "
        "other values now), one after somebody was erased (what was not fetched yet was deleted with them), and one "
        "that is asked for with `segmentation export --full NAME`. Where a "
        "file takes nobody out (braze, klaviyo, salesforce_marketing_cloud; files in the mode `upsert`), each has that "
        "of those to be taken out beside it, and `…-erased`, with the SHA-256 of the id of everyone who was erased: "
        "`…-{delivery}-removed` where the file has no number in its name.",
    )
    mode: Literal["mirror", "upsert"] = Field(
        "mirror",
        description="`mirror`: who is not meant any more is taken out there. `upsert`: stays, unless they said no or "
        "were erased, or a table, or the list of a platform that takes people out, is replaced by everyone; for "
        "`sends: changes`, and tables.",
    )
    labels: dict[str, str] = Field(
        {},
        description="Segment id -> what this destination calls the segment. Default: the name under which it had the "
        "segment first, so that a new name here breaks nothing there.",
    )
    segments: list[str] = Field(
        [], description="Ids or names of the segments whose people are delivered. Default: all."
    )
    audience: Name | None = Field(
        None, description="The audience whose people are delivered; with `segments`, those who are in both."
    )
    purpose: Name | None = Field(
        None,
        description="Only people who granted this, by their newest statement when the file is written; see `consent`. "
        "So it is with the purpose of the `audience`, and with `segments.purpose`.",
    )
    unless_refused: list[Name] | None = Field(
        None,
        description="Purposes such as `sale`: whose newest statement on one of them is no is left out, and nobody "
        "else, so that who never said anything is in. Default: where `global_privacy_control` is set, what it says no "
        "to, for the platforms that advertise (google_customer_match, meta, tiktok, linkedin); else nothing.",
    )
    columns: list[ExportColumn] = Field(
        ["person_id", "segment_id", "segment_name"], min_length=1, description="The columns of a file, in order."
    )
    fields: dict[str, str] = Field(
        {},
        description="For platforms, field -> what feeds it: an identifier type (personal ones come from the vault; of "
        "several values the newest), `person_id`, or `attributes.NAME` of the table `persons`. google_customer_match: "
        + ", ".join(PLATFORM_FIELDS["google_customer_match"])
        + "; the other platforms' fields are in their modules and in the error that an unknown one gives.",
    )
    min_confidence: float = Field(
        0,
        ge=0,
        le=1,
        description="For platforms: identifiers of which it is less sure than this that they are the person's "
        "(`identity_map.confidence`) feed nothing. 0.99 for a letter with a name on it, 1 for nothing that "
        "`identity.matching` guessed.",
    )
    rules_of: date | None = Field(
        None, description="For platforms: their rules as they stood at this date. Default: the newest known."
    )
    max_removed_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Greatest share of the people whom the destination has that one delivery may remove, not "
        "counting who said no or was erased. More waits for `segmentation export --confirm-removals NAME`.",
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
    def _stays_inside(cls, file: str | None) -> str | None:
        if file is None:
            return None
        try:
            unknown = {name for _, name, _, _ in Formatter().parse(file) if name is not None} - _PLACES
        except ValueError:
            raise ValueError(f"'{file}' has a brace that is not closed") from None
        if unknown:
            raise ValueError(f"'{file}' may hold {{name}}, {{version}}, {{delivery}} and {{type}} only")
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

    @model_validator(mode="after")
    def _fits_its_type(self) -> ExportSettings:
        if not self.is_platform:
            if self.fields or self.rules_of or self.min_confidence:
                kind = "table" if self.is_table else "file"
                raise ValueError(
                    f"fields, rules_of and min_confidence are for platforms; '{self.type}' is a {kind}: it has columns"
                )
            if not self.is_text and self.model_fields_set & {"readers", "line_ending"}:
                raise ValueError(f"readers and line_ending are for text, and '{self.type}' is none")
            return self
        known = PLATFORM_FIELDS[self.type]
        if not self.fields:
            raise ValueError(
                f"fields says what feeds {self.type}, such as {{email: email}}; it takes {', '.join(known)}"
            )
        for field in self.fields:
            if field not in known:
                near = next(iter(get_close_matches(field, known, 1)), None)
                meant = f"; did you mean '{near}'?" if near else ""
                raise ValueError(f"fields.{field}: {self.type} takes {', '.join(known)}{meant}")
        if self.model_fields_set & {"columns", "readers"}:
            raise ValueError(f"columns and readers are for files: {self.type} has columns of its own, fed by fields")
        if self.type in CLEAR and self.path is None:
            raise ValueError(f"path is missing: a file for {self.type} has personal values, so not in the warehouse")
        return self

    @model_validator(mode="after")
    def _goes_somewhere(self) -> ExportSettings:
        if (self.type == "table") != (self.database is not None):
            raise ValueError("the type 'table' and a 'database' go together")
        if self.is_table and (self.sftp or self.file):
            raise ValueError(f"sftp and file are for files, and '{self.type}' is a table")
        if self.type == "table" and self.path:
            raise ValueError("path is for files and Delta tables, and a table of a database has none")
        if self.sends_changes and not self.is_platform and PERSON_ID not in self.columns:
            raise ValueError(f"columns must have {PERSON_ID}: by it a change is told")
        if self.mode == "upsert" and not self.sends_changes:
            raise ValueError("mode: upsert needs sends: changes, or who says no could not be taken out there")
        if self.sends == "changes" and self.file and "{delivery}" not in self.file:
            raise ValueError(f"'{self.file}' needs {{delivery}} in it, or one delivery would overwrite another")
        return self

    @property
    def is_platform(self) -> bool:
        """Whether it goes to a platform, in whose own format it is written."""
        return self.type in PLATFORM_FIELDS

    @property
    def is_table(self) -> bool:
        """Whether it is a table, which is brought up to date, and no file."""
        return self.type in TABLE_TYPES

    @property
    def is_text(self) -> bool:
        """Whether it is a file of lines."""
        return not self.is_table and self.type != "parquet"

    @property
    def sends_changes(self) -> bool:
        """Whether a delivery has only what changed."""
        return self.is_table or self.sends == "changes"

    @property
    def numbers_files(self) -> bool:
        """Whether each delivery has a file of its own."""
        return "{delivery}" in self._file

    def file_name(self, version: int, delivery: int) -> str:
        """The file of one delivery of a segment version, relative to the folder."""
        kind = "csv" if self.is_platform else self.type
        return self._file.format(name=self.name, version=version, delivery=delivery, type=kind)

    @property
    def _file(self) -> str:
        usual = "{name}-{delivery}.{type}" if self.sends == "changes" else "{name}-v{version}.{type}"
        return self.file or usual


def check_feeds(raw: Mapping[str, Any]) -> list[Problem]:
    """What feeds the exports' fields in a configuration file and is no identifier type.

    What is malformed in itself is reported by its own model, so nothing is said of it here.
    """
    try:
        exports = TypeAdapter(list[ExportSettings]).validate_python(raw.get("exports") or [])
        known = [*raw["identity"]["identifiers"], PERSON_ID]
    except (ValidationError, KeyError, TypeError):
        return []
    return [
        Problem(
            f"exports.{number}.fields.{field}",
            f"'{feed}' is no identifier type of identity.identifiers, and neither {PERSON_ID} nor {ATTRIBUTE}NAME",
            suggestion=next(iter(get_close_matches(feed, known, 1)), None),
        )
        for number, export in enumerate(exports)
        for field, feed in export.fields.items()
        if feed not in known and not feed.startswith(ATTRIBUTE)
    ]
