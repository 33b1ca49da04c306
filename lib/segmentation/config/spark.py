"""`spark`: what a session of our own is started with. A session that is already there is used as it is."""

from __future__ import annotations

from pydantic import Field

from segmentation.config.model import Section


class SparkSettings(Section):
    """Start-up of Spark where no session exists yet (local mode)."""

    master: str = Field("local[*]", description="Spark master.")
    driver_memory: str = Field("4g", pattern=r"^\d+[mg]$", description="Heap of the driver: in local mode, of all.")
    packages: list[str] = Field(
        [],
        description="Maven coordinates in place of the ones that `segmentation doctor` names.",
    )
    conf: dict[str, str | int | float | bool] = Field({}, description="Further Spark settings.")
