"""Files that appear whole or not at all, and only inside their folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from segmentation.activation.folder import Folder
from segmentation.contracts.errors import ConfigError, DeliveryError


def test_a_write_that_breaks_leaves_what_was_there(spark: SparkSession, tmp_path: Path) -> None:
    folder = Folder(spark, str(tmp_path), "the export 'crm'")
    good, bad = (spark.sql(f"SELECT {line} AS line FROM range(3)") for line in ("'a'", "raise_error('disk')"))
    folder.write_lines("x.csv", good, b"h\n", "\n")
    with pytest.raises(PySparkException):
        folder.write_lines("x.csv", bad, b"h\n", "\n")
    assert (tmp_path / "x.csv").read_bytes() == b"h\na\na\na\n"
    with pytest.raises(PySparkException):
        folder.write_lines("y.csv", bad, b"h\n", "\n")
    assert [file.name for file in tmp_path.iterdir()] == ["x.csv"]


def test_what_a_killed_delivery_left_aside_is_cleared_away(spark: SparkSession, tmp_path: Path) -> None:
    aside = tmp_path / ".x.csv.aside" / "parts"
    aside.mkdir(parents=True)
    (aside / "part-00000-old.txt").write_text("old\n")
    folder = Folder(spark, f"file://{tmp_path}", "the export 'crm'")
    folder.write_lines("x.csv", spark.sql("SELECT 'a' AS line"), b"", "\n")
    assert (tmp_path / "x.csv").read_bytes() == b"a\n"
    assert not (tmp_path / ".x.csv.aside").exists()


def test_a_file_that_is_too_long_does_not_appear(spark: SparkSession, tmp_path: Path) -> None:
    folder = Folder(spark, str(tmp_path), "the export 'jobs'")
    lines = spark.sql("SELECT 'añ' AS line")
    folder.write_lines("x.csv", lines, b"h\n", "\n", most_bytes=6)
    with pytest.raises(DeliveryError, match=r"'jobs' has 6 bytes, and its destination takes 5 at most.* apart\.$"):
        folder.write_lines("y.csv", lines, b"h\n", "\n", most_bytes=5)
    assert [file.name for file in tmp_path.iterdir()] == ["x.csv"]


def test_parts_are_put_together_in_order(spark: SparkSession, tmp_path: Path) -> None:
    folder = Folder(spark, str(tmp_path), "the export 'crm'")
    lines = spark.range(0, 1000, 1, 13).selectExpr("cast(id as string) AS line")
    folder.write_lines("x.csv", lines, b"", "\n")
    assert (tmp_path / "x.csv").read_text().split() == [str(number) for number in range(1000)]
    for name in ("part-99999-a.txt", "part-100000-a.txt", "_SUCCESS"):
        (tmp_path / "parts").mkdir(exist_ok=True)
        (tmp_path / "parts" / name).write_text("")
    found = [path.getName() for path in folder._parts(f"{tmp_path}/parts")]
    assert found == ["part-99999-a.txt", "part-100000-a.txt"]


def test_no_file_lies_outside_of_the_folder(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path)
    folder = Folder(spark, str(tmp_path / "inside"), "the export 'crm'")
    for file in ("../x.csv", "link/x.csv", "", "/etc/x.csv"):
        with pytest.raises(ConfigError, match="'crm' would lie outside"):
            folder.path(file)
    assert folder.path("sub/x.csv") == f"{tmp_path}/inside/sub/x.csv"


def test_a_folder_that_cannot_be_is_a_delivery_error(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError, match="'crm' could not be written to"):
        Folder(spark, str(tmp_path / "file"), "the export 'crm'").write_text("x.json", "{}")
