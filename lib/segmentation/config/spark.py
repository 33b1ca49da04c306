"""`spark`: what a session of our own is started with. A session that is already there is used as it is."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from segmentation.config.model import Section


class OpenLineageSettings(Section):
    """Where OpenLineage's listener says which tables each write was made from: `file` or `url`."""

    file: str | None = Field(None, description="A file that gets a line of JSON for each event.")
    url: str | None = Field(
        None, pattern=r"^https?://[^@]+$", description="A collector that takes OpenLineage over HTTP, such as Marquez."
    )
    namespace: str = Field("segmentation", description="Namespace of the jobs.")

    @model_validator(mode="after")
    def _goes_to_one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("needs a 'file' or a 'url', and not both")
        return self


class SparkSettings(Section):
    """Start-up of Spark where no session exists yet (local mode)."""

    master: str = Field("local[*]", description="Spark master.")
    driver_memory: str = Field("4g", pattern=r"^\d+[mg]$", description="Heap of the driver: in local mode, of all.")
    packages: list[str] = Field(
        [],
        description="Maven coordinates in place of the ones that `segmentation doctor` names.",
    )
    openlineage: OpenLineageSettings | None = Field(
        None,
        description="Lineage of every table for other tools, through OpenLineage's Spark listener. Its jar is fetched "
        "once, by the command that the first start without it names.",
    )
    conf: dict[str, str | int | float | bool] = Field({}, description="Further Spark settings.")
