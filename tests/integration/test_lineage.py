"""OpenLineage's listener on a run: which table was made from which, said to a file, and nothing of what is in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession
from tests import young
from tests.factories import minimal_settings
from tests.shop import shop_settings, write_shop

from segmentation.config.spark import SparkSettings
from segmentation.contracts.errors import ConfigError
from segmentation.runtime.jars import OPENLINEAGE, fetch
from segmentation.runtime.spark import get_spark

KEY = "0123456789abcdef" * 4


def test_a_run_says_which_table_was_made_from_which(tmp_path: Path) -> None:
    fetch(OPENLINEAGE)
    write_shop(tmp_path)
    settings = shop_settings(tmp_path)
    settings["spark"] = {
        "master": "local[2]",
        "driver_memory": "2g",
        "openlineage": {"file": "said/lineage.jsonl", "namespace": "shop"},
        "conf": young.CONF,
    }
    config = tmp_path / "shop.yml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "-m", "segmentation.runtime.cli", "run", "--config", str(config), "--debug"]
    done = subprocess.run(
        [*command, "--stages", "ingest,identity,sessions"],
        cwd=tmp_path,
        env={**os.environ, "SEGMENTATION_KEY": KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert " ERROR " not in done.stderr, "what OpenLineage has to say of Delta's own queries is nobody's concern"

    text = (tmp_path / "said" / "lineage.jsonl").read_text(encoding="utf-8")
    made_from: dict[str, set[str]] = {}
    for event in map(json.loads, text.splitlines()):
        assert event["job"]["namespace"] == "shop"
        for output in event["outputs"]:
            made_from.setdefault(Path(output["name"]).name, set()).update(Path(i["name"]).name for i in event["inputs"])
    assert {"events", "identity_map", "sessions", "runs"} <= made_from.keys()
    assert made_from["sessions"] >= {"events", "identity_map"}
    assert {"web.csv", "till.csv"} <= made_from["events"]
    for personal in (KEY, "person5@", "example.com"):
        assert personal not in text.lower()


def test_a_session_without_the_listener_says_how_to_start_it(spark: SparkSession) -> None:
    wanted = SparkSettings.model_validate({"openlineage": {"url": "http://lineage:5000"}})
    with pytest.raises(ConfigError, match=r"--packages io\.openlineage:.* --conf spark\.extraListeners"):
        get_spark(wanted)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "needs a 'file' or a 'url'"),
        ({"file": "a", "url": "http://b"}, "needs a 'file' or a 'url', and not both"),
        ({"url": "http://user:secret@lineage"}, "pattern"),
    ],
)
def test_it_goes_to_one_place_and_carries_no_secret(asked: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        minimal_settings(spark={"openlineage": asked})
