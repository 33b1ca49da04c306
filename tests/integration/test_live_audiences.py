"""Live audiences: people come in by their events, once whatever is killed, and as they would at the end of the date."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.factories import event_values, write_table
from tests.finished import KEY, TODAY, FinishedShop
from tests.published import AS_OF, FIRST, Shop

from segmentation.contracts.errors import InputError
from segmentation.runtime.cli import run_command
from segmentation.runtime.warehouse import Warehouse, Written
from segmentation.stages.live import STAGE

NEXT = date(2026, 4, 1)
KEEN = {"name": "keen", "live": True, "who": {"did": {"event": "page_view"}, "at_least": 3, "window_days": 2}}
BACK = {"did": {"event": "page_view"}, "window_days": 1}
WAITING = {"name": "gone", "who": {"did": {"event": "purchase"}, "stopped_days": 20}}


def _deliver(folder: Path, name: str, *views: tuple[str, int]) -> None:
    """A file with so many page views of each person on the day after the shop's last.

    Of the shop's people, every fourth (u3, u7, u11, …) was last there two months before."""
    folder.mkdir(exist_ok=True)
    rows = [
        {"id": f"{name}-{who}-{number}", "at": datetime(2026, 4, 1, 9) + timedelta(minutes=number), "who": who}
        for who, many in views
        for number in range(many)
    ]
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "at", "who"])
        writer.writeheader()
        writer.writerows(rows)


class Killed(BaseException):
    """Stands for the end of the process."""


class Live:
    """A copy of the finished shop with a source that goes on, and with live audiences."""

    def __init__(self, finished: FinishedShop, folder: Path, *audiences: dict[str, Any]) -> None:
        self.source, self.warehouse = folder / "in", folder / "warehouse"
        more = {
            "name": "app",
            "format": "csv",
            "path": str(self.source),
            "options": {"header": True},
            "columns": {
                "event_id": "id",
                "event_name": "'page_view'",
                "event_ts": "to_timestamp(at)",
                "identifiers": {"user_id": "who"},
            },
        }
        self.source.mkdir(parents=True)
        sources = finished.settings["sources"]
        self.config = finished.copy_to(folder, sources=[*sources, more], audiences=list(audiences))

    def run(self, *arguments: str) -> int:
        return run_command([*arguments, "--config", str(self.config)])

    def table(self, name: str) -> list[dict[str, Any]]:
        return DeltaTable(self.warehouse / name).to_pyarrow_table().to_pylist()

    def entered(self, on: date, *audiences: str) -> set[tuple[str, str]]:
        return {
            (row["audience"], row["person_id"])
            for row in self.table("audience_members")
            if row["entered_as_of"] == on and row["left_as_of"] is None and row["audience"] in audiences
        }

    def moments(self, audience: str) -> dict[str, datetime]:
        """Person -> since when they are in it, of those who came in on the day after the shop's last."""
        rows = [r for r in self.table("audience_members") if r["audience"] == audience and r["entered_as_of"] == NEXT]
        return {row["person_id"]: row["entered_ts"] for row in rows if row["left_as_of"] is None}

    def person(self, user: str) -> str:
        rows = self.table("identity_map")
        return next(r["person_id"] for r in rows if (r["identifier_type"], r["identifier_value"]) == ("user_id", user))


