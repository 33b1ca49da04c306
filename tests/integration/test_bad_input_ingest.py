"""Deliveries and configurations that are wrong: the right kind of error, one sentence, and nothing written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.deliveries import HEADER, ingest_once, line, rows, settings, source, write_csv

from segmentation.contracts.errors import ConfigError, InputError, UnreadableError
from segmentation.ingest.batches import Ledger
from segmentation.ingest.deliveries import open_deliveries
from segmentation.ingest.files import list_files
from segmentation.ingest.unreadable import without_unreadable
from segmentation.runtime.warehouse import Warehouse


def _missing(folder: Path, spark: SparkSession) -> dict[str, Any]:
    return source(folder / "nothing/*.csv")


def _empty_folder(folder: Path, spark: SparkSession) -> dict[str, Any]:
    (folder / "in").mkdir()
    return source(folder / "in")


def _empty(folder: Path, spark: SparkSession) -> dict[str, Any]:
    return source(write_csv(folder / "a.csv", []))


def _without_a_header(folder: Path, spark: SparkSession) -> dict[str, Any]:
    (folder / "a.csv").touch()
    return source(folder / "a.csv")


def _parquet(folder: Path, spark: SparkSession, event_id: str = "e1") -> Path:
    spark.createDataFrame(
        [(event_id, "view", "2026-03-01", "u1", 2.5, 1)],
        "id string, event string, ts string, uid string, price double, quantity int",
    ).coalesce(1).write.parquet(str(folder / "in"))
    return next((folder / "in").glob("*.parquet"))


def _cut_parquet(folder: Path, spark: SparkSession) -> dict[str, Any]:
    good = _parquet(folder, spark)
    (folder / "in/cut.parquet").write_bytes(good.read_bytes()[:-20])
    return source(folder / "in", format="parquet")


def _no_parquet(folder: Path, spark: SparkSession) -> dict[str, Any]:
    _parquet(folder, spark)
    write_csv(folder / "in/cut.parquet", [line(1)])
    return source(folder / "in", format="parquet")


def _damaged_parquet(folder: Path, spark: SparkSession) -> dict[str, Any]:
    content = bytearray(_parquet(folder, spark).read_bytes())
    content[4:40] = b"\xff" * 36
    (folder / "in/cut.parquet").write_bytes(content)
    return source(folder / "in", format="parquet")


def _clashing_parquet(folder: Path, spark: SparkSession) -> dict[str, Any]:
    _parquet(folder, spark)
    clashing = spark.sql("select 'e2' id, 'view' event, '2026-03-01' ts, 'u2' uid, 2.5D price, map('a', 1) quantity")
    clashing.coalesce(1).write.mode("append").parquet(str(folder / "in"))
    return source(folder / "in", format="parquet")


def _cut_gzip(folder: Path, spark: SparkSession) -> dict[str, Any]:
    import gzip

    path = folder / "cut.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *(line(n) for n in range(2000))]).encode())[:-3000])
    return source(path)


def _forbidden_amount(folder: Path, spark: SparkSession) -> dict[str, Any]:
    rules = [{"column": "amount", "events": ["purchase"], "min": 0, "severity": "fail"}]
    return source(write_csv(folder / "a.csv", [line(1), line(2, quantity="-1")]), rules=rules)


def _mostly_bad(folder: Path, spark: SparkSession) -> dict[str, Any]:
    return source(write_csv(folder / "a.csv", [line(1), line(2, ts="x"), line(3, ts="x")]), max_bad_share=0.5)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (_missing, r"no file matches '.*nothing/\*\.csv'"),
        (_empty_folder, r"no file matches '.*in'"),
        (_empty, r"is empty: its files have no row"),
        (_without_a_header, r"without even a header"),
        (_cut_parquet, r"the file '.*cut\.parquet' is not Parquet, or was cut short \(1 of 2 files\)"),
        (_no_parquet, r"the file '.*cut\.parquet' is not Parquet, or was cut short"),
        (_damaged_parquet, r"the file '.*cut\.parquet' cannot be read as parquet"),
        (
            _clashing_parquet,
            r"the column 'quantity' is .* in the file '.*parquet' and .* in '.*parquet'; nothing of",
        ),
        (_cut_gzip, r"the file '.*cut\.csv\.gz' cannot be read as csv"),
        (_forbidden_amount, r"amount_below_min 1 of 2 rows break a rule of severity fail"),
        (_mostly_bad, r"2 of 3 rows are bad \(bad_event_ts 2\), more than max_bad_share 0\.5"),
    ],
)
def test_a_delivery_that_cannot_be_taken_is_refused_whole(
    spark: SparkSession, tmp_path: Path, made: Callable[[Path, SparkSession], dict[str, Any]], said: str
) -> None:
    configured = settings(tmp_path / "warehouse", made(tmp_path, spark))
    with pytest.raises(InputError, match=f"^Source 'shop'.*{said}") as error:
        ingest_once(spark, configured)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "warehouse").exists()


def test_files_that_cannot_be_read_are_set_aside_and_told_once_where_that_is_asked_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    good = _parquet(tmp_path, spark).read_bytes()
    # Of both only reading the rows shows it.
    (tmp_path / "in/damaged.parquet").write_bytes(good[:4] + b"\xff" * 36 + good[40:])
    web = {**_cut_gzip(tmp_path, spark), "name": "web", "unreadable": "set_aside"}
    parquet = source(tmp_path / "in", format="parquet", unreadable="set_aside")
    configured = settings(tmp_path / "warehouse", parquet, web)
    outcome = ingest_once(spark, configured)
    assert (outcome.rows_in, outcome.rows_out) == (1, 1)
    assert outcome.figures == {"quarantined": 0, "duplicates": 0, "files_set_aside": 2, "warnings": 2}
    assert re.fullmatch(
        r"shop: 1 of 2 files cannot be read as parquet, '.*damaged\.parquet' first, and are set aside until .* anew; "
        r"web: 1 of 1 files cannot be read as csv, '.*cut\.csv\.gz' first, and are set aside until they come anew",
        outcome.message,
    )
    assert ingest_once(spark, configured).message == "no new files"

    cut = tmp_path / "in/cut.parquet"
    cut.write_bytes(good[:-20])
    assert "1 of 1 files cannot be read as parquet" in ingest_once(spark, configured).message
    said = rows(spark, configured, "ingest_batches", "batch_seq", "source", "status", "accepted")
    assert said[0] == (1, "shop", "done", 1)
    assert said[1:] == [(n, name, "set_aside", 0) for n, name in ((2, "shop"), (3, "web"), (4, "shop"))]
    (aside,) = (row[1] for row in rows(spark, configured, "ingest_batches", "batch_seq", "batch_id") if row[0] == 4)
    with pytest.raises(InputError, match=r"cut\.parquet' is not Parquet"):
        ingest_once(spark, configured, replay=aside)
    cut.write_bytes(_parquet(tmp_path / "again", spark, "e2").read_bytes())
    assert ingest_once(spark, configured).rows_out == 1
    assert rows(spark, configured, "events", "event_id", "batch_seq") == [("e1", 1), ("e2", 5)]


def test_an_unreadable_file_of_a_stream_is_left_to_it_where_it_may_be_set_aside(
    spark: SparkSession, tmp_path: Path
) -> None:
    cut = {**_cut_parquet(tmp_path, spark), "stream": {}}
    next((tmp_path / "in").glob("part-*.parquet")).unlink()
    with pytest.raises(InputError, match="is not Parquet"):
        open_deliveries(spark, settings(tmp_path / "warehouse", cut), Ledger(()))
    tolerant = settings(tmp_path / "warehouse", {**cut, "unreadable": "set_aside"})
    assert open_deliveries(spark, tolerant, Ledger(())) == []


def test_an_empty_file_beside_a_damaged_one_is_none_of_those_set_aside(spark: SparkSession, tmp_path: Path) -> None:
    damaged = _cut_gzip(tmp_path, spark)
    (tmp_path / "empty.csv").touch()
    one = settings(tmp_path, {**damaged, "path": str(tmp_path / "*.csv*"), "unreadable": "set_aside"}).sources[0]
    rest, aside = without_unreadable(spark, one, list_files(spark, one), UnreadableError("damaged"))
    assert rest is None
    assert [Path(file.path).name for file in aside] == ["cut.csv.gz"]


def test_a_mapping_that_is_wrong_stops_all_sources_before_anything_is_written(
    spark: SparkSession, tmp_path: Path
) -> None:
    good = source(write_csv(tmp_path / "a.csv", [line(1)]))
    bad = {**source(tmp_path / "a.csv", columns={"event_name": "evnt", "event_ts": "now()"}), "name": "bad"}
    with pytest.raises(ConfigError) as error:
        ingest_once(spark, settings(tmp_path / "warehouse", good, bad))
    assert [problem.key for problem in error.value.problems] == [
        "sources.1.columns.event_name",
        "sources.1.columns.event_ts",
    ]
    assert not (tmp_path / "warehouse").exists()


def test_a_wrong_mapping_is_found_though_nothing_new_came(spark: SparkSession, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [line(1, quantity="-1"), line(2, price="")])
    assert ingest_once(spark, settings(tmp_path / "warehouse", source(path))).rows_out == 2
    with pytest.raises(ConfigError, match="no column 'evnt'"):
        ingest_once(spark, settings(tmp_path / "warehouse", source(path, columns={"event_name": "evnt"})))


def test_personal_identifiers_need_a_key(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGMENTATION_KEY", raising=False)
    monkeypatch.delenv("SEGMENTATION_KEY_FILE", raising=False)
    path = write_csv(tmp_path / "a.csv", [line(1)])
    personal = source(path, columns={"identifiers": {"email": "email"}})
    with pytest.raises(ConfigError, match="openssl rand"):
        ingest_once(spark, settings(tmp_path / "warehouse", personal))
    assert not (tmp_path / "warehouse").exists()


def test_one_refused_source_leaves_no_trace_and_comes_in_when_it_is_repaired(
    spark: SparkSession, tmp_path: Path
) -> None:
    rules = [{"column": "amount", "min": 0, "severity": "fail"}]
    path = write_csv(tmp_path / "in/a.csv", [line(1), line(2, quantity="-1")])
    configured = settings(tmp_path / "warehouse", source(tmp_path / "in", rules=rules))
    with pytest.raises(InputError):
        ingest_once(spark, configured)
    write_csv(path, [line(1), line(2)])
    assert ingest_once(spark, configured).rows_out == 2
    assert rows(spark, configured, "ingest_batches", "batch_seq", "status", "accepted") == [(1, "done", 2)]


def test_ten_megabytes_in_one_field_are_an_event_or_a_refused_row_like_any_other(
    spark: SparkSession, tmp_path: Path
) -> None:
    long = "x" * 10_000_000
    dots = "a@" + "b." * 5_000_000
    lines = [line(1), line(2, price="1", quantity=long), line(3, uid=long), line(4, uid=dots), line(5, ts=long)]
    shop = source(write_csv(tmp_path / "a.csv", lines), columns={"amount": "price", "identifiers": {"user_id": "uid"}})
    configured = settings(tmp_path / "warehouse", shop)
    outcome = ingest_once(spark, configured)
    assert (outcome.rows_out, outcome.message) == (2, "no_identifier 2, bad_event_ts 1")
    kept = Warehouse(spark, configured.warehouse).read("events")
    sizes = kept.select("event_id", F.length(F.col("properties")["quantity"])).collect()
    assert sorted(map(tuple, sizes)) == [("e1", 1), ("e2", 10_000_000)]
