"""How each stage ended last, for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from segmentation.contracts.errors import ConfigError

_FIGURES = {
    "rows_in": "Rows that the stage read, when it last ended.",
    "rows_out": "Rows that the stage wrote, when it last ended.",
    "bytes_written": "Bytes of the files that the stage wrote, when it last ended.",
}


def write_metrics(path: str, ends: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes the file anew, whole or not at all. `ends`: stage -> its last row of `runs` that has an end.

    Raises `ConfigError` where the file cannot be written.
    """
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str) -> Gauge:
        return Gauge(f"segmentation_stage_{name}", help_text, ["stage"], registry=registry)

    succeeded = gauge("succeeded", "Whether the stage succeeded when it last ended: 1, or 0.")
    ended = gauge("ended_timestamp_seconds", "When the stage last ended.")
    seconds = gauge("duration_seconds", "How long the stage took when it last ended.")
    figures = {name: gauge(name, text) for name, text in _FIGURES.items()}
    findings = Gauge(
        "segmentation_stage_figure", "Further counts of the stage, by name.", ["stage", "figure"], registry=registry
    )
    for stage, end in ends.items():
        succeeded.labels(stage).set(end["status"] == "succeeded")
        ended.labels(stage).set(end["ended_ts"].timestamp())
        seconds.labels(stage).set((end["ended_ts"] - end["started_ts"]).total_seconds())
        for name, one in figures.items():
            if end.get(name) is not None:
                one.labels(stage).set(end[name])
        for name, value in (end["figures"] or {}).items():
            findings.labels(stage, name).set(value)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(path, registry)
    except OSError as error:
        raise ConfigError(f"monitoring.prometheus: '{path}' cannot be written ({error.strerror}).") from None
