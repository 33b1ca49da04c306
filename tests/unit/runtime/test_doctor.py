"""What doctor finds, and that it leaves the warehouse as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession
from tests.factories import minimal_settings

from segmentation.config.identity import IdentifierType
from segmentation.runtime.cli import run_command


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGMENTATION_KEY", raising=False)
    monkeypatch.delenv("SEGMENTATION_KEY_FILE", raising=False)


def _config(folder: Path, warehouse: Path, *personal: str) -> str:
    settings = minimal_settings(warehouse=str(warehouse)).model_dump(mode="json", exclude_defaults=True)
    for kind in personal:
        settings["identity"]["identifiers"][kind] = IdentifierType().model_dump(exclude_defaults=True)
        settings["sources"][0]["columns"]["identifiers"][kind] = kind
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return str(path)


def _findings(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, dict[str, object]], str]:
    status = run_command(["doctor", "--log-format", "json", *arguments])
    said = capsys.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    return status, {finding["what"]: finding for finding in found}, said.err


def test_all_is_well_and_nothing_is_left(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = tmp_path / "warehouse"
    assert run_command(["doctor", "--config", _config(tmp_path, warehouse)]) == 0
    said = capsys.readouterr().out
    for what in ("configuration", "Python", "Java", "jars", "memory", "disk", "Spark", "warehouse"):
        assert f"✓  {what}" in said
    assert "key" not in said, "no identifier is personal, so none is needed"
    assert list(warehouse.iterdir()) == []


def test_the_machine_alone_needs_no_configuration(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    status, found, _ = _findings(capsys)
    assert status == 0
    assert "configuration" not in found
    assert found["warehouse"]["found"] == "Delta writes and reads in a temporary folder"


def test_a_missing_key_and_a_warehouse_that_cannot_be_written_are_both_reported(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    status, found, error = _findings(capsys, "--config", _config(tmp_path, tmp_path / "file" / "warehouse", "email"))
    assert status == 2
    assert "openssl rand" in str(found["key"]["found"])
    assert not found["warehouse"]["ok"]
    assert error.splitlines()[-1] == "2 of 9 checks failed: key, warehouse; see above what to do."


def test_without_java_spark_is_not_tried(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    status, found, _ = _findings(capsys)
    assert status == 2
    assert found["Java"]["found"] == "not found"
    assert "Spark" not in found


def test_a_wrong_configuration_does_not_hide_the_machine(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yml").write_text("warehose: here\n", encoding="utf-8")
    status, found, _ = _findings(capsys, "--config", str(tmp_path / "config.yml"))
    assert status == 2
    assert "warehose" in str(found["configuration"]["found"])
    assert found["Spark"]["ok"]
