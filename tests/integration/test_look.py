"""`segmentation show`: a table's rows, so that a person can read them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import yaml
from tests.factories import event_values, identity_values, minimal_settings, write_table

from segmentation.runtime.cli import run_command


def test_few_columns_stand_side_by_side_and_many_below_each_other(
    spark: object, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, config = str(tmp_path / "warehouse"), tmp_path / "shop.yml"
    write_table(root, "events", event_values([{"event_ts": datetime(2026, 3, 1), "properties": {"page": "/a/b/c"}}]))
    write_table(root, "identity_map", identity_values({("user_id", "u"): "ann"}))
    config.write_text(yaml.safe_dump(minimal_settings(warehouse=root).model_dump(mode="json", exclude_unset=True)))

    period = {"identifier_type": "user_id", "identifier_value": "u", "person_id": "before", "change": "new"}
    write_table(
        root, "identity_history", [{**period, "valid_from": datetime(2026, 3, 1), "valid_to": datetime(2026, 3, 9)}]
    )

    def show(table: str, columns: int, *options: str) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert run_command(["show", table, "--config", str(config), *options]) == 0
        return capsys.readouterr().out.splitlines()

    wide = show("identity_map", 120)
    (line,) = (line for line in wide if "ann" in line)
    assert "user_id" in line
    assert any("before" in line for line in show("identity_map", 120, "--as-of", "2026-03-02"))
    lines = [" ".join(line.split()) for line in show("events", 80)]
    assert '│ properties │ {"page": "/a/b/c"} │' in lines
    assert any(line.startswith("│ event_ts │ 2026-03-01") for line in lines)
