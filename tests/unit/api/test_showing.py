"""Showing: a file where nothing else shows, else what the notebook has for it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import Markup
from pyspark.sql import SparkSession

from segmentation.api import show

PICTURE = Markup("<svg></svg>")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEGMENTATION_SHOWN", str(tmp_path / "shown"))
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    return tmp_path / "shown"


def _notebook(monkeypatch: pytest.MonkeyPatch, **names: Any) -> list[tuple[Any, ...]]:
    """A notebook with these names in it; what it displays is in the list."""
    shown: list[tuple[Any, ...]] = []
    ipython = SimpleNamespace(
        get_ipython=lambda: SimpleNamespace(user_ns=names),
        display=SimpleNamespace(display=lambda data, raw: shown.append((data, raw))),
    )
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return shown


def test_outside_a_notebook_it_is_a_page_whose_path_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(PICTURE, "Who is <who>")
    path = folder / "who-is-who.html"
    assert capsys.readouterr().out == f"Who is <who>: {path}\n"
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<title>Who is &lt;who&gt;</title>" in page
    assert "<svg></svg>" in page
    assert "--m0:" in page, "the style sheet of the report"


def test_nothing_is_no_page(folder: Path) -> None:
    show(None, "Nothing")
    assert not folder.exists()


def test_jupyter_shows_it_in_a_frame(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _notebook(monkeypatch)
    show(PICTURE, "T")
    ((data, raw),) = shown
    assert raw
    assert data["text/html"].startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert "&lt;svg&gt;&lt;/svg&gt;" in data["text/html"]
    assert not folder.exists()


def test_databricks_shows_it_as_it_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []
    assert not _notebook(monkeypatch, displayHTML=pages.append)
    show(PICTURE, "T")
    assert pages[0].startswith("<!doctype html>")
    assert not folder.exists()


def test_a_table_shows_its_first_rows_and_runs_nothing_that_is_in_them(spark: SparkSession, folder: Path) -> None:
    rows = [(number, "<script>" if number == 0 else None) for number in range(5)]
    show(spark.createDataFrame(rows, "number int, name string").orderBy("number"), "Rows", rows=3)
    page = (folder / "rows.html").read_text(encoding="utf-8")
    assert "<th>number</th>" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert page.count("<tr") == 1 + 3
    assert "The first 3 rows." in page
