"""The shipped configuration of UCI Online Retail, on lines as its files have them: every line is accounted for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from deltalake import DeltaTable
from pyspark.sql import SparkSession

from segmentation.runtime.cli import run_command

CONFIG = Path(__file__).parents[2] / "conf" / "online-retail.yml"
HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
FIRST_DAY = """\
536365,85123A,"WHITE HANGING HEART, T-LIGHT HOLDER",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom
536544,21773,DECORATIVE ROSE BATHROOM BOTTLE,1,2010-12-01 14:32:00,2.51,,United Kingdom
"""
SECOND_DAY = """\
536414,22139,,56,2010-12-02 11:52:00,0.0,,United Kingdom
536598,84946,SILVER HOLDER,2,2010-12-02 07:48:00,1.25,17850.0,United Kingdom
536599,84946,SILVER HOLDER,2,no time at all,1.25,13090.0,France
"""


def test_every_line_is_accounted_for(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "2010-12-01.csv").write_text(HEAD + FIRST_DAY, encoding="utf-8")
    (tmp_path / "2010-12-02.csv").write_text(HEAD + SECOND_DAY, encoding="utf-8")
    given = {"warehouse": str(tmp_path / "warehouse"), "sources.invoices.path": f"{tmp_path}/*.csv"}
    changes = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
    command = ["run", "--config", str(CONFIG), *changes, "--stages", "ingest,identity,sessions"]
    assert run_command(command) == 0

    def read(name: str, *columns: str) -> list[dict[str, object]]:
        return DeltaTable(tmp_path / "warehouse" / name).to_pyarrow_table(columns=list(columns)).to_pylist()

    events = read("events", "event_name", "amount", "identifiers")
    assert sorted((row["event_name"], row["amount"]) for row in events) == [
        ("cancellation", Decimal("-27.5")),
        ("purchase", Decimal("2.5")),
        ("purchase", Decimal("15.3")),
        ("purchase", Decimal("20.34")),
    ]
    assert {dict(row["identifiers"])["customer_id"] for row in events} == {"17850", "14527"}
    refused = read("events_quarantine", "reasons")
    assert sorted(row["reasons"] for row in refused) == [["bad_event_ts"], ["no_identifier"], ["no_identifier"]]
    (batch,) = read("ingest_batches", "rows_read", "accepted", "quarantined", "duplicates")
    assert tuple(batch.values()) == (8, 4, 3, 1)
    visits = read("sessions", "events", "amount", "end_reason")
    assert sorted((row["events"], row["amount"]) for row in visits) == [
        (1, Decimal("-27.5")),
        (1, Decimal("2.5")),
        (2, Decimal("35.64")),
    ]
