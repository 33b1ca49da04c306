"""Where the key comes from."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from segmentation.contracts.errors import ConfigError
from segmentation.privacy.key import load_key

TEXT = "0123456789abcdef" * 4


def _file(tmp_path: Path, text: str = TEXT, mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_file_comes_before_the_variable_and_white_space_does_not_count(tmp_path: Path) -> None:
    path = _file(tmp_path, f"{TEXT}\n")
    assert load_key({"SEGMENTATION_KEY_FILE": str(path), "SEGMENTATION_KEY": "x" * 32}) == TEXT.encode()
    assert load_key({"SEGMENTATION_KEY": f" {TEXT} "}) == TEXT.encode()


@pytest.mark.parametrize("environment", [{}, {"SEGMENTATION_KEY": ""}, {"SEGMENTATION_KEY_FILE": ""}])
def test_without_a_key_the_error_says_how_to_make_one(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="openssl rand -hex 32 > key && chmod 600 key"):
        load_key(environment)


def test_a_short_key_is_refused_and_not_quoted(tmp_path: Path) -> None:
    for environment in (
        {"SEGMENTATION_KEY": "secret123"},
        {"SEGMENTATION_KEY_FILE": str(_file(tmp_path, "secret123"))},
    ):
        with pytest.raises(ConfigError, match="9 bytes, and 32 are needed") as error:
            load_key(environment)
        assert "secret123" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nokey' of SEGMENTATION_KEY_FILE cannot be read"):
        load_key({"SEGMENTATION_KEY_FILE": str(tmp_path / "nokey")})


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    file = _file(tmp_path, mode=mode)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            load_key({"SEGMENTATION_KEY_FILE": str(file)})
    assert caplog.text.count("chmod 600") == warned, "once, however many stages read it"
