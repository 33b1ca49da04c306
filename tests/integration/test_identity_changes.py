"""Going on from what the identity stage did last gives what resolving everything gives, whatever has come since."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.factories import event_values, minimal_settings, write_table
from tests.unit.identity.graphs import START, Sighting, random_histories, tight_settings

from segmentation.config.settings import Settings
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.runner import Request, run_stages
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import identity, identity_resolve

TABLES = ("identity_sightings", "identity_edges", "identity_history", "identity_map", "persons", "person_attributes")
NAMES = {"0": {"name": "Ann Smith"}, "1": {"name": "Smith, Joe"}, "2": {"name": "A. Smith"}}
"""What is said with cookies that end so: they are told apart by it."""
GRAPHS, STIRRED = 40, 12
"""Groups of people that have nothing in common, and to how many of them batches after the first bring anything."""


def events(sightings: list[Sighting], flagged: set[int] = frozenset()) -> list[dict[str, Any]]:
    """Rows of `events`, one a minute in the order given; the flagged are a program's."""
    return [
        {
            "event_id": f"e{number:04}",
            "batch_seq": seq,
            "source": f"source{seq % 2}",
            "identifiers": {**identifiers, **NAMES.get(identifiers.get("cookie", "")[-1:], {})},
            "event_ts": START + timedelta(minutes=number),
            "properties": {"town": f"town {number % 3}"},
            "is_bot": number in flagged,
        }
        for number, (seq, identifiers) in enumerate(sightings)
    ]


def deliver(root: Path, rows: list[dict[str, Any]], batch: int) -> None:
    """Adds the events of one batch."""
    values = [row for row in event_values(rows) if row["batch_seq"] == batch]
    write_table(str(root), "events", values, mode="append")


def histories() -> list[Sighting]:
    """Three batches; what is not of a group that is stirred came with the first."""
    found = random_histories(seed=5, graphs=GRAPHS, batches=3)
    number = {id(one): int(next(iter(one[1].values())).split("-")[0]) for one in found}
    return [one if number[id(one)] < STIRRED else (1, one[1]) for one in found]


def run(spark: SparkSession, settings: Settings) -> StageReport:
    (report,) = run_stages(spark, settings, [identity.STAGE], Request(), Progress("json"))
    return report


def read(spark: SparkSession, root: Path, table: str) -> list[tuple[Any, ...]]:
    df = Warehouse(spark, str(root)).read(table)
    return sorted((tuple(map(str, row)) for row in df.collect()), key=str)


def test_batch_after_batch_comes_to_what_all_of_them_come_to(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_resolve, "FEWEST_ROWS", 0)
    monkeypatch.setattr(identity_resolve, "_MOST_TOUCHED", 0.5)
    overrides = tmp_path / "overrides.yml"
    entries = [
        {"action": "together", "left": "user_id=0-u0", "right": "user_id=0-u1", "reason": "one account too many"},
        {"action": "apart", "left": "user_id=20-u0", "right": "cookie=20-c0", "reason": "a shop's"},
        {"action": "drop", "left": "cookie=1-c0", "reason": "of the hall"},
        {"action": "drop", "left": "cookie=21-c0", "reason": "of another hall"},
        {"action": "together", "left": "user_id=2-u0", "right": "cookie=22-c0", "reason": "says so"},
    ]

    def decide(*numbers: int) -> None:
        """The file has these entries from now on."""
        overrides.write_text(yaml.safe_dump([entries[number] for number in numbers]), encoding="utf-8")

    decide(0, 1, 2)
    rules = {
        **tight_settings().model_dump(exclude_defaults=True),
        "overrides": str(overrides),
        "attributes": {"town": {"field": "properties.town", "prefer": "most_frequent"}},
    }
    lived, once = (tmp_path / name for name in ("lived", "once"))
    settings = {root: minimal_settings(warehouse=str(root), identity=rules) for root in (lived, once)}
    sightings = histories()

    deliver(lived, events(sightings), 1)
    assert run(spark, settings[lived]).mode == "full"
    everyone = Warehouse(spark, str(lived)).read("identity_map").count()
    # One is taken out, as one of another group that no batch stirs is decided.
    decide(0, 1, 3)
    deliver(lived, events(sightings), 2)
    second = run(spark, settings[lived])
    assert second.mode == "incremental"
    assert 0 < second.figures["identifiers_resolved"] < everyone / 2

    decide(3, 2, 4)
    # The third batch shows that some earlier events were a program's: of an untouched group, and of one that it stirs.
    warehouse = Warehouse(spark, str(lived))
    known = warehouse.read("identity_map").where("hub_reason IS NOT NULL").select("identifier_value").collect()
    hubs = {row[0] for row in known}
    somebodys = [
        number
        for number, (seq, identifiers) in enumerate(sightings[:-5])
        if seq <= 2 and len(identifiers) > 1 and not hubs.intersection(identifiers.values())
    ]
    flagged = {*somebodys[::9], max(n for n, (seq, _) in enumerate(sightings) if seq == 3)}
    deliver(lived, events(sightings, flagged), 3)
    bots = spark.createDataFrame([(f"e{number:04}", True) for number in flagged], "event_id string, is_bot boolean")
    warehouse.merge(
        "events", bots, ["event_id"], lambda merge: merge.whenMatchedUpdate(set={"is_bot": "change.is_bot"})
    )
    third = run(spark, settings[lived])
    assert third.mode == "incremental"

    # What was decided after a batch was decided then.
    copytree(lived / "identity_overrides", once / "identity_overrides")
    for batch in (1, 2, 3):
        deliver(once, events(sightings, flagged), batch)
    assert run(spark, settings[once]).mode == "full"
    decided = warehouse.read("identity_overrides").groupBy("step", "change").count().collect()
    assert {(row["step"], row["change"]) for row in decided} == {
        (1, "added"),
        *((step, change) for step in (2, 3) for change in ("added", "removed")),
    }
    for table in TABLES:
        assert read(spark, lived, table) == read(spark, once, table), table
    # The histories are worth comparing.
    changes = {row[0] for row in warehouse.read("identity_history").select("change").distinct().collect()}
    assert changes == {"new", "merge", "split"}
    reasons = {
        row[0] for row in warehouse.read("identity_edges").where("status != 'active'").select("reason").collect()
    }
    assert any("nobody's identifier" in reason for reason in reasons)
    assert any("at most" in reason for reason in reasons)
    assert any("that came within 5 days" in reason for reason in reasons)
    assert any("that one email may be tied to" in reason for reason in reasons)
    assert "would give a person records with other names" in reasons
    since = warehouse.read("identity_map").where(F.col("first_batch_seq") > 1).count()
    assert since > 10
