"""All stages, in the order in which data flows."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation.contracts.errors import ConfigError, Problem
from segmentation.runtime.stage import Stage
from segmentation.stages import (
    assign,
    audiences,
    export,
    features,
    identity,
    ingest,
    live,
    publish,
    report,
    sessions,
    train,
)

_IN_ORDER: dict[str, Stage] = {
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
        live.STAGE,
        report.STAGE,
        export.STAGE,
    )
}

ON_REQUEST: dict[str, Stage] = {live.STAGE.name: live.STAGE}
"""Stages that a run has where it names them."""

STAGES: dict[str, Stage] = {name: stage for name, stage in _IN_ORDER.items() if name not in ON_REQUEST}
"""What a run does."""


def choose_stages(names: Sequence[str] | None) -> list[Stage]:
    """The named stages, or all, in the order in which data flows. Raises `ConfigError` for one that there is not."""
    chosen = STAGES if names is None else names
    if unknown := [name for name in chosen if name not in _IN_ORDER]:
        there = ", ".join(_IN_ORDER)
        raise ConfigError([Problem("--stages", f"there is no stage '{name}' (there are {there})") for name in unknown])
    return [stage for name, stage in _IN_ORDER.items() if name in chosen]
