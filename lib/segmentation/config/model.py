"""What all sections share."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

NAME = r"^[a-z][a-z0-9_]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
"""A name that may become a column, a file or a folder."""

SqlExpression = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
"""A Spark SQL expression over a source's own columns. Ingestion parses it and refuses what reaches beyond them."""


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression."""


class Section(BaseModel):
    """A part of the configuration: immutable, and with no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_left_out(cls, data: Any) -> Any:
        """`sessions:` with nothing behind it, as when all of its keys are commented out, means the defaults."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or not cls._has_other_default(key)}

    @classmethod
    def _has_other_default(cls, key: str) -> bool:
        field = cls.model_fields.get(key)
        return field is not None and not field.is_required() and type(None) not in get_args(field.annotation)

    def sha256(self) -> str:
        """A hash that two sections share exactly when they say the same."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
