"""What Java is started with."""

from __future__ import annotations

import pytest

from segmentation.runtime.jvm import java_options


@pytest.mark.parametrize(
    ("own", "collectors"),
    [
        ("", ["-XX:+UseParallelGC"]),
        ("-Xms2g -XX:+UseStringDeduplication", ["-XX:+UseParallelGC"]),
        ("-XX:+UseZGC -Xms2g", ["-XX:+UseZGC"]),
    ],
)
def test_java_is_told_one_collector_and_the_users_own_words_last(own: str, collectors: list[str]) -> None:
    told = java_options(own).split()
    assert [option for option in told if option.startswith("-XX:+Use") and option.endswith("GC")] == collectors
    assert " ".join(told).endswith(own)


@pytest.mark.parametrize("name", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"])
def test_a_collector_that_the_environment_names_is_the_only_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "-XX:+UseSerialGC")
    assert "-XX:+UseParallelGC" not in java_options()
