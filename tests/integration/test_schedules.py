"""The shipped schedules by those who read them: Airflow itself, and the shell that cron starts."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.finished import KEY, FinishedShop

from segmentation.stages.pipeline import STAGES

pytestmark = pytest.mark.thorough

SCHEDULES = Path(__file__).parents[2] / "conf" / "schedules"
AIRFLOW = (
    "apache-airflow-core==3.3.2",
    "apache-airflow-task-sdk==1.3.2",
    "apache-airflow-providers-apache-spark==6.3.4",
)
READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
tasks = {name: {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks} for name, dag in bag.dags.items()}
kinds = sorted({type(task).__name__ for dag in bag.dags.values() for task in dag.tasks})
print(json.dumps({"errors": bag.import_errors, "tasks": tasks, "kinds": kinds}))
"""


def test_airflow_reads_the_schedule(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "airflow"], check=True)
    python = tmp_path / "airflow" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *AIRFLOW], check=True)
    read = subprocess.run(
        [python, "-c", READ, str(SCHEDULES / "airflow.py")],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path / "home"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert read.returncode == 0, read.stderr[-2000:]
    found = json.loads(read.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert found["kinds"] == ["SparkSubmitOperator"]
    assert found["tasks"].keys() == {"segmentation_daily", "segmentation_sundays"}
    for name, after in found["tasks"].items():
        stages = [stage for stage in STAGES if stage != "train" or name == "segmentation_sundays"]
        assert after == {stage: stages[max(place - 1, 0) : place] for place, stage in enumerate(stages)}


def test_what_cron_starts_runs_once_at_a_time(finished_shop: FinishedShop, tmp_path: Path) -> None:
    finished_shop.copy_to(tmp_path).rename(tmp_path / "my.yml")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    lines = (SCHEDULES / "crontab").read_text(encoding="utf-8").splitlines()
    commands = [line.split(maxsplit=5)[5] for line in lines if line[:1].isdigit()]
    log = tmp_path / "cron.log"

    def start(command: str) -> int:
        here = command.replace("/opt/segmentation", str(tmp_path))
        return subprocess.run(["sh", "-c", here], env={**os.environ, "SEGMENTATION_KEY": KEY}, check=False).returncode

    with (tmp_path / ".cron.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert start(commands[0]) == 1
        assert log.read_text(encoding="utf-8") == "", "the last run is still at work"
    for command, stages in zip(commands, ([s for s in STAGES if s != "train"], list(STAGES)), strict=True):
        log.unlink()
        assert start(command) == 0, log.read_text(encoding="utf-8")
        said = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
        assert [line["stage"] for line in said] == stages
