"""The audit log of deliveries: one entry each, also after a kill, and a check that finds what was changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession
from tests.published import FIRST, NOW, Shop

from segmentation.privacy.audit import Act
from segmentation.runtime import runner
from segmentation.runtime.audit import audit
from segmentation.runtime.cli import run_command
from segmentation.runtime.progress import Progress
from segmentation.runtime.runner import Request, run_stages
from segmentation.stages import export


def test_every_delivery_is_an_entry_and_what_is_changed_is_found(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Shop(spark, tmp_path, {"name": "crm"}, {"name": "mail", "segments": ["Frequent"]})
    shop.publish(1, v1=FIRST)
    config = tmp_path / "shop.yml"
    config.write_text(yaml.safe_dump(json.loads(shop.settings.model_dump_json(exclude_defaults=True))))

    def deliver() -> None:
        run_stages(spark, shop.settings, [export.STAGE], Request(), Progress("json"))

    def ask(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = run_command(["audit", *arguments, "--config", str(config)])
        said = capsys.readouterr()
        return status, said.out + said.err

    with monkeypatch.context() as killed:
        killed.setattr(runner, "audit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deliver()
    assert not shop.warehouse.exists("audit_log")
    deliver()
    entries = [json.loads(line) for line in ask("--log-format", "json")[1].splitlines()]
    assert [(entry["entry"], entry["action"], entry["subject"]) for entry in entries] == [
        (2, "export", "mail, delivery 1"),
        (1, "export", "crm, delivery 1"),
    ]
    assert entries[1]["detail"] == {
        "segment_version": "1",
        "added": "3",
        "removed": "0",
        "changed": "0",
        "unchanged": "0",
        "status": "delivered",
        "sha256": shop.warehouse.read("export_log").where("added = 3").first()["sha256"],
    }
    assert ask("--verify", "--log-format", "json")[1].startswith('{"entries": 2, "last_hash": "')

    table = f"delta.`{tmp_path}/warehouse/audit_log`"
    with pytest.raises(Exception, match="DELTA_CANNOT_MODIFY_APPEND_ONLY"):
        spark.sql(f"DELETE FROM {table}")
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES (delta.appendOnly = false)")
    spark.sql(f"UPDATE {table} SET actor = 'nobody' WHERE entry = 2")
    status, said = ask("--verify")
    assert status == 3
    assert "The audit log is broken at entry 2, which was changed after it was written" in said


def test_an_act_is_there_once(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = Shop(spark, tmp_path).warehouse
    same = Act("access", "one person", NOW)
    audit(warehouse, [same])
    audit(warehouse, [same])
    audit(warehouse, [])
    assert warehouse.version("audit_log") == 1, "what is there already is no commit"
