"""What YAML means here."""

from __future__ import annotations

from pathlib import Path

from segmentation.config.yaml_file import read_yaml


def test_on_and_no_are_words_and_true_is_a_boolean(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("lookup: {on: [id]}\ncountry: no\nheader: true\n", encoding="utf-8")
    assert read_yaml(path) == {"lookup": {"on": ["id"]}, "country": "no", "header": True}
