"""`exports`: where published segments go."""

from __future__ import annotations

from pydantic import Field

from segmentation.config.model import Name, Section


class ExportSettings(Section):
    """One destination."""

    name: Name = Field(description="Its name in `export_log.destination`.")
