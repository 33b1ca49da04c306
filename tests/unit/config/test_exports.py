"""The keys of an export."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from segmentation.config.exports import ExportSettings, check_feeds


def test_a_file_has_its_name_and_version() -> None:
    assert ExportSettings(name="crm").file_name(12, 1) == "crm-v12.csv"
    assert ExportSettings(name="crm", type="jsonl", file="daily/{name}.{type}").file_name(12, 1) == "daily/crm.jsonl"


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


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ({"type": "meta"}, "fields says what feeds meta, such as {email: email}"),
        ({"type": "meta", "fields": {"emial": "email"}}, "did you mean 'email'"),
        ({"type": "meta", "fields": {"email": "email"}, "columns": ["person_id"]}, "columns and readers are for files"),
        ({"type": "braze", "fields": {"email": "email"}}, "path is missing: a file for braze has personal values"),
        ({"type": "csv", "fields": {"email": "email"}}, "'csv' is a file: it has columns"),
        ({"type": "csv", "min_confidence": 0.9}, "min_confidence are for platforms; 'csv' is a file"),
    ],
)
def test_a_platform_takes_its_own_fields(export: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ExportSettings.model_validate({"name": "ads", **export})


def test_fields_are_fed_by_what_there_is() -> None:
    identity = {"identifiers": {"email": {}, "user_id": {}}}
    fields = {"email": "e_mail", "external_id": "person_id", "country": "attributes.country", "phone": "phone_number"}
    export = {"name": "ads", "type": "meta", "fields": fields}
    assert ExportSettings.model_validate(export).file_name(3, 1) == "ads-v3.csv"
    problems = check_feeds({"identity": identity, "exports": [{"name": "crm"}, export]})
    assert [(problem.key, problem.suggestion) for problem in problems] == [
        ("exports.1.fields.email", "email"),
        ("exports.1.fields.phone", None),
    ]


SERVER = {"host": "sftp.example.com", "host_key": "ssh-ed25519 AAAA", "user": "shop", "key_file": "key"}
DATABASE = {"url": "jdbc:postgresql://db:5432/crm", "table": "crm.people", "user": "shop", "password_env": "SECRET"}


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ({"type": "table"}, "the type 'table' and a 'database' go together"),
        ({"database": DATABASE}, "the type 'table' and a 'database' go together"),
        ({"type": "delta", "sftp": SERVER}, "'delta' is a table"),
        ({"type": "delta", "columns": ["segment_id"]}, "columns must have person_id"),
        ({"sends": "changes", "file": "crm.csv"}, r"needs \{delivery\} in it"),
        ({"mode": "upsert"}, "mode: upsert needs sends: changes"),
        ({"sftp": {**SERVER, "password_env": "SECRET"}}, "needs a 'key_file' or a 'password_env', and not both"),
        ({"sftp": {**SERVER, "host_key": "trust me"}}, "sftp.host_key"),
        ({"type": "table", "database": {**DATABASE, "url": "jdbc:postgresql://me:secret@db/crm"}}, "database.url"),
        ({"type": "table", "database": {**DATABASE, "url": "jdbc:postgresql://db/crm?password=x"}}, "database.url"),
        ({"type": "table", "database": {**DATABASE, "table": 'people"; DROP TABLE x'}}, "database.table"),
        ({"type": "table", "database": {**DATABASE, "password": "secret"}}, "database.password"),
    ],
)
def test_where_it_goes_fits_what_it_is(export: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ExportSettings.model_validate({"name": "crm", **export})
