"""spark-submit on a cluster of two workers with the built archive: what only works inside one process fails here."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pyspark
from deltalake import DeltaTable
from tests import young
from tests.shop import write_shop

from segmentation.runtime.jars import jar_paths

ROOT = Path(__file__).parents[2]
SPARK = Path(pyspark.__file__).parent

# The job of the contract, after leaving word of which copy of the package it runs.
JOB = """
import runpy, sys
import segmentation
open({where!r}, "w").write(segmentation.__file__)
sys.argv[0] = {job!r}
runpy.run_path({job!r}, run_name="__main__")
"""


def test_the_archive_runs_on_a_cluster(tmp_path: Path) -> None:
    built = subprocess.run([ROOT / "scripts" / "build", tmp_path / "dist"], capture_output=True, text=True, check=True)
    archive = Path(built.stdout.strip())
    assert archive.parent == tmp_path / "dist"
    config = write_shop(tmp_path)
    where, job = tmp_path / "where", tmp_path / "job.py"
    job.write_text(JOB.format(where=str(where), job=str(ROOT / "jobs" / "run.py")), encoding="utf-8")

    options = {
        **young.CONF,
        "spark.executor.extraJavaOptions": young.JAVA,
        "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
        "spark.checkpoint.dir": f"{tmp_path}/checkpoints",
        "spark.local.dir": f"{tmp_path}/scratch",
        "spark.executor.cores": "1",
        "spark.executor.memory": "1g",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.memory.offHeap.size": "128m",
    }
    done = subprocess.run(
        [
            *(SPARK / "bin" / "spark-submit", "--master", "local-cluster[2,1,1024]"),
            *("--properties-file", ROOT / "conf" / "spark-defaults.conf"),
            *("--py-files", archive, "--jars", ",".join(map(str, jar_paths()))),
            *(part for key, value in options.items() for part in ("--conf", f"{key}={value}")),
            *(job, "--config", config, "--log-format", "json", "--stages", "ingest,identity,sessions"),
        ],
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "SPARK_HOME": str(SPARK),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SEGMENTATION_KEY": "0123456789abcdef" * 4,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert where.read_text(encoding="utf-8").startswith(f"{archive}/"), "the package of the archive, not the checkout's"

    rows = [row for source in ("web", "till") for row in _rows(tmp_path / f"{source}.csv")]
    users = {row["uid"] for row in rows if row["uid"]}
    signed_in = {row["cookie"] for row in rows if row.get("cookie") and row["uid"]}
    cookies = {row["cookie"] for row in rows if row.get("cookie")}
    tables = {
        name: DeltaTable(tmp_path / "warehouse" / name).to_pyarrow_table()
        for name in ("events", "events_quarantine", "persons", "sessions")
    }
    # One line stands twice, one has no time that can be read, one has no identifier.
    assert tables["events"].num_rows == len(rows) - 3
    assert tables["events_quarantine"].num_rows == 2
    # A user is a person, and so is a browser on which nobody ever signed in.
    assert tables["persons"].num_rows == len(users) + len(cookies - signed_in)
    assert sum(tables["sessions"]["events"].to_pylist()) == len(rows) - 3


def test_a_spark_without_the_jars_is_told_in_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(SPARK / "bin" / "spark-submit", "--master", "local[1]", "--conf", "spark.ui.enabled=false"),
            *(ROOT / "jobs" / "ingest.py", "--config", write_shop(tmp_path)),
        ],
        env={
            **os.environ,
            "SPARK_HOME": str(SPARK),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SEGMENTATION_KEY": "0123456789abcdef" * 4,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (said,) = [line for line in done.stdout.splitlines() if "Delta Lake" in line]
    assert "Spark was started without Delta Lake: start it with --properties-file" in said
    assert "TypeError" not in done.stdout
    assert not (tmp_path / "warehouse").exists()


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
