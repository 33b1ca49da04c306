"""`maintenance`: how long rows and older versions of tables are kept; `segmentation maintain` carries it out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from segmentation.config.model import Section
from segmentation.contracts.catalogue import CATALOGUE

AGEING = {name: table.aged_by for name, table in CATALOGUE.items() if table.aged_by}
"""Tables whose rows may be deleted when they are old, and the column that says how old."""

Days = Annotated[int, Field(ge=1, le=36_500)]


class Maintenance(Section):
    """What is kept, and for how long."""

    keep_rows_days: dict[str, Days] = Field(
        {},
        description=f"Table -> rows older than so many days before the date are deleted ({', '.join(AGEING)}). "
        "Default: all are kept. Of `consent`, what somebody said last by then stays, since it holds. Older `sessions` "
        "do not come back either, and features of sessions see no further. Events and the vault are always kept: who "
        "is who is found anew from all of them. `segmentation erase` takes people out of both.",
    )
    keep_versions_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="How long older Delta versions can be read. Those that a segment version was made from always can.",
    )

    @field_validator("keep_rows_days")
    @classmethod
    def _tables_age(cls, kept: dict[str, int]) -> dict[str, int]:
        for name in kept:
            if name not in AGEING:
                raise ValueError(f"rows of '{name}' are not deleted for their age; those of {', '.join(AGEING)} may be")
        return kept
