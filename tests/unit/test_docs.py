"""Pages that are made from the code say what the code says; those that people wrote name what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession
from tests.factories import minimal_settings

from segmentation.config import reference as keys
from segmentation.config.audiences import check_audiences
from segmentation.config.example import render_example
from segmentation.config.features import FeatureSettings
from segmentation.config.settings import Settings, load_settings
from segmentation.contracts import reference as tables
from segmentation.runtime.cli import cli, run_command
from segmentation.runtime.warehouse import Warehouse

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("conf/README.md", keys.render_reference(Settings)),
        ("conf/example.yml", render_example()),
        ("lib/segmentation/contracts/README.md", tables.render_reference()),
    ],
)
def test_a_made_page_is_up_to_date(page: str, made: str) -> None:
    assert (ROOT / page).read_text(encoding="utf-8") == made, f"run scripts/docs to make {page} again"


def test_conditions_are_told_once_and_pointed_to() -> None:
    page = keys.render_reference(Settings)
    assert page.count("| `then_not` |") == page.count("| `field` |") == 1
    assert "`features.purchase` | [a condition on one row](#a-condition-on-one-row)" in page
    assert "## A condition on one row\n" in page
    assert "purchase.at_least" not in page


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    example = ROOT / "conf" / "example.yml"
    as_it_is = load_settings(example, base=tmp_path)
    assert as_it_is.sources[0].name == "web"
    assert as_it_is.sessions.timeout_minutes == 30


@pytest.mark.parametrize("name", ["demo.yml", "online-retail.yml"])
def test_a_shipped_configuration_is_valid(name: str, tmp_path: Path) -> None:
    assert load_settings(ROOT / "conf" / name, base=tmp_path).features.names()


PAGES = [
    *(ROOT / name for name in ("README.md", "conf/tutorial.md", "conf/schedules/README.md")),
    *sorted(set((ROOT / "lib").rglob("*.md")) - {ROOT / "lib" / "segmentation" / "contracts" / "README.md"}),
]
"""Pages that people wrote."""


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_to_is_there(page: Path) -> None:
    places = re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8"))
    gone = [place for place in places if "://" not in place and not (page.parent / place).exists()]
    assert not gone


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_commands(page: Path) -> None:
    lines = [line.partition("#")[0] for block in _blocks(page, "sh") for line in block.splitlines()]
    text = page.read_text(encoding="utf-8")
    said = [*(line for line in lines if "segmentation " in line), *re.findall(r"`(segmentation [^`]+)`", text)]
    for command in said:
        words = shlex.split(command.rpartition("segmentation ")[2].split(" | ")[0].replace("[", "").replace("]", ""))
        name, options = words[0].rstrip(","), [word for word in words if word.startswith("--")]
        assert name in cli.commands, command
        known = {opt for param in cli.commands[name].params for opt in param.opts} | {"--help"}
        assert {option.partition("=")[0].rstrip(",") for option in options} <= known, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_settings_of_a_page_are_settings(page: Path) -> None:
    for block in _blocks(page, "yaml"):
        sections = yaml.safe_load(block)
        assert sections.keys() <= Settings.model_fields.keys()
        assert check_audiences(sections) == []
        minimal_settings(**sections)


def test_the_tutorials_configuration_takes_in_the_tutorials_file(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tutorial = ROOT / "conf" / "tutorial.md"
    (table,), (settings,) = _blocks(tutorial, "csv"), _blocks(tutorial, "yaml")
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "2026.csv").write_text(table, encoding="utf-8")
    (tmp_path / "my.yml").write_text(settings, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGMENTATION_KEY", "0123456789abcdef" * 4)
    assert run_command(["ingest", "--config", "my.yml"]) == 0
    rows = Warehouse(spark, str(tmp_path / "warehouse")).read("events").orderBy("event_ts", "amount").collect()
    assert [(row["session_key"], float(row["amount"])) for row in rows] == [("10017", 19), ("10018", 38), ("10018", 49)]
    assert [sorted(row["identifiers"]) for row in rows] == [["customer", "email"], ["email"], ["email"]]


def test_the_feature_that_shows_how_is_one() -> None:
    (text,) = _blocks(ROOT / "lib" / "segmentation" / "EXTENDING.md", "yaml")
    settings = FeatureSettings.model_validate({"library": [], **yaml.safe_load(text)["features"]})
    assert settings.names() == ["mugs_last_90"]
