"""Where jars come from: fetched once, whole or not at all, each failure with its coordinate."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from segmentation.contracts.errors import ConfigError
from segmentation.runtime.jars import COORDINATES, fetch, jar_paths

THING = "org.example:thing:1.0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jars are kept, with no registry to be reached: Ivy knows a repository on disk, and a dead proxy."""
    options = f"-Divy.default.ivy.user.dir={tmp_path}/ivy -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", options)
    monkeypatch.setenv("SEGMENTATION_JARS", str(tmp_path / "jars"))
    published = tmp_path / "ivy" / "local" / "org.example" / "thing" / "1.0" / "jars"
    published.mkdir(parents=True)
    with zipfile.ZipFile(published / "thing.jar", "w") as jar:
        jar.writestr("Thing.class", b"")
    return tmp_path / "jars"


def test_a_jar_is_fetched_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch([THING]) == [THING]
    assert jar_paths([THING]) == [folder / "thing-1.0.jar"]
    assert zipfile.ZipFile(folder / "thing-1.0.jar").namelist() == ["Thing.class"]
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert fetch([THING]) == [], "what is there is not asked for again"


def test_what_cannot_be_fetched_is_named_and_leaves_nothing(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"Could not fetch org\.example:other:1\.0 from Maven Central"):
        fetch(["org.example:other:1.0"])
    assert not folder.exists()


def test_without_java_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(ConfigError, match="Java was not found: install Java 17"):
        fetch([THING])


def test_missing_jars_are_named_with_what_fetches_them(folder: Path) -> None:
    with pytest.raises(ConfigError) as error:
        jar_paths()
    assert all(coordinate in str(error.value) for coordinate in COORDINATES)
    assert "scripts/setup" in str(error.value)


def test_a_jar_file_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "graphframes.jar"
    own.touch()
    assert jar_paths([str(own)]) == [own]
    with pytest.raises(ConfigError, match=r"'/nowhere/graphframes\.jar', which does not exist"):
        jar_paths([str(own), "/nowhere/graphframes.jar"])


@pytest.mark.parametrize("wrong", ["delta-spark", "io.delta:delta-spark", "io.delta::4.4.0", "a:b:c:d"])
def test_what_is_neither_coordinate_nor_path_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="neither group:artifact:version nor a path"):
        jar_paths([wrong])
