"""All stages, in the order in which data flows."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation.contracts.errors import ConfigError, Problem
from segmentation.runtime.stage import Stage
from segmentation.stages import assign, audiences, export, features, identity, ingest, publish, report, sessions, train

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        ingest.STAGE,
        identity.STAGE,
        sessions.STAGE,
        features.STAGE,
        train.STAGE,
        assign.STAGE,
        publish.STAGE,
        audiences.STAGE,
        report.STAGE,
        export.STAGE,
    )
}


def choose_stages(names: Sequence[str] | None) -> list[Stage]:
    """The named stages, or all, in the order in which data flows. Raises `ConfigError` for one that there is not."""
    chosen = STAGES if names is None else names
    if unknown := [name for name in chosen if name not in STAGES]:
        there = ", ".join(STAGES)
        raise ConfigError([Problem("--stages", f"there is no stage '{name}' (there are {there})") for name in unknown])
    return [stage for name, stage in STAGES.items() if name in chosen]
