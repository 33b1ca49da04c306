"""Tables for people: nothing of them is cut off, in a pipe or on the narrowest usual terminal."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from rich.console import Console

from segmentation.runtime.commands.versions import _table
from segmentation.runtime.terminal import open_console
from segmentation.segments.versions import Version


def _version(reason: str | None) -> Version:
    return Version(
        segment_version=12,
        as_of=date(2026, 3, 31),
        model_id="model",
        status="published",
        inputs={},
        metrics={"people": 1_234_567.0, "segments": 12.0, "moved_share": 0.104},
        created_ts=datetime(2026, 4, 1, tzinfo=UTC),
        published_ts=datetime(2026, 4, 1, tzinfo=UTC),
        reason=reason,
        config_sha256="",
        code_version="",
        compared_with=None,
        fingerprint="",
        continuity="",
    )


def test_a_pipe_is_wide(capsys: pytest.CaptureFixture[str]) -> None:
    open_console().print("x" * 150)
    assert capsys.readouterr().out == "x" * 150 + "\n"


def test_versions_fit_into_eighty_columns() -> None:
    console = Console(width=80, record=True)
    console.print(_table([_version("rolled back from version 13: names were wrong")]))
    text = console.export_text()
    assert "…" not in text
    words = text.split()
    for shown in ("12", "published", "2026-03-31", "1,234,567", "10.4%", "2026-04-01", "rolled"):
        assert shown in words
