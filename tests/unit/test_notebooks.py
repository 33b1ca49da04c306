"""The notebooks as files: Databricks' source format, nothing defined in them, a check at the end, Jupyter too."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
COMMAND = "\n\n# COMMAND ----------\n\n"


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 5


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def _cells(notebook: Path) -> list[str]:
    head, _, rest = notebook.read_text(encoding="utf-8").partition("\n")
    assert head == "# Databricks notebook source"
    return rest.removesuffix("\n").split(COMMAND)


def test_cells_are_code_or_markdown(notebook: Path) -> None:
    cells = _cells(notebook)
    assert len(cells) > 4
    assert cells[0].startswith(f"# MAGIC %md\n# MAGIC # {int(notebook.stem[:2])} · "), "a title first"
    for cell in cells:
        lines = cell.splitlines()
        assert "COMMAND" not in cell, "a mark that is not one"
        if any("MAGIC" in line for line in lines):
            assert lines[0] == "# MAGIC %md"
            assert all(line == "# MAGIC" or line.startswith("# MAGIC ") for line in lines)
        assert max(map(len, lines)) <= 120
        ast.parse(cell)


def test_it_defines_nothing_and_ends_in_a_check(notebook: Path) -> None:
    tree = ast.parse(notebook.read_text(encoding="utf-8"))
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, defined)]
    assert isinstance(tree.body[-1], ast.Assert)
    assert "# MAGIC ## Check" in _cells(notebook)[-2]


def test_jupyter_opens_the_same_cells(notebook: Path, tmp_path: Path) -> None:
    copy = shutil.copy(notebook, tmp_path)
    subprocess.run([ROOT / "scripts" / "jupyter", copy], check=True, capture_output=True)
    opened = json.loads((tmp_path / f"{notebook.stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    there = [(cell["cell_type"], "".join(cell["source"])) for cell in opened]
    assert there == [_as_jupyter_shows(cell) for cell in _cells(notebook)]


def _as_jupyter_shows(cell: str) -> tuple[str, str]:
    mark, _, text = cell.partition("\n")
    if mark != "# MAGIC %md":
        return "code", cell
    return "markdown", "\n".join(line.removeprefix("# MAGIC").removeprefix(" ") for line in text.splitlines())