@contextmanager
def killed_before_members_are_written(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    append = Warehouse.append

    def die(self: Warehouse, name: str, *rest: Any) -> Written:
        if name == "audience_members":
            raise Killed
        return append(self, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "append", die)
        yield


@pytest.fixture
def live(finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Live:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    # One day more than u3 had: what a feature is now, and not what it was.
    more = {"feature": "days_active", "at_least": _active_days(finished_shop.warehouse)["u3"] + 1}
    at_once = {"name": "at_once", "live": True, "holdout": 0.5, "who": {"all": [more, BACK]}}
    shop = Live(finished_shop, tmp_path / "live", KEEN, at_once, WAITING)
    assert shop.run("audiences") == 0
    return shop


def _active_days(warehouse: Path) -> dict[str, float]:
    """User -> days active at the shop's last date."""
    rows = DeltaTable(warehouse / "features").to_pyarrow_table().to_pylist()
    owners = DeltaTable(warehouse / "identity_map").to_pyarrow_table().to_pylist()
    days = {row["person_id"]: row["days_active"] for row in rows if row["as_of"] == TODAY}
    return {r["identifier_value"]: days[r["person_id"]] for r in owners if r["identifier_type"] == "user_id"}


def test_people_come_in_by_their_events_as_they_would_at_the_end_of_the_date(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deliver(live.source, "1", ("u3", 3), ("u7", 1), ("nobody-knows-them", 9))
    assert live.run("ingest") == 0
    with killed_before_members_are_written(monkeypatch), pytest.raises(Killed):
        live.run("live")
    assert live.entered(NEXT, "keen", "at_once", "gone") == set()
    # The batch comes again.
    assert live.run("live") == 0
    u3, u7, u11 = (live.person(user) for user in ("u3", "u7", "u11"))
    days = _active_days(live.warehouse)
    as_active = {("at_once", u7)} if days["u7"] >= days["u3"] else set()
    assert live.entered(NEXT, "keen", "at_once", "gone") == {("keen", u3), ("at_once", u3), *as_active}
    assert live.moments("keen") == {u3: datetime(2026, 4, 1, 9, 2, tzinfo=UTC)}, "since the newest event of theirs"
    arms = {row["person_id"]: row["arm"] for row in live.table("holdouts")}
    assert {person for name, person in live.entered(NEXT, "at_once")} <= arms.keys()

    # More of the one who lacked some, later on the same day; who is in stays in once.
    _deliver(live.source, "2", ("u3", 1), ("u7", 2), ("u11", 4))
    assert live.run("run", "--stages", "ingest,live") == 0
    assert live.entered(NEXT, "keen") == {("keen", who) for who in (u3, u7, u11)}
    assert live.run("live") == 0
    by_events, moments = live.entered(NEXT, "keen", "at_once"), live.moments("keen")
    kept = {row["person_id"]: row["arm"] for row in live.table("holdouts")}
    assert arms.items() <= kept.items(), "whoever has an arm keeps it"
    members = live.table("audience_members")
    assert len(members) == len({(row["audience"], row["person_id"], row["entered_as_of"]) for row in members})

    # The end of the date, by everyone's features of then: the same people, and those whom nobody knew before.
    assert live.run("run", "--stages", "identity,sessions,features,audiences") == 0
    stranger = live.person("nobody-knows-them")
    assert {pair for pair in live.entered(NEXT, "keen", "at_once") if pair[1] != stranger} == by_events
    assert ("keen", stranger) in live.entered(NEXT, "keen")
    assert live.moments("keen") == moments | {stranger: datetime(2026, 4, 2, tzinfo=UTC)}, (
        "who came in live came in then"
    )
    assert {(row["person_id"], row["arm"]) for row in live.table("holdouts")} >= kept.items(), "also at its end"


def test_people_who_turned_out_to_be_one_have_one_arm_before_anybody_comes_in(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    shop = Shop(spark, tmp_path, audiences=[{**KEEN, "holdout": 0.5}])
    shop.publish(1, v1=FIRST)
    shop.measure(AS_OF, p1=1.0)
    shop.happen({"person_id": "p1"})
    judged = {"run_id": "r", "stage": "audiences", "status": "succeeded", "config_sha256": "c", "code_version": "1"}
    arms = [("p0", "control", 1), ("p1", "treated", 2)]
    shop.put(
        runs=[
            {**judged, "started_ts": datetime(2026, 3, 1), "ended_ts": datetime(2026, 3, 1), "inputs": {"events": 0}}
        ],
        holdouts=[
            {"audience": "keen", "person_id": who, "arm": arm, "stratum": "s-1", "assigned_as_of": date(2026, 2, day)}
            for who, arm, day in arms
        ],
        identity_history=[
            {"identifier_type": "user_id", "identifier_value": "p1", "person_id": "p0", "change": "new"}
            | {"valid_from": datetime(2026, 2, 1), "valid_to": datetime(2026, 2, 20)}
        ],
    )
    for _ in ("first", "again"):
        assert shop.run(STAGE).message == "nobody came in"
        rows = shop.warehouse.read("holdouts").select("person_id", "arm", "other_arm").collect()
        assert [tuple(row) for row in rows] == [("p1", "control", "treated")]


def test_groups_quiet_times_and_the_limit_on_entries_hold_for_who_comes_in_live(
    spark: SparkSession, tmp_path: Path
) -> None:
    def at_once(name: str, event: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "live": True, "who": {"did": {"event": event}, "window_days": 1}, **more}

    offers = {"group": "offers"}
    audiences = [
        at_once("cart", "cart", **offers),
        at_once("seen", "view", **offers),
        at_once("again", "view", again_after_days=30),
        at_once("more", "view"),
    ]
    shop = Shop(spark, tmp_path, audiences=audiences, entry_limit={"entries": 2, "days": 30})
    shop.publish(1, v1=FIRST)
    shop.measure(AS_OF, p1=1.0)
    today = {"event_ts": datetime(2026, 2, 28, 12)}
    did = [("p1", "cart"), ("p1", "view"), ("p2", "cart"), ("p2", "view"), ("p3", "view")]
    shop.happen(*({"person_id": who, "event_name": name, **today} for who, name in did))
    judged = {"run_id": "r", "stage": "audiences", "status": "succeeded", "config_sha256": "c", "code_version": "1"}
    then = datetime(2026, 2, 28)
    shop.put(
        runs=[{**judged, "started_ts": then, "ended_ts": then, "inputs": {"events": 0}}],
        audience_members=[
            {"audience": "seen", "person_id": "p2", "entered_as_of": date(2026, 2, 20)},
            {
                "audience": "again",
                "person_id": "p3",
                "entered_as_of": date(2025, 12, 1),
                "left_as_of": date(2026, 2, 9),
            },
        ],
    )
    assert shop.run(STAGE).message == "came in: again 2, cart 1, more 1, seen 1"
    members = shop.warehouse.read("audience_members").where(F.col("entered_as_of") == AS_OF)
    came = {("cart", "p1"), ("again", "p1"), ("again", "p2"), ("seen", "p3"), ("more", "p3")}
    assert {(row["audience"], row["person_id"]) for row in members.collect()} == came
    once_more = [
        {"event_id": f"later {who}", "event_name": "view", "event_ts": datetime(2026, 2, 28, 13)}
        | {"identifiers": {"user_id": who}}
        for who in ("p1", "p2", "p3")
    ]
    write_table(shop.warehouse.root, "events", event_values(once_more), mode="append")
    assert shop.run(STAGE).message == "nobody came in", "entries of the same day count"


def test_without_live_audiences_it_is_said(spark: SparkSession, tmp_path: Path) -> None:
    shop = Shop(spark, tmp_path, audiences=[WAITING])
    shop.publish(1, v1=FIRST)
    shop.happen({"person_id": "p1"})
    assert shop.run(STAGE).message == "no audience is live"
    live = Shop(spark, tmp_path, audiences=[KEEN])
    with pytest.raises(InputError, match="run `segmentation audiences` first"):
        live.run(STAGE)
