"""Pages that are made from the code say what the code says; the example knows every key."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentation.config import reference as keys
from segmentation.config.settings import Settings
from segmentation.contracts import reference as tables

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("conf/README.md", keys.render_reference(Settings)),
        ("lib/segmentation/contracts/README.md", tables.render_reference()),
    ],
)
def test_a_made_page_is_up_to_date(page: str, made: str) -> None:
    assert (ROOT / page).read_text(encoding="utf-8") == made, f"run scripts/docs to make {page} again"
