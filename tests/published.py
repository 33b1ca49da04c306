"""A warehouse with published segments, and stages on it without the record of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import export
from tests.factories import event_values, identity_values, minimal_settings, write_table

NAMES = {"s-1": "High-value, lapsing", "s-2": "Frequent"}
FIRST = {"p1": "s-1", "p2": "s-1", "p3": "s-2"}
SECOND = {"p1": "s-1", "p2": "s-2", "p4": "s-2"}
AS_OF = date(2026, 2, 28)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Shop:
    """A warehouse with versions of segments, and a configuration with exports and whatever else is given."""

    def __init__(self, spark: SparkSession, root: Path, *exports: dict[str, Any], **sections: Any) -> None:
        self.spark, self.root = spark, root
        self.settings = minimal_settings(warehouse=str(root / "warehouse"), exports=list(exports), **sections)
        self.warehouse = Warehouse(spark, str(root / "warehouse"), "r")

    def put(self, **tables: Iterable[dict[str, Any]]) -> None:
        """Makes tables have these rows."""
        for name, rows in tables.items():
            write_table(self.warehouse.root, name, rows)
        # Whoever has a warehouse takes itself for the only one who writes.
        self.warehouse = Warehouse(self.spark, self.warehouse.root, "r")

    def publish(self, current: int | None, **versions: dict[str, str]) -> None:
        """Makes `current` the published one among versions `v1`, `v2`, …, each person -> segment."""
        rows: dict[str, list[dict[str, Any]]] = {"segment_versions": [], "segments": [], "segment_profiles": []}
        for name, members in versions.items():
            number = int(name[1:])
            version = {"segment_version": number}
            status = "published" if number == current else "retired"
            rows["segment_versions"].append(
                {**version, "as_of": AS_OF, "model_id": "m", "status": status, "inputs": {}, "metrics": {}}
                | {"created_ts": NOW, "config_sha256": "c", "code_version": "1", "continuity": "{}", "fingerprint": "f"}
            )
            for person, segment in members.items():
                row = {"person_id": person, "segment_id": segment, "segment_name": NAMES[segment], "method": "model"}
                rows["segments"].append({**version, **row})
            for segment, title in NAMES.items():
                row = {"segment_id": segment, "segment_name": title, "description": "", "size": 1, "share": 0.5}
                rows["segment_profiles"].append({**version, **row})
        self.put(**rows)

    def measure(self, as_of: date, **recency: float) -> None:
        """Features of people at a date."""
        rows = [(person, as_of, "set", float(days)) for person, days in recency.items()]
        schema = "person_id string, as_of date, feature_set string, recency double"
        self.warehouse.replace_slice("features", self.spark.createDataFrame(rows, schema), as_of=as_of)

    def happen(self, *events: dict[str, Any]) -> None:
        """Events of people, each known by a user id that is the person's id."""
        rows = [{**event, "identifiers": {"user_id": event["person_id"]}} for event in events]
        owners = {("user_id", event["person_id"]): event["person_id"] for event in events}
        self.put(events=event_values(rows), identity_map=identity_values(owners))

    def members(self, **audiences: list[str]) -> None:
        """Makes these people the members of audiences."""
        pairs = [(audience, person) for audience, people in audiences.items() for person in people]
        rows = [{"audience": audience, "person_id": person, "entered_as_of": AS_OF} for audience, person in pairs]
        self.put(audience_members=rows)

    def know(self, **people: tuple[str, str]) -> None:
        """What is known of people: an e-mail address, in the vault, and a country."""
        owners, vault, persons = dict[tuple[str, str], str](), list[dict[str, Any]](), list[dict[str, Any]]()
        for person, (address, country) in people.items():
            owners |= {("email", f"token of {person}"): person, ("user_id", person): person}
            vault.append({"token": f"token of {person}", "identifier_type": "email", "value": address})
            persons.append({"person_id": person, "identifier_count": 2, "attributes": {"country": country}})
        seen = {"first_seen": NOW, "last_seen": NOW}
        self.put(
            identity_map=identity_values(owners),
            vault=[{**row, "first_batch_id": "b"} for row in vault],
            persons=[{**seen, **row} for row in persons],
        )

    def say(self, *statements: tuple[str, bool, int], purposes: Sequence[str] = ("marketing",)) -> None:
        """What people say: who, yes or no, and on which day of the month; of `purposes` in turn, beginning anew."""
        rows = [
            {"identifier_type": "user_id", "identifier_value": person, "purpose": purposes[number % len(purposes)]}
            | {"granted": granted, "consent_ts": datetime(2026, 2, day), "source": "web"}
            | {"event_id": f"e{number}", "batch_id": "b"}
            for number, (person, granted, day) in enumerate(statements)
        ]
        self.put(consent=rows)

    def context(self, stage: Stage, as_of: date = AS_OF, now: datetime = NOW, **options: Any) -> StageContext:
        """What a run would give a stage."""
        versions = {name: self.warehouse.version(name) for name in (*stage.reads, *stage.state)}
        return StageContext(
            spark=self.spark,
            settings=self.settings,
            warehouse=self.warehouse,
            inputs={name: version for name, version in versions.items() if version is not None},
            now=now,
            tell=lambda _: None,
            code_version="1",
            as_of_option=as_of,
            options=options,
        )

    def run(self, stage: Stage, **options: Any) -> Outcome:
        """Runs a stage by itself."""
        return stage.run(self.context(stage, **options))

    def export(self, **options: Any) -> str:
        """Delivers; returns what it said."""
        return self.run(export.STAGE, **options).message

    def dry_run(self) -> Outcome:
        """What a delivery would be."""
        return self.run(export.STAGE, dry_run=True)

    def log(self) -> list[Row]:
        """Deliveries in order, in short."""
        columns = ["delivery", "segment_version", "added", "removed", "changed", "unchanged", "status"]
        return [tuple(row) for row in self.warehouse.read("export_log").orderBy("delivery").select(columns).collect()]
