"""A standalone cluster of a master and two workers on this machine: a worker dies in the middle, the tables are the
same as those of local mode."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyspark
import pytest
import yaml
from deltalake import DeltaTable
from tests.finished import KEY, quick_settings
from tests.shop import write_shop

from segmentation.runtime.jars import jar_paths

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
SPARK = Path(pyspark.__file__).parent
STAGES = "ingest,identity,sessions,features,train,assign,publish"
FAST = "-XX:TieredStopAtLevel=1"

# Of a run, and not of what it finds.
PASSING = {"batch_id", "first_batch_id", "ingested_ts", "received_ts", "quarantined_ts", "created_ts", "published_ts",
           "decided_ts", "computed_ts", "model_id", "run_id", "inputs", "config_sha256", "code_version"}  # fmt: skip
TABLES = ("events", "events_quarantine", "identity_map", "identity_edges", "persons", "sessions", "features",
          "feature_profiles", "segments", "segment_profiles", "segments_current")  # fmt: skip


@dataclass
class Cluster:
    """What runs, and where it listens."""

    master: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The master first, then the workers."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _cluster(folder: Path) -> Iterator[Cluster]:
    port = _free_port()
    cluster = Cluster(f"spark://127.0.0.1:{port}")
    folder.mkdir()

    def start(name: str, *command: object) -> None:
        environment = {**os.environ, "SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1"}
        environment |= {"SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": FAST}
        with (folder / name).open("wb") as log:
            cluster.processes.append(
                subprocess.Popen(
                    [SPARK / "bin" / "spark-class", *map(str, command)],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
            )

    deploy = "org.apache.spark.deploy"
    try:
        start("master", f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", 0)
        for name in ("first", "second"):
            room = ("--cores", 1, "--memory", "1400m", "--work-dir", folder / f"{name}-work", "--webui-port", 0)
            start(name, f"{deploy}.worker.Worker", *room, cluster.master)
        _wait_for(folder / "master", "Registering worker", times=2)
        yield cluster
    finally:
        for process in cluster.processes:
            with_children = os.getpgid(process.pid) if process.poll() is None else None
            if with_children:
                os.killpg(with_children, signal.SIGKILL)
            process.wait()


def _wait_for(log: Path, said: str, times: int = 1, seconds: int = 120) -> None:
    until = time.monotonic() + seconds
    while log.read_text(encoding="utf-8", errors="replace").count(said) < times:
        assert time.monotonic() < until, log.read_text(encoding="utf-8", errors="replace")[-3000:]
        time.sleep(0.2)


def test_a_worker_dies_in_the_middle_and_the_tables_are_those_of_local_mode(tmp_path: Path) -> None:
    built = subprocess.run([ROOT / "scripts" / "build", tmp_path / "dist"], capture_output=True, text=True, check=True)
    write_shop(tmp_path)
    configs = {}
    for name in ("local", "cluster"):
        settings = {**quick_settings(tmp_path), "warehouse": str(tmp_path / name)}
        configs[name] = tmp_path / f"{name}.yml"
        configs[name].write_text(yaml.safe_dump(settings), encoding="utf-8")

    def submit(name: str, master: str, **options: str) -> subprocess.Popen[str]:
        conf = {
            "spark.checkpoint.dir": f"{tmp_path}/checkpoints",
            "spark.local.dir": f"{tmp_path}/scratch",
            "spark.executor.cores": "1",
            "spark.executor.memory": "1g",
            "spark.memory.offHeap.size": "128m",
            "spark.dynamicAllocation.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.databricks.delta.snapshotPartitions": "2",
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.extraJavaOptions": FAST,
            "spark.executor.extraJavaOptions": FAST,
            **options,
        }
        return subprocess.Popen(
            [
                *(SPARK / "bin" / "spark-submit", "--master", master, "--deploy-mode", "client"),
                *("--properties-file", ROOT / "conf" / "spark-defaults.conf"),
                *("--py-files", built.stdout.strip(), "--jars", ",".join(map(str, jar_paths()))),
                *(part for key, value in conf.items() for part in ("--conf", f"{key}={value}")),
                *(ROOT / "jobs" / "run.py", "--config", configs[name], "--log-format", "json", "--stages", STAGES),
            ],
            env={
                **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                "SPARK_HOME": str(SPARK),
                "PYSPARK_PYTHON": sys.executable,
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SEGMENTATION_KEY": KEY,
            },
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with _cluster(tmp_path / "standalone") as cluster:
        run = submit("cluster", cluster.master)
        assert run.stdout is not None
        done = []
        for line in run.stdout:
            done.append(re.search(r'"stage": ?"(\w+)"', line))
            if len(done) == 1:  # ingestion is over, and identities are being resolved
                os.killpg(os.getpgid(cluster.processes[1].pid), signal.SIGKILL)
        _, errors = run.communicate()
        assert run.returncode == 0, errors[-4000:]
        assert [found[1] for found in done if found] == STAGES.split(",")
        lost = (tmp_path / "standalone" / "master").read_text(encoding="utf-8")
        assert "Removing worker" in lost, "else none died"

    alone = submit("local", "local[2]")
    _, errors = alone.communicate()
    assert alone.returncode == 0, errors[-4000:]
    for table in TABLES:
        ours, theirs = (_rows(tmp_path / name / table) for name in ("cluster", "local"))
        assert ours, table
        assert ours == theirs, table


def _rows(table: Path) -> list[str]:
    """All rows as text, without what differs from run to run, in an order of their own."""
    rows = DeltaTable(table).to_pyarrow_table().to_pylist()
    return sorted(repr({name: value for name, value in row.items() if name not in PASSING}) for row in rows)
