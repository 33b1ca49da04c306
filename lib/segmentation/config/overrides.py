"""The file of overrides: what people know better than the data about who is who."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from segmentation.config.model import Section
from segmentation.contracts.errors import ConfigError, Problem

COLUMNS = ("action", "left", "right", "reason")

Action = Literal["together", "apart", "drop"]


class OverrideEntry(Section):
    """One override: two identifiers are one person, or never one, or one identifier ties nobody to anybody."""

    action: Action = Field(description="`together`, `apart`, or `drop`.")
    left: str = Field(pattern="(?s)^[^=]+=.+$", description="`type=value`, as a source would write it, or a token.")
    right: str | None = Field(None, pattern="(?s)^[^=]+=.+$", description="The other identifier; not with `drop`.")
    reason: str = Field(min_length=1, max_length=500, description="Why; kept with the links. No personal values.")

    @model_validator(mode="after")
    def _has_both_ends(self) -> OverrideEntry:
        if (self.right is None) != (self.action == "drop"):
            raise ValueError(f"`{self.action}` takes {'only left' if self.action == 'drop' else 'left and right'}")
        return self


def read_overrides(path: str) -> list[OverrideEntry]:
    """The entries of a YAML list, or of a CSV file with the columns of `COLUMNS`, in the order of the file.

    Raises `ConfigError` with every problem, named by the entry's number (1 is the first); it quotes no value.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [Problem("identity.overrides", f"the file '{path}' cannot be read ({type(error).__name__})")]
        ) from None
    entries: list[OverrideEntry] = []
    problems: list[Problem] = []
    for number, row in enumerate(_rows(path, text), 1):
        try:
            entries.append(OverrideEntry.model_validate(row))
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                key = ".".join(map(str, ("identity.overrides", f"entry {number}", *detail["loc"])))
                problems.append(Problem(key, _in_words(detail)))
    if problems:
        raise ConfigError(problems)
    return entries


def _rows(path: str, text: str) -> list[Any]:
    if path.endswith(".csv"):
        rows = csv.DictReader(io.StringIO(text))
        if set(rows.fieldnames or ()) - set(COLUMNS) or not rows.fieldnames:
            raise ConfigError([Problem("identity.overrides", f"'{path}' must have the columns {', '.join(COLUMNS)}")])
        return [{key: value for key, value in row.items() if value} for row in rows]
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError([Problem("identity.overrides", f"'{path}' is not valid YAML{where}")]) from None
    if not isinstance(found or [], list):
        raise ConfigError([Problem("identity.overrides", f"'{path}' must hold a list of overrides")])
    return found or []


def _in_words(detail: Any) -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"unknown key (there are {', '.join(COLUMNS)})"
        case "literal_error":
            return "must be one of together, apart, drop"
        case "string_pattern_mismatch":
            return "must be type=value, such as user_id=17"
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            return str(detail["msg"][0].lower() + detail["msg"][1:])
