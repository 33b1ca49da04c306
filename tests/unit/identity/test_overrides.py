"""Overrides that contradict each other, or name what there is not: named by number, and no value is said."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from tests.unit.identity.graphs import identity_settings

from segmentation.config.overrides import OverrideEntry
from segmentation.contracts.errors import ConfigError
from segmentation.identity.overrides import resolve_entries


def _entry(action: str, left: str, right: str | None = None) -> OverrideEntry:
    return OverrideEntry.model_validate({"action": action, "left": left, "right": right, "reason": "said so"})


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            [_entry("together", "cookie=secret", "user_id=1"), _entry("drop", "cookie= secret ")],
            "entry 2: drops an identifier that entry 1 forces together",
        ),
        (
            [
                _entry("together", "cookie=secret", "user_id=1"),
                _entry("together", "cookie=secret", "cookie=b"),
                _entry("apart", "cookie=b", "user_id=1"),
            ],
            "entry 3: keeps apart what entry 2, entry 1 forces together",
        ),
        ([_entry("apart", "cookie=secret", "cookie=secret ")], "entry 1: `apart` names the same identifier twice"),
        ([_entry("together", "cookie=secret", "cookie=secret")], "entry 1: `together` names the same identifier twice"),
        ([_entry("drop", "cookie=a"), _entry("drop", "cooky=secret")], "entry 2: there is no identifier type 'cooky'"),
        ([_entry("drop", "cookie=null")], "entry 1: one of its values is a placeholder"),
    ],
)
def test_what_cannot_be_followed_is_refused(spark: SparkSession, entries: list[OverrideEntry], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        resolve_entries(spark, entries, identity_settings())
    assert said in str(error.value)
    assert "secret" not in str(error.value)
