"""Real servers that events come from and deliveries go to, each started for one test: Kafka, OpenSSH's and PostgreSQL,
the last two where they are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyspark
import pytest

from segmentation.runtime.jars import jar_folder, java

KAFKA = "4.1.1"
"""Version of the broker."""


@contextmanager
def sftp_server(root: Path) -> Iterator[dict[str, Any]]:
    """OpenSSH on a port of its own -> the configuration of a folder `in` on it, for the user who runs the tests."""
    daemon = _find("sshd", "openssh-server", "/usr/sbin")
    root.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name)], check=True)
    (root / "in").mkdir()
    port = _free_port()
    (root / "authorized").write_text((root / "user.pub").read_text())
    (root / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {root / 'host'}\nAuthorizedKeysFile {root / 'authorized'}\n"
        f"PidFile none\nStrictModes no\nPasswordAuthentication no\nUsePAM no\nSubsystem sftp internal-sftp\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([daemon, "-D", "-e", "-f", str(root / "config")], stderr=(root / "log").open("w"))
    try:
        _wait(port, process)
        kind, key, *_ = (root / "host.pub").read_text().split()
        yield {
            "host": "127.0.0.1",
            "port": port,
            "host_key": f"{kind} {key}",
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "folder": str(root / "in"),
            "key_file": str(root / "user"),
        }
    finally:
        process.terminate()
        process.wait()


@contextmanager
def postgresql(root: Path) -> Iterator[dict[str, Any]]:
    """A PostgreSQL of its own -> the configuration of a table `crm.people` in it; its password is `secret`."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    initdb = _find("initdb", "postgresql", *map(str, programs[-1:]))
    root.mkdir()
    data, port, owner = root / "data", _free_port(), {}
    if os.getuid() == 0:  # it does not run as root
        owner = {"user": "postgres", "cwd": "/"}
        for folder in (root, *root.parents):
            if folder.stat().st_uid == 0 and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o711)
        shutil.chown(root, "postgres")
    (root / "password").write_text("secret")
    (root / "password").chmod(0o644)
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "check": True, **owner}
    subprocess.run(
        [initdb, "-D", str(data), "-U", "shop", "-A", "scram-sha-256", f"--pwfile={root / 'password'}", "-N"], **quiet
    )
    places = ["-D", str(data), "-p", str(port), "-k", str(root), "-h", "127.0.0.1", "-F"]
    silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([initdb.replace("initdb", "postgres"), *places], **silent, **owner)
    try:
        _wait(port, process)
        yield {
            "url": f"jdbc:postgresql://127.0.0.1:{port}/postgres",
            "table": "crm.people",
            "user": "shop",
            "password_env": "CRM_PASSWORD",
        }
    finally:
        process.terminate()
        process.wait()


@contextmanager
def kafka_broker(root: Path) -> Iterator[str]:
    """Kafka on a port of its own, which makes topics as they are asked for -> its address."""
    root.mkdir()
    port, control = _free_port(), _free_port()
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{control}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(root / "logs"),
        "offsets.topic.replication.factor": "1",
        "num.partitions": "2",
    }
    config = root / "server.properties"
    config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    program = [java(), "-Xmx256m", "-cp", str(_broker_jars() / "*")]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    cluster = "c2VnbWVudGF0aW9uLXRlcw"  # 16 bytes, in Kafka's own base64
    subprocess.run(
        [*program, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)], check=True, **quiet
    )
    process = subprocess.Popen([*program, "kafka.Kafka", str(config)], **quiet)
    try:
        _wait(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _broker_jars() -> Path:
    """The folder of Kafka's jars and all that they need, fetched once by the Ivy that Spark carries."""
    folder = jar_folder().parent / f"kafka-{KAFKA}"
    if not folder.exists():
        aside = folder.with_name(f".{folder.name}.{os.getpid()}")
        spark = Path(pyspark.__file__).parent / "jars" / "*"
        fetch = [java(), "-cp", str(spark), "org.apache.ivy.Main", "-m2compatible", "-warn", "-confs", "default"]
        fetch += ["-types", "jar", "bundle", "-cache", str(aside / "cache"), "-dependency"]
        fetch += ["org.apache.kafka", "kafka_2.13", KAFKA, "-retrieve", str(aside / "jars/[artifact]-[revision].[ext]")]
        subprocess.run(fetch, check=True, stdout=subprocess.DEVNULL)
        (aside / "jars").rename(folder)
        shutil.rmtree(aside)
    return folder


def query(database: dict[str, Any], sql: str) -> list[tuple[str, ...]]:
    """Runs SQL there by PostgreSQL's own client -> rows of texts; a null is empty."""
    port = database["url"].rpartition(":")[2].partition("/")[0]
    command = ["psql", "-h", "127.0.0.1", "-p", port, "-U", "shop", "-d", "postgres", "-qAt", "-F", "|", "-c", sql]
    done = subprocess.run(
        command, env={**os.environ, "PGPASSWORD": "secret"}, capture_output=True, text=True, check=True
    )
    return [tuple(line.split("|")) for line in done.stdout.splitlines()]


def _find(program: str, package: str, *further: str) -> str:
    found = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], *further]))
    if found is None:
        pytest.skip(f"{program} is not installed: `apt-get install {package}` brings it")
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not answer")
