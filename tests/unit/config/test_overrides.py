"""The file of overrides: read as YAML or CSV, and every problem said at once, without a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentation.config.overrides import OverrideEntry, read_overrides
from segmentation.contracts.errors import ConfigError

ENTRIES = [
    OverrideEntry(action="together", left="user_id=1", right="email=a@b.com", reason="one, and the same"),
    OverrideEntry(action="drop", left="cookie=x=y", reason="a kiosk"),
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "o.yml",
            "- {action: together, left: user_id=1, right: email=a@b.com, reason: 'one, and the same'}\n"
            "- {action: drop, left: cookie=x=y, reason: a kiosk}\n",
        ),
        (
            "o.csv",
            "action,left,right,reason\n"
            'together,user_id=1,email=a@b.com,"one, and the same"\n'
            "drop,cookie=x=y,,a kiosk\n",
        ),
    ],
)
def test_both_formats_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_overrides(str(path)) == ENTRIES
    path.write_text("" if name.endswith("yml") else "action,left,right,reason\n", encoding="utf-8")
    assert read_overrides(str(path)) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "o.yml",
            "- {action: marry, left: ann@example.com, right: user_id=1, reason: r}\n"
            "- {action: drop, left: user_id=1, right: cookie=2, reason: r}\n"
            "- {action: apart, left: user_id=1, reason: r, who: ann@example.com}\n"
            "- ann@example.com\n",
            ["entry 1.action: must be one of together, apart, drop", "entry 1.left: must be type=value",
             "entry 2: `drop` takes only left", "entry 3.who: unknown key", "entry 4: "],
        ),
        ("o.yml", "left: [ann@example.com", ["is not valid YAML at line 1"]),
        ("o.yml", "left: ann@example.com", ["must hold a list of overrides"]),
        ("o.csv", "left,who\nann@example.com,1\n", ["must have the columns action, left, right, reason"]),
        ("o.csv", "", ["must have the columns"]),
        ("o.csv", "action,left,right,reason\ndrop,ann@example.com,,\n", ["entry 1.left: must be", "is missing"]),
        ("o.csv", "action,left,right,reason\ndrop,user_id=1,,r,ann@example.com\n", ["entry 1"]),
    ],
)  # fmt: skip
def test_every_problem_is_said_and_no_value(tmp_path: Path, name: str, text: str, said: list[str]) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        read_overrides(str(path))
    assert all(part in str(raised.value) for part in said), raised.value
    assert "ann@" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"identity\.overrides: the file '.*none\.yml' cannot be read"):
        read_overrides(str(tmp_path / "none.yml"))
