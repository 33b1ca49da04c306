"""The bytes of a delivered file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from segmentation.activation.folder import Folder
from segmentation.activation.rendering import LINE_ENDINGS, header, render_lines

COLUMNS = ["person_id", "segment_name", "probability", "segment_version"]
PEOPLE = [
    ("p05", None, None, 3),
    ("p01", 'Says "hello", often', 1.0, 3),
    ("p04", "=HYPERLINK(1)", 0.1234567, 3),
    ("p02", "two\nlines\r\nand a half", 0.0, 3),
    ("p03", "  Żółw 🐢 \\ kept  ", 1e-9, 3),
    ("p06", "-1 day", 0.5, 3),
    ("p07", "\ttab", 0.25, 3),
]


@pytest.fixture(scope="module")
def people(spark: SparkSession) -> DataFrame:
    schema = "person_id string, segment_name string, probability double, segment_version bigint"
    return spark.createDataFrame(PEOPLE, schema).repartition(5)


def test_csv_for_machines_to_the_byte(people: DataFrame, tmp_path: Path) -> None:
    folder = Folder(people.sparkSession, str(tmp_path), "the export 'crm'")
    lines = render_lines(people, COLUMNS, "csv", "machine")
    sha256 = folder.write_lines("people.csv", lines, header(COLUMNS, "csv", "lf"), LINE_ENDINGS["lf"])

    found = (tmp_path / "people.csv").read_bytes()
    assert (
        found
        == (
            "person_id,segment_name,probability,segment_version\n"
            'p01,"Says ""hello"", often",1,3\n'
            'p02,"two\nlines\r\nand a half",0,3\n'
            "p03,  Żółw 🐢 \\ kept  ,0,3\n"
            "p04,=HYPERLINK(1),0.123457,3\n"
            "p05,,,3\n"
            "p06,-1 day,0.5,3\n"
            "p07,\ttab,0.25,3\n"
        ).encode()
    )
    assert sha256 == hashlib.sha256(found).hexdigest()
    assert [file.name for file in tmp_path.iterdir()] == ["people.csv"], "nothing is left beside it"
    names = {row["person_id"]: row["segment_name"] for row in csv.DictReader(io.StringIO(found.decode(), newline=""))}
    assert names == {person: name or "" for person, name, *_ in PEOPLE}


def test_csv_for_people_runs_no_formula_and_may_end_lines_in_crlf(people: DataFrame, tmp_path: Path) -> None:
    folder = Folder(people.sparkSession, str(tmp_path), "the export 'team'")
    lines = render_lines(people.where("person_id >= 'p04'"), COLUMNS[:2], "csv", "people")
    folder.write_lines("people.csv", lines, header(COLUMNS[:2], "csv", "crlf"), LINE_ENDINGS["crlf"])
    assert (tmp_path / "people.csv").read_bytes() == (
        b"person_id,segment_name\r\np04,'=HYPERLINK(1)\r\np05,\r\np06,'-1 day\r\np07,'\ttab\r\n"
    )


def test_json_lines(people: DataFrame, tmp_path: Path) -> None:
    folder = Folder(people.sparkSession, str(tmp_path), "the export 'crm'")
    folder.write_lines("people.jsonl", render_lines(people, COLUMNS, "jsonl", "machine"), b"", "\n")
    lines = (tmp_path / "people.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["segment_name"] for line in lines if "segment_name" in line] == [
        name for _, name, *_ in sorted(PEOPLE) if name
    ]
    assert lines[3] == '{"person_id":"p04","segment_name":"=HYPERLINK(1)","probability":0.123457,"segment_version":3}'


def test_nobody_is_a_header(people: DataFrame, tmp_path: Path) -> None:
    folder = Folder(people.sparkSession, str(tmp_path / "new" / "folder"), "the export 'crm'")
    folder.write_lines("x.csv", render_lines(people.where("false"), COLUMNS, "csv", "machine"), b"person_id\n", "\n")
    assert (tmp_path / "new" / "folder" / "x.csv").read_bytes() == b"person_id\n"
