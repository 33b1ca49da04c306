"""Which files hold a value."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.sql import SparkSession

from segmentation.privacy.files import find_files


def test_files_that_hold_a_value_are_found(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "_exports" / "a b"
    (folder / "deep").mkdir(parents=True)
    for name, text in {
        "quoted.csv": 'id,mail\n1,"ann@example.com"\n',
        "deep/lines.jsonl": '{"id":"c/77-x:9"}\n',
        "other.csv": "id,mail\n2,joann@example.com\n77,x\n",
        "empty.csv": "",
    }.items():
        (folder / name).write_text(text)
    values = spark.createDataFrame([("ann@example.com",), ("c/77-x:9",), ("//",)], "value string")
    assert find_files([str(folder)], values) == [f"file:{folder}/{name}" for name in ("deep/lines.jsonl", "quoted.csv")]
    assert find_files([str(folder / "other.csv")], values) == []
    assert find_files([], values) == []


def test_compressed_files_are_read_too(spark: SparkSession, tmp_path: Path) -> None:
    for name, person in {"with.parquet": "ann", "without.parquet": "joann"}.items():
        frame = pd.DataFrame({"n": [1, 2], f"of_{person}": [f"{person}@example.com", None]})
        frame.to_parquet(tmp_path / name, compression="gzip")
    (tmp_path / "with.csv").write_text("ann@example.com\n")
    values = spark.createDataFrame([("ann@example.com",)], "value string")
    paths = [str(tmp_path / name) for name in ("with.parquet", "without.parquet", "with.csv")]
    assert find_files(paths, values) == [f"file:{tmp_path}/{name}" for name in ("with.csv", "with.parquet")]


def test_what_models_and_checkpoints_keep_in_their_folders_is_read(spark: SparkSession, tmp_path: Path) -> None:
    names = ("ann", "joann", "zoe")
    people = spark.createDataFrame([(f"{who}@example.com", float(len(who))) for who in names], "mail string, n double")
    StringIndexer(inputCol="mail", outputCol="index").fit(people).save(str(tmp_path / "models" / "labels"))
    numbers = VectorAssembler(inputCols=["n"], outputCol="features").transform(people)
    KMeans(k=2, seed=1).fit(numbers).save(str(tmp_path / "models" / "clusters"))
    offsets = tmp_path / "streams" / "_audiences" / "offsets"
    offsets.mkdir(parents=True)
    (offsets / "0").write_text("v1\nbob@example.com\n")

    def found(who: str) -> list[str]:
        values = spark.createDataFrame([(f"{who}@example.com",)], "value string")
        paths = find_files([str(tmp_path / "models"), str(tmp_path / "streams")], values)
        return [Path(path.removeprefix("file:")).relative_to(tmp_path).parts[1] for path in paths]

    assert (found("joann"), found("bob"), found("cat")) == (["labels"], ["_audiences"], [])
