"""The commands of the README, each run on the finished shop."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.finished import KEY, FinishedShop

from segmentation.runtime.cli import cli, run_command
from segmentation.runtime.warehouse import Warehouse

pytestmark = pytest.mark.thorough

README = Path(__file__).parents[2] / "README.md"
ELSEWHERE = {
    "demo": "it is a run of its own, of some minutes, on another input",
    "simulate": "tests/scenarios run it, on a world and not a shop",
    "score": "tests/scenarios run it, on a world and not a shop",
}
LAST = ("retire", "erase", "train", "maintain")
"""What takes something away, or makes a version that others have to let through, comes last."""


def test_the_commands_of_the_readme_run(
    spark: SparkSession, finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    audience = {"name": "quiet", "who": {"feature": "recency", "at_least": 10}, "holdout": 0.5}
    config = str(finished_shop.copy_to(tmp_path, audiences=[audience], attribution={"channel": "source"}))
    warehouse = Warehouse(spark, str(tmp_path / "warehouse"))
    assert run_command(["audiences", "--config", config]) == 0
    batch = warehouse.read("events_quarantine").first()["batch_id"]
    values = {"ID": batch, "NAME": "quiet", "TYPE=VALUE": "user_id=u1", "WHY": "old", "a,b": "report,export"}
    commands = sorted(_commands(), key=lambda words: words[0] in LAST)
    assert len(commands) > 25
    assert {words[0] for words in commands} | ELSEWHERE.keys() >= cli.commands.keys() - {"jupyter"}
    for number, words in enumerate(commands):
        name, options = words[0], [values.get(word, word) for word in words[1:]]
        if name in ELSEWHERE:
            continue
        page = tmp_path / f"{number}.{'json' if name == 'access' else 'html'}"
        requests = tmp_path / "requests.txt"
        requests.write_text("user_id=u2\n")
        options = [str(requests if name == "erase" else page) if word == "FILE" else word for word in options]
        options = _with_versions(name, options)
        if name == "runs" and "--show" not in options:
            options += ["--log-format", "json"]
        assert run_command([name, *options, "--config", config]) == 0, (name, options)
        if page.suffix == ".html" and str(page) in options:
            assert page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")
        if name == "access":
            assert json.loads(page.read_text(encoding="utf-8"))["person_id"]


def _commands() -> Iterator[list[str]]:
    """Each command of the table of commands, with its options, those in brackets too."""
    table = README.read_text(encoding="utf-8").partition("## Commands")[2].partition("\n## ")[0]
    for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE):
        name = ""
        for said in re.findall(r"`([^`]+)`", cell):
            words = shlex.split(said.replace("[", "").replace("]", ""))
            words = words[1:] if words[0] == "segmentation" else words
            if words[0].startswith("--"):
                words = [name, *words]
            name = words[0]
            yield words


def _with_versions(name: str, options: list[str]) -> list[str]:
    """The shop has versions 1 and 2, and tables."""
    known = {"compare": {"3": "1", "4": "2"}, "show": {"TABLE": "persons"}}.get(name, {})
    known |= {"N": "1" if name == "rollback" else "2"}
    return [known.get(word, word) for word in options]
