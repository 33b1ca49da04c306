"""The scripts: what setup says when something is missing, and what build puts into the archive."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ["bash", "awk", "cat", "cksum", "dirname", "head", "sed"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout in which nothing is set up, and beside it `bin`, a machine's whole PATH: no Python, no Java."""
    checkout = tmp_path / "a checkout"
    (checkout / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", checkout / "scripts")
    for name in ("requirements.lock", "pyproject.toml", "lib/segmentation/runtime/jars.py"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return checkout


def _setup(checkout: Path, java: str | None = None) -> subprocess.CompletedProcess[str]:
    tools = checkout.parent / "bin"
    if java:
        (tools / "java").write_text(f"#!{tools}/bash\necho 'openjdk version \"{java}\" 2026-01-01' >&2\n", "utf-8")
        (tools / "java").chmod(0o755)
    command = [checkout / "scripts" / "setup"]
    return subprocess.run(command, env={"PATH": str(tools)}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("java", "said"),
    [
        (None, "Java was not found; install a Java 17 runtime"),
        ("11.0.22", "Java 11 is too old for Spark, which needs 17 or newer"),
        ("1.8.0_402", "Java 1 is too old for Spark"),
        ("17.0.15", "Python 3.11 or newer was not found; install it"),
    ],
)
def test_setup_says_in_one_line_what_is_missing(bare: Path, java: str | None, said: str) -> None:
    done = _setup(bare, java)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"Cannot set up: {said}")


def test_setup_that_is_done_returns_at_once(tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts" / "setup", "--quick"], check=True)
    started = time.monotonic()
    done = subprocess.run(
        [ROOT / "scripts" / "setup", "--quick"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert time.monotonic() - started < 5, "a fraction of a second, on a machine that has nothing else to do"


def test_the_archive_holds_all_of_the_package_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    archives = []
    for umask in (0o022, 0o077):
        command = [ROOT / "scripts" / "build", tmp_path / oct(umask)]
        built = subprocess.run(command, capture_output=True, text=True, check=True, umask=umask)
        archives.append(Path(built.stdout.strip()))
    first, second = (archive.read_bytes() for archive in archives)
    assert first == second
    assert [path.read_bytes() for path in archives[0].parent.glob("*.whl")] == [first], "wheel and zip are one"

    names = {name for name in zipfile.ZipFile(archives[0]).namelist() if name.startswith("segmentation/")}
    package = ROOT / "lib" / "segmentation"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert names == {f"segmentation/{path.relative_to(package).as_posix()}" for path in files}
    assert not os.access(archives[0], os.X_OK)
