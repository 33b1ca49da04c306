"""The schedules parse, never overlap, and the command inside each is one that the suite understands."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

import pytest
import yaml

from segmentation.runtime.cli import cli
from segmentation.stages.pipeline import STAGES

ROOT = Path(__file__).parents[2]
SCHEDULES = ROOT / "conf" / "schedules"
DAILY = [name for name in STAGES if name != "train"]


def _stages_of(arguments: Sequence[str]) -> list[str]:
    """The stages that these arguments of `segmentation` run; fails where it would not take them."""
    name, *rest = arguments
    context = cli.commands[name].make_context(name, list(rest))
    assert context.params["config"] is not None
    assert context.params["log_format"] == "json"
    stages = context.params.get("stages")
    return [name] if name != "run" else stages.split(",") if stages else list(STAGES)


class Dag:
    """Stands in for Airflow's: remembers what it is given."""

    all: ClassVar[list[Dag]] = []

    def __init__(self, name: str, **options: Any) -> None:
        self.name, self.options, self.tasks = name, options, list[Task]()
        Dag.all.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class Task:
    """The same for a task, in the DAG that was opened last."""

    def __init__(self, **options: Any) -> None:
        self.options, self.after = options, list[Task]()
        Dag.all[-1].tasks.append(self)

    def __rshift__(self, other: Task) -> Task:
        other.after.append(self)
        return other


def test_airflow_runs_the_stages_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("airflow", *(f"airflow.providers{rest}" for rest in ("", ".apache", ".apache.spark"))):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name, member, value in (
        ("airflow.sdk", "DAG", Dag),
        ("airflow.providers.apache.spark.operators", "spark_submit", None),
        ("airflow.providers.apache.spark.operators.spark_submit", "SparkSubmitOperator", Task),
    ):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        setattr(sys.modules[name], member, value)
    Dag.all.clear()
    runpy.run_path(str(SCHEDULES / "airflow.py"))
    daily, sundays = Dag.all
    assert {dag.options["max_active_runs"] for dag in Dag.all} == {1}
    assert {dag.options["catchup"] for dag in Dag.all} == {False}
    for dag, stages in ((daily, DAILY), (sundays, list(STAGES))):
        assert [task.options["task_id"] for task in dag.tasks] == stages
        assert [task.after for task in dag.tasks] == [[], *([task] for task in dag.tasks[:-1])]
        for task in dag.tasks:
            job = Path(task.options["application"])
            assert (ROOT / "jobs" / job.name).is_file()
            assert _stages_of([job.stem, *task.options["application_args"]]) == [job.stem]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert Dag.all[0].tasks[0].options["packages"] in readme, "the jars of the README"


def test_databricks_runs_the_wheel() -> None:
    bundle = yaml.safe_load((SCHEDULES / "databricks.yml").read_text(encoding="utf-8"))
    jobs = bundle["resources"]["jobs"]
    assert {job["max_concurrent_runs"] for job in jobs.values()} == {1}
    for name, stages in (("daily", DAILY), ("sundays", list(STAGES))):
        (task,) = jobs[name]["tasks"]
        wheel = task["python_wheel_task"]
        assert (wheel["package_name"], wheel["entry_point"]) == ("segmentation", "segmentation")
        assert _stages_of(wheel["parameters"]) == stages
        assert (ROOT / bundle["artifacts"]["wheel"]["build"]).is_file()


def test_kubernetes_forbids_overlap() -> None:
    daily, sundays = yaml.safe_load_all((SCHEDULES / "kubernetes.yml").read_text(encoding="utf-8"))
    needed = dict(
        line.split()[:2]
        for line in (ROOT / "conf" / "spark-defaults.conf").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    for one, stages in ((daily, DAILY), (sundays, list(STAGES))):
        assert (one["apiVersion"], one["kind"]) == ("sparkoperator.k8s.io/v1beta2", "ScheduledSparkApplication")
        assert one["spec"]["concurrencyPolicy"] == "Forbid"
        template = one["spec"]["template"]
        assert _stages_of(["run", *template["arguments"]]) == stages
        assert (ROOT / "jobs" / Path(template["mainApplicationFile"]).name).is_file()
        assert template["sparkConf"].keys() <= needed.keys()
        assert all(
            value == needed[key] for key, value in template["sparkConf"].items() if key != "spark.checkpoint.dir"
        )


def test_cron_takes_a_lock() -> None:
    lines = (SCHEDULES / "crontab").read_text(encoding="utf-8").splitlines()
    jobs = [line for line in lines if re.match(r"\d", line)]
    assert [line.split()[4] for line in jobs] == ["1-6", "0"]
    for line, stages in zip(jobs, (DAILY, list(STAGES)), strict=True):
        command = line.split(maxsplit=5)[5].split("&&")[1].split(">>")[0]
        assert "%" not in command, "cron would end the line there"
        lock, option, _, program, *arguments = shlex.split(command)
        assert (lock, option, program) == ("flock", "-n", ".venv/bin/segmentation")
        assert _stages_of(arguments) == stages
