"""What all sections share."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name that may become a column, a file or a folder."""

SqlExpression = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
"""A Spark SQL expression over a source's own columns. Ingestion parses it and refuses what reaches beyond them."""


class Section(BaseModel):
    """A part of the configuration: immutable, and with no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def sha256(self) -> str:
        """A hash that two sections share exactly when they say the same."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
