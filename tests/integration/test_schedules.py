"""The shipped schedules by those who read them: Airflow, the parser of Databricks, the schema of Kubernetes' operator,
and the shell that cron starts; and what each of them starts."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyspark
import pytest
import yaml
from jsonschema import Draft7Validator
from tests.finished import KEY, FinishedShop

from segmentation.runtime.jars import jar_paths
from segmentation.stages.pipeline import STAGES

pytestmark = pytest.mark.thorough

ROOT, SPARK = Path(__file__).parents[2], Path(pyspark.__file__).parent
SCHEDULES = ROOT / "conf" / "schedules"
AIRFLOW = (
    "apache-airflow-core==3.3.2",
    "apache-airflow-task-sdk==1.3.2",
    "apache-airflow-providers-apache-spark==6.3.4",
)
OPERATOR = "github.com/kubeflow/spark-operator/v2@v2.3.0"
BUNDLES = ("databricks-bundles==1.22.1", "PyYAML==6.0.3")
PARSE = """
import json, sys, yaml
from databricks.bundles.jobs import Job
jobs = yaml.safe_load(open(sys.argv[1]))["resources"]["jobs"]
print(json.dumps({name: [task.task_key for task in Job.from_dict(job).tasks] for name, job in jobs.items()}))
try:
    Job.from_dict({**jobs["daily"], "max_concurrent_run": 1})
except ValueError as error:
    print(error)
"""
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


def test_databricks_reads_the_bundle(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "bundles"], check=True)
    python = tmp_path / "bundles" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *BUNDLES], check=True)
    command = [python, "-c", PARSE, SCHEDULES / "databricks.yml"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(said[0]) == {"daily": ["run"], "sundays": ["run"]}
    assert said[1] == "Unexpected field 'max_concurrent_run' for class Job", "it would not pass over a wrong key"


def test_the_operator_of_kubernetes_takes_the_schedule(tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: it brings the operator's schema")
    environment = {**os.environ, "GOPATH": str(tmp_path), "GOFLAGS": "-modcacherw"}
    command = ["go", "mod", "download", "-json", OPERATOR]
    found = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    folder = Path(json.loads(found.stdout)["Dir"]) / "config" / "crd" / "bases"
    text = (folder / "sparkoperator.k8s.io_scheduledsparkapplications.yaml").read_text(encoding="utf-8")
    (version,) = [one for one in yaml.safe_load(text)["spec"]["versions"] if one["name"] == "v1beta2"]
    validator = Draft7Validator(_closed(version["schema"]["openAPIV3Schema"]))
    schedules = list(yaml.safe_load_all((SCHEDULES / "kubernetes.yml").read_text(encoding="utf-8")))
    assert len(schedules) == 2
    assert [error.message for one in schedules for error in validator.iter_errors(one)] == []
    wrong = {**schedules[0], "spec": {**schedules[0]["spec"], "concurrencyPolice": "Forbid"}}
    assert list(validator.iter_errors(wrong)), "it would not pass over a wrong key"


def _closed(schema: Any) -> Any:
    """The schema as the server takes it: what it does not name is an error."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if "properties" in schema and "x-kubernetes-preserve-unknown-fields" not in schema:
        closed.setdefault("additionalProperties", False)
    return closed


def test_what_kubernetes_starts_runs(finished_shop: FinishedShop, tmp_path: Path) -> None:
    config = finished_shop.copy_to(tmp_path)
    daily, _ = yaml.safe_load_all((SCHEDULES / "kubernetes.yml").read_text(encoding="utf-8"))
    template = daily["spec"]["template"]
    job = ROOT / "jobs" / Path(template["mainApplicationFile"]).name
    settings = {**template["sparkConf"], "spark.checkpoint.dir": str(tmp_path / "checkpoints")}
    assert _submit(job, template["arguments"], settings, config, tmp_path) == [s for s in STAGES if s != "train"]


def test_what_airflow_starts_runs(finished_shop: FinishedShop, tmp_path: Path) -> None:
    config = finished_shop.copy_to(tmp_path)
    settings = {"spark.checkpoint.dir": str(tmp_path / "checkpoints")}
    arguments = ["--config", "/opt/segmentation/my.yml", "--log-format", "json"]
    for stage in ("ingest", "assign", "export"):  # each task is the same but for its stage
        assert _submit(ROOT / "jobs" / f"{stage}.py", arguments, settings, config, tmp_path) == [stage]


def test_what_databricks_starts_runs(finished_shop: FinishedShop, tmp_path: Path) -> None:
    config = finished_shop.copy_to(tmp_path)
    bundle = yaml.safe_load((SCHEDULES / "databricks.yml").read_text(encoding="utf-8"))
    subprocess.run([ROOT / bundle["artifacts"]["wheel"]["build"], tmp_path / "dist"], capture_output=True, check=True)
    (task,) = bundle["resources"]["jobs"]["daily"]["tasks"]
    (wheel,) = (tmp_path / "dist").glob(Path(task["libraries"][0]["whl"]).name)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "lib"]
    subprocess.run([*install, wheel], check=True)
    entry = task["python_wheel_task"]["entry_point"]
    parameters = [str(config) if one == "${var.config}" else one for one in task["python_wheel_task"]["parameters"]]
    done = subprocess.run(
        [tmp_path / "lib" / "bin" / entry, *parameters],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "lib"), "SEGMENTATION_KEY": KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert _stages(done.stderr) == [s for s in STAGES if s != "train"]


def _submit(job: Path, arguments: Sequence[str], settings: Mapping[str, str], config: Path, folder: Path) -> list[str]:
    """Submits a job as a scheduler would, with this configuration; returns the stages that it ran."""
    done = subprocess.run(
        [
            *(SPARK / "bin" / "spark-submit", "--master", "local[2]", "--driver-memory", "2g"),
            *("--properties-file", ROOT / "conf" / "spark-defaults.conf", "--jars", ",".join(map(str, jar_paths()))),
            *(part for key, value in settings.items() for part in ("--conf", f"{key}={value}")),
            *(job, *(str(config) if one.endswith("my.yml") else one for one in arguments)),
        ],
        env={
            **os.environ,
            "SPARK_HOME": str(SPARK),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYTHONPATH": str(ROOT / "lib"),
            "SEGMENTATION_KEY": KEY,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return _stages(done.stdout + done.stderr)


def _stages(said: str) -> list[str]:
    return [json.loads(line)["stage"] for line in said.splitlines() if line.startswith('{"event": "stage"')]


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
