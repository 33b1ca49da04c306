"""The command that says which channels led to conversions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.finished import FinishedShop

from segmentation import open_warehouse
from segmentation.runtime.cli import run_command
from segmentation.runtime.warehouse import Warehouse


def test_channels_are_credited_with_all_that_was_bought(
    spark: SparkSession, finished_shop: FinishedShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {"channel": "source", "touches": {"event": "page_view"}, "window_days": 14}
    config = str(finished_shop.copy_to(tmp_path, attribution=wanted))
    assert run_command(["attribution", "--config", config, "--log-format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    bought = Warehouse(spark, str(tmp_path / "warehouse")).read("events").where("amount IS NOT NULL")
    everyone, *segments = found["totals"]
    assert everyone["conversions"] == bought.count() == sum(one["conversions"] for one in segments)
    assert len(segments) > 1
    (web,) = [credit for credit in found["credits"] if credit["segment_id"] is None]
    assert web["channel"] == "web"
    touched = everyone["conversions"] - everyone["untouched"]
    assert web["conversions"] == pytest.approx(dict.fromkeys(web["conversions"], touched), abs=1e-6)

    with_python = open_warehouse(config).attribution()
    assert asdict(with_python) | {"as_of": str(with_python.as_of)} == found

    assert run_command(["attribution", "--config", config, "--by-segment"]) == 0
    said = capsys.readouterr().out
    assert f"everyone, until 2026-03-31: {everyone['conversions']:,} conversions" in said
    with_money = [credit for credit in found["credits"] if credit["revenue"]["linear"]]
    assert said.count("time decay") == len(found["credits"]) + len(with_money), "one channel, so a table for each"
    assert run_command(["attribution", "--config", str(finished_shop.folder / "shop.yml")]) == 2
