"""Pages that are made from the code say what the code says; the example knows every key."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentation.config import reference as keys
from segmentation.config.example import render_example
from segmentation.config.settings import Settings, load_settings
from segmentation.contracts import reference as tables

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


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    example = ROOT / "conf" / "example.yml"
    as_it_is = load_settings(example, base=tmp_path)
    assert as_it_is.sources[0].name == "web"
    assert as_it_is.sessions.timeout_minutes == 30


@pytest.mark.parametrize("name", ["demo.yml", "online-retail.yml"])
def test_a_shipped_configuration_is_valid(name: str, tmp_path: Path) -> None:
    assert load_settings(ROOT / "conf" / name, base=tmp_path).features.names()
