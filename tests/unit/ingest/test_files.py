"""Which files a source has, and reading them whole."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.deliveries import line, settings, source, write_csv

from segmentation.config.sources import Source
from segmentation.contracts.errors import InputError
from segmentation.ingest.files import list_files
from segmentation.ingest.reading import BROKEN, read_rows


def _source(path: Path, **changes: object) -> Source:
    return settings(path.parent, source(path, **changes)).sources[0]


def test_folders_globs_and_files_are_listed_without_what_is_hidden(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "_SUCCESS", ".a.csv.crc", "sub/c.csv", "_temporary/d.csv", "_day=1/e.csv"):
        write_csv(tmp_path / name, [])

    def names(path: Path) -> list[str]:
        return [file.path.rpartition(f"{tmp_path.name}/")[2] for file in list_files(spark, _source(path))]

    assert names(tmp_path) == ["_day=1/e.csv", "a.csv", "b.csv", "sub/c.csv"]
    assert names(tmp_path / "*.csv") == ["a.csv", "b.csv"]
    assert names(tmp_path / "{a,b}.csv") == ["a.csv", "b.csv"]
    assert names(tmp_path / "a.csv") == ["a.csv"]
    for missing in ("c.csv", "nothing/*.csv", "nothing"):
        with pytest.raises(InputError, match=f"Source 'shop': no file matches '{tmp_path}"):
            names(tmp_path / missing)


def test_a_file_written_anew_is_another(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1)])
    before = list_files(spark, _source(path))
    assert list_files(spark, _source(path)) == before
    write_csv(path, [line(1), line(2)])
    assert list_files(spark, _source(path)) != before


def test_columns_keep_their_names_when_their_order_differs_between_files(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path / "in/a.csv", ["1,view,x"], header="id,event,ts")
    write_csv(tmp_path / "in/b.csv", ["view,2,web"], header="\ufeffevent,id,platform")
    (tmp_path / "in/empty.csv").touch()
    with gzip.open(tmp_path / "in/c.csv.gz", "wt") as file:
        file.write('id,event,ts\n3,"say ""hi"", Anna",y\n')
    one = _source(tmp_path / "in")
    found = read_rows(spark, one, list_files(spark, one))
    assert found.own == ("id", "event", "ts", "platform")
    rows = {tuple(row) for row in found.df.select("id", "event", "ts", "platform", BROKEN).collect()}
    assert rows == {
        ("1", "view", "x", None, None),
        ("2", "view", None, "web", None),
        ("3", 'say "hi", Anna', "y", None, None),
    }


def test_a_row_is_joined_to_one_row_of_a_reference_table_or_none(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1), line(2), line(3, id="")])
    table = write_csv(tmp_path / "t.csv", ["e1,toys", ",none", ",none"], header="id,department")
    lookup = {"format": "csv", "path": str(table), "on": ["id"]}
    one = _source(path, lookups=[lookup])
    rows = read_rows(spark, one, list_files(spark, one))
    assert sorted(map(tuple, rows.df.select("uid", "department").collect())) == [
        ("u1", "toys"),
        ("u2", None),
        ("u3", None),
    ]
    assert "department" in rows.columns
    assert "department" not in rows.own
    write_csv(table, ["e1,toys", "e1,games"], header="id,department")
    with pytest.raises(InputError, match=r"t\.csv' has several rows for one id"):
        read_rows(spark, one, list_files(spark, one))
    with pytest.raises(InputError, match="column 'sku' is not on both sides"):
        read_rows(spark, _source(path, lookups=[{**lookup, "on": ["sku"]}]), list_files(spark, one))


def test_json_keeps_texts_as_they_are_and_broken_lines(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"id": 1, "price": 1.10, "user": {"id": "u"}}\n{"id": "x", "pri\n[1]\n', encoding="utf-8")
    one = _source(path, format="json")
    df = read_rows(spark, one, list_files(spark, one)).df
    rows = {(row["id"], row["price"], row["user"] and row["user"]["id"], row[BROKEN]) for row in df.collect()}
    assert rows == {("1", "1.10", "u", None), (None, None, None, '{"id": "x", "pri'), (None, None, None, "[1]")}
    path.write_text("this is\nno JSON\n", encoding="utf-8")
    with pytest.raises(InputError, match="no line of its files is a JSON object"):
        read_rows(spark, one, list_files(spark, one))
