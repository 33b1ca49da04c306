"""The configuration: every problem at once, in the words of who wrote the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentation.config.settings import load_settings
from segmentation.contracts.errors import ConfigError

GOOD = """
warehouse: ./warehouse
sources:
  - name: web
    format: parquet
    path: data/web/*.parquet
    columns:
      event_name: event
      event_ts: to_timestamp(ts)
      identifiers: {user_id: uid, cookie: anon_id}
identity:
  identifiers:
    user_id: {max_per_person: 1}
    cookie: {}
"""


def _file(folder: Path, text: str = GOOD) -> Path:
    path = folder / "conf.yml"
    path.write_text(text, encoding="utf-8")
    return path


def _refused(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(_file(folder, text), overrides)
    assert caught.value.exit_status == 2
    return str(caught.value)


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    settings = load_settings(_file(tmp_path), base=tmp_path)
    assert settings.warehouse == str(tmp_path / "warehouse")
    assert settings.sources[0].path == str(tmp_path / "data/web/*.parquet")
    assert settings.sessions.timeout_minutes == 30
    assert not settings.identity.is_personal("cookie")


def test_all_problems_are_reported_together_with_what_was_meant(tmp_path: Path) -> None:
    text = GOOD.replace("format: parquet", "format: parqet").replace("warehouse:", "warehose:")
    said = _refused(tmp_path, text + "sessions: {timeout_minutes: 0, tmeout: 3}\n")
    for expected in (
        "warehouse: is missing",
        "warehose: unknown key; did you mean 'warehouse'?",
        "sources.0.format: must be one of",
        "did you mean 'parquet'?",
        "sessions.timeout_minutes: input should be greater than 0 (found 0)",
        "sessions.tmeout: unknown key; did you mean 'timeout_minutes'?",
    ):
        assert expected in said


def test_an_identifier_type_that_is_not_declared(tmp_path: Path) -> None:
    said = _refused(tmp_path, GOOD.replace("cookie: anon_id", "cookei: anon_id"))
    assert "sources.0.columns.identifiers.cookei" in said
    assert "did you mean 'cookie'?" in said


def test_a_field_that_no_source_maps(tmp_path: Path) -> None:
    mapped = GOOD.replace("cookie: anon_id}", "cookie: anon_id}\n      properties: {department: dept}")
    asked = """
features:
  purchase: {all: [{event: buy}, {field: properties.departement, exists: true}]}
  define: [{name: keys, aggregate: distinct, of: identifiers.cookei}]
  mixes: [{name: department, field: properties.department, values: [tea]}]
audiences:
  - {name: some, who: {did: {field: properties.price, at_least: 5}}}
"""
    said = _refused(tmp_path, mapped + asked)
    for expected in (
        "features.purchase.all.1.field: no source maps 'properties.departement' under columns.properties; "
        "did you mean 'properties.department'?",
        "features.define.0.of: no source maps 'identifiers.cookei' under columns.identifiers; "
        "did you mean 'identifiers.cookie'?",
        "audiences.0.who.did.field: no source maps 'properties.price'",
    ):
        assert expected in said
    assert "mixes" not in said


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    assert "the key 'warehouse' stands twice" in _refused(tmp_path, GOOD + "warehouse: other\n")


def test_text_that_is_not_yaml_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "not valid YAML at line" in _refused(tmp_path, "a: [1\nb: }")
    with pytest.raises(ConfigError, match="There is no configuration file"):
        load_settings(tmp_path / "none.yml")


def test_single_values_can_be_overridden(tmp_path: Path) -> None:
    overrides = [
        "sessions.timeout_minutes=45",
        "sources.web.path=s3a://bucket/web",
        "warehouse=main.segments",
    ]
    settings = load_settings(_file(tmp_path), overrides)
    assert settings.sessions.timeout_minutes == 45
    assert settings.sources[0].path == "s3a://bucket/web"
    assert settings.warehouse == "main.segments"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sessions", "takes key.path=value"),
        ("sources.app.path=x", "has no item 'app'"),
        ("sessions.tmeout=1", "did you mean 'timeout_minutes'?"),
        ("warehouse.x.y=1", "there is nothing below"),
    ],
)
def test_an_override_that_fits_nowhere(tmp_path: Path, override: str, said: str) -> None:
    assert said in _refused(tmp_path, GOOD, override)


def test_a_file_of_a_package(tmp_path: Path) -> None:
    found = load_settings(_file(tmp_path, GOOD.replace("data/web/*.parquet", "package:pyspark/version.py")))
    assert Path(found.sources[0].path).is_file()
    said = _refused(tmp_path, GOOD.replace("data/web/*.parquet", "package:not_a_package_here/x.parquet"))
    assert "the Python package 'not_a_package_here' is not installed" in said
