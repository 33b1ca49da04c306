"""`monitoring`: where others may look how runs went."""

from __future__ import annotations

from pydantic import Field

from segmentation.config.model import Section


class MonitoringSettings(Section):
    """Beside the table `runs`, which always has it."""

    prometheus: str | None = Field(
        None,
        pattern=r"\.prom$",
        description="A file NAME.prom for the textfile collector of Prometheus' node exporter: how each stage ended "
        "last and when, its rows, bytes and seconds. Written anew whenever a run ends.",
    )
