"""What all commands share: the contract's names, one job for each stage, and exit statuses with one sentence."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
from tests.deliveries import settings, source

from segmentation.runtime.cli import SECTIONS, cli, run_command
from segmentation.runtime.options import Common

JOBS = Path(__file__).parents[3] / "jobs"
STAGES = [
    "ingest",
    "identity",
    "sessions",
    "features",
    "train",
    "assign",
    "publish",
    "audiences",
    "report",
    "export",
    "live",
    "maintain",
]
OTHERS = [
    "demo",
    "run",
    "replay",
    "rollback",
    "access",
    "erase",
    "audit",
    "retire",
    "compare",
    "versions",
    "explain",
    "runs",
    "show",
    "doctor",
]
COMMON = ["--config", "--as-of", "--log-format", "--set"]


def test_the_help_tells_every_command_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(cli.commands)
    assert run_command(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"{title}:\n" in said for title in SECTIONS)
    assert "..." not in said.partition("Options:")[2], "first sentences are told whole"


@pytest.mark.parametrize("command", [*OTHERS, *STAGES])
def test_every_command_of_the_contract_takes_the_common_options(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert all(option in said for option in COMMON), said
    assert f"segmentation {command}" in said.split("Example:")[1], "an example shows how"


@pytest.mark.parametrize("command", ["run", *STAGES])
def test_every_stage_has_a_job_with_the_same_options(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_command([command, "--help"])
    wanted = capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [f"{command}.py", "--help"])
    runpy.run_path(str(JOBS / f"{command}.py"), run_name="__main__")
    assert capsys.readouterr().out == wanted


def test_there_is_no_job_without_a_command() -> None:
    assert {path.stem for path in JOBS.glob("*.py")} == {"run", *STAGES} <= set(cli.commands)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "Missing option '--config': name a configuration file, such as conf/example.yml."),
        (["run", "--config", "nowhere.yml"], "There is no configuration file 'nowhere.yml'"),
        (["run", "--as-of", "yesterday"], "'yesterday' is not a date YYYY-MM-DD."),
        (["run", "--from", "2026-01-02", "--every", "60"], "--every goes on with what comes"),
        (["run", "--every", "0"], "--every"),
        (["run", "--from", "2026-01-02"], "--from and --to go together, and not with --as-of"),
        (["run", "--from", "2026-01-02", "--to", "2026-01-01"], "--from 2026-01-02 is after --to 2026-01-01"),
        (["run", "--log-format", "xml"], "'xml' is not one of 'text', 'json'"),
        (
            ["replay", "--batch", "b", "--refused", "a", "--rows", "r"],
            "--refused writes rows to be repaired, and --rows",
        ),
        (["runn"], "No such command 'runn'"),
    ],
)
def test_a_wrong_call_ends_with_status_2_and_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "whose"),
    [("run", "Personal identifiers"), ("ingest", "Personal identifiers"), ("audiences", "Control groups")],
)
def test_a_missing_key_is_told_before_spark_is_started(
    command: str, whose: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGMENTATION_KEY", raising=False)
    monkeypatch.delenv("SEGMENTATION_KEY_FILE", raising=False)
    monkeypatch.setattr(Common, "spark", lambda *_: pytest.fail("Spark is started"))
    audience = {"name": "buyers", "who": {"segment": ["any"]}, "holdout": 0.1}
    source_ = source("in/*.csv", columns={"identifiers": {"email": "email"}})
    told = settings(tmp_path / "warehouse", source_).model_dump(mode="json", exclude_unset=True)
    (tmp_path / "my.yml").write_text(json.dumps(told | {"audiences": [audience]}), encoding="utf-8")
    assert run_command([command, "--config", str(tmp_path / "my.yml")]) == 2
    assert capsys.readouterr().err.startswith(whose)
