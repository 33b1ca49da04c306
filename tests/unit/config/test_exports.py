"""The keys of an export."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from segmentation.config.exports import ExportSettings


def test_a_file_has_its_name_and_version() -> None:
    assert ExportSettings(name="crm").file_name(12) == "crm-v12.csv"
    assert ExportSettings(name="crm", type="jsonl", file="daily/{name}.{type}").file_name(12) == "daily/crm.jsonl"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", "exports/../../etc"),
        ("path", "..\\exports"),
        ("file", "../people.csv"),
        ("file", "/etc/people.csv"),
        ("file", "a/../../b.csv"),
        ("file", "a\\..\\b.csv"),
        ("file", "hdfs:b.csv"),
        ("file", ""),
        ("file", "{person}.csv"),
        ("file", "{name.csv"),
        ("columns", ["person_id", "person_id"]),
        ("columns", ["email"]),
        ("columns", []),
        ("type", "xlsx"),
    ],
)
def test_what_would_leave_the_folder_or_the_list_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as error:
        ExportSettings.model_validate({"name": "crm", key: value})
    assert error.value.errors()[0]["loc"][0] == key
