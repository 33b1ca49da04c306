"""The demo: one command, and once more."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable
from tests.finished import KEY

from segmentation.runtime.cli import run_command

pytestmark = pytest.mark.thorough


@pytest.mark.usefixtures("spark")
def test_the_demo_ends_with_a_report_and_a_second_one_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    reports, published = [], []
    for _ in range(2):
        assert run_command(["demo", "--dest", str(tmp_path)]) == 0
        reports.append(Path(capsys.readouterr().out.rpartition(": ")[2].strip()))
        published.append(DeltaTable(tmp_path / "warehouse" / "segments_current"))
    assert "<!doctype html>" in reports[0].read_text(encoding="utf-8").lower()
    assert reports[0] == reports[1]
    assert published[0].version() == published[1].version()
    assert published[0].to_pyarrow_table(columns=["person_id"]).num_rows > 2400
