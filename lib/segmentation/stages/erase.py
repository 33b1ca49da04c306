"""Erasing people: what they are called is written down first, taken out of every table and file, and forgotten last.

Three stages, in one run. `erase` puts the identifiers of the people asked for, and all others of theirs, into
`erasure_work`, and their tombstones beside it; then it takes the people out of delivered files and of all tables but
those of identity. `identity` resolves what is left, by which neighbours come apart that only they had joined. `purge`
deletes every older file of every table, leaves the receipt in `erasures`, and empties `erasure_work`. A run that was
killed anywhere is started again with the same request, and goes on by what stands in `erasure_work`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from functools import reduce
from typing import Any

from delta.tables import DeltaMergeBuilder
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from segmentation.activation.changes import FORGOTTEN
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import InputError
from segmentation.contracts.events import strongest_type
from segmentation.identity.lookup import Identifier, look_up_values
from segmentation.privacy.audit import Act
from segmentation.privacy.data_map import DATA_MAP, Held
from segmentation.privacy.holdings import IDENTIFIER, carried
from segmentation.privacy.tokens import with_token_key
from segmentation.privacy.tombstones import tombstone_column
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages import identity
from segmentation.stages.erase_files import delete_files

_KEPT_ASIDE = {*identity.STAGE.writes, "erasure_work"} - {*identity.STAGE.state}
"""Tables that are made anew from what is left, or emptied last."""


class Erasure:
    """One request: identifiers as their owners write them, and the key of the tombstones."""

    def __init__(self, asked: Sequence[Identifier], key: bytes) -> None:
        self._asked, self._key = asked, key
        self._rows, self._files = Counter[str](), 0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What has to be run, in order, in one run."""
        held = tuple(name for name, columns in DATA_MAP.items() if not columns.nothing)
        return (
            Stage(
                name="erase",
                help="Take people out of every table and delivered file.",
                reads=(),
                writes=tuple(name for name in held if name not in _KEPT_ASIDE),
                run=self._erase,
                depends_on=lambda _: None,
                reusable=False,
            ),
            replace(identity.STAGE, run=_resolve_who_is_left),
            Stage(
                name="purge",
                help="Delete older files of every table, and leave a receipt.",
                reads=(),
                writes=("erasures", "erasure_work"),
                run=self._purge,
                depends_on=lambda _: None,
                reusable=False,
                acts=_list_erasures,
            ),
        )

    def _erase(self, context: StageContext) -> Outcome:
        warehouse = context.warehouse
        _write_down(context, self._asked)
        work = warehouse.read("erasure_work").localCheckpoint()
        self._bury(warehouse, work)
        people = work.where("person_id IS NOT NULL").select("person_id").distinct().localCheckpoint()
        identifiers = work.select(*IDENTIFIER).distinct().localCheckpoint()
        context.tell("searching files")
        self._files = delete_files(warehouse, people, identifiers)
        for name, held in DATA_MAP.items():
            if held.nothing or name in _KEPT_ASIDE:
                continue
            context.tell(f"erasing from {name}")
            if name == "export_members":
                self._rows[name] = self._rename(warehouse, people)
            elif held.remade:
                self._rows[name] = _empty(warehouse, name)
            elif held.identifier_map:
                trust = list(context.settings.identity.identifiers)
                self._rows[name] = _take_out_carriers(warehouse, name, held, identifiers, trust)
            else:
                self._rows[name] = _take_out(warehouse, name, held, people, identifiers)
        if describing := context.settings.identity.describing:
            self._rows["vault"] += take_out_unsaid(warehouse, describing)
        return Outcome(work.count(), self._rows.total(), {name: rows for name, rows in self._rows.items() if rows})

    def _bury(self, warehouse: Warehouse, work: DataFrame) -> None:
        """Sets the tombstones: before anything is deleted, so that nothing comes in again meanwhile."""
        stone = tombstone_column(F.col("identifier_type"), F.col("identifier_value")).alias("tombstone")
        stones = with_token_key(work, self._key).select(stone, "identifier_type", "erasure_id")
        new = stones.join(warehouse.read_or_empty("tombstones"), "tombstone", "left_anti")
        warehouse.append("tombstones", new.dropDuplicates(["tombstone"]))

    def _rename(self, warehouse: Warehouse, people: DataFrame) -> int:
        """Who was told of to a destination stays under a name that says nothing here, until the next delivery has taken
        them out there."""
        name = F.concat(F.lit(FORGOTTEN), F.sha2("person_id", 256))
        renamed = people.select("person_id", name.alias("forgotten"))
        update: dict[str, str | Column] = {"person_id": "change.forgotten"}
        return warehouse.merge("export_members", renamed, ["person_id"], lambda m: m.whenMatchedUpdate(set=update))

    def _purge(self, context: StageContext) -> Outcome:
        warehouse = context.warehouse
        held = [name for name, columns in DATA_MAP.items() if not columns.nothing and warehouse.exists(name)]
        readable = {}
        for name in held:
            if name != "erasure_work":
                context.tell(f"purging {name}")
                readable[name] = warehouse.purge(name)
        receipts = [self._receipt(context, row, readable) for row in _summarise(warehouse.read("erasure_work"))]
        for receipt in receipts:
            row = warehouse.spark.createDataFrame([receipt], CATALOGUE["erasures"].schema)
            warehouse.replace_slice("erasures", row, erasure_id=receipt["erasure_id"])
        warehouse.replace("erasure_work", warehouse.read("erasure_work").limit(0))
        warehouse.purge("erasure_work")
        people = sum(receipt["people"] for receipt in receipts)
        return Outcome(
            rows_in=sum(receipt["identifiers"] for receipt in receipts),
            rows_out=0,
            figures={"people": people, "files_deleted": self._files},
            message="nothing of them is left; destinations are told at the next export",
            result="\n".join(json.dumps(receipt, default=str) for receipt in receipts),
        )

    def _receipt(self, context: StageContext, row: Row, readable: dict[str, int]) -> dict[str, Any]:
        return {
            **row.asDict(),
            "requested_ts": row["requested_ts"].astimezone(UTC),
            "completed_ts": context.now,
            "rows": dict(self._rows),
            "files_deleted": self._files,
            "readable_since": readable,
            "run_id": context.warehouse.run_id,
        }


def _write_down(context: StageContext, asked: Sequence[Identifier]) -> None:
    """Adds to `erasure_work` the identifiers asked for, and all others of the same people. Raises `InputError`."""
    warehouse = context.warehouse
    known = look_up_values(context.spark, context.settings.identity, asked)
    if unfit := [str(number) for number, identifier in enumerate(known, 1) if identifier is None]:
        raise InputError(
            f"Nothing was erased: of the identifiers asked for, number {', '.join(unfit[:5])} cannot be of the type "
            "that it is said to be; correct it."
        )
    named = context.spark.createDataFrame(
        sorted({identifier for identifier in known if identifier}), "identifier_type string, identifier_value string"
    )
    owners = warehouse.read_or_empty("identity_map").select(*IDENTIFIER, "person_id")
    people = owners.join(F.broadcast(named), list(IDENTIFIER), "left_semi").select("person_id").distinct()
    theirs = owners.join(F.broadcast(people), "person_id", "left_semi")
    rows = (
        theirs.join(named.withColumn("asked", F.lit(True)), list(IDENTIFIER), "full_outer")
        .join(warehouse.read_or_empty("erasure_work").select(*IDENTIFIER), list(IDENTIFIER), "left_anti")
        .select(
            F.lit(warehouse.run_id).alias("erasure_id"),
            F.lit(context.now).alias("requested_ts"),
            *IDENTIFIER,
            "person_id",
            F.coalesce("asked", F.lit(False)).alias("asked"),
        )
    )
    warehouse.append("erasure_work", rows)


def _empty(warehouse: Warehouse, name: str) -> int:
    """Takes all rows out of a table, and returns how many."""
    rows = warehouse.read_or_empty(name).count()
    if rows:
        warehouse.replace(name, warehouse.read(name).limit(0))
    return rows


def _take_out(warehouse: Warehouse, name: str, held: Held, people: DataFrame, identifiers: DataFrame) -> int:
    """Deletes the rows that are by a person's id, or by any of its identifiers, the people's."""
    keys: list[tuple[DataFrame, tuple[str, ...]]] = [(people, (held.person,))] if held.person else []
    keys += [(identifiers, pair) for pair in held.identifiers]

    def delete(merge: DeltaMergeBuilder) -> DeltaMergeBuilder:
        return merge.whenMatchedDelete()

    return sum(warehouse.merge(name, values.toDF(*columns), columns, delete) for values, columns in keys)


def take_out_unsaid(warehouse: Warehouse, describing: Sequence[str]) -> int:
    """Deletes from the vault the names, addresses and the like that no event says of anybody any more: being nobody's
    own, they go with the last who had them."""
    types = list(describing)
    said = reduce(
        DataFrame.unionByName,
        (carried(warehouse.read_or_empty(name), "identifiers", types) for name in ("events", "events_quarantine")),
    )
    vault = warehouse.read_or_empty("vault").where(F.col("identifier_type").isin(types))
    unsaid = vault.select("token", "identifier_type").join(
        said.withColumnRenamed("identifier_value", "token"), ["identifier_type", "token"], "left_anti"
    )
    return warehouse.merge("vault", unsaid.localCheckpoint(), ["token"], lambda m: m.whenMatchedDelete())


def _take_out_carriers(
    warehouse: Warehouse, name: str, held: Held, identifiers: DataFrame, trust: Sequence[str]
) -> int:
    """Deletes the rows whose most trusted identifier is the people's; from others' rows, takes theirs out of the map.
    Refused rows go as soon as they carry any: the row as it came stands beside the map; so do derived ones."""
    if not warehouse.exists(name):
        return 0
    assert held.identifier_map, "only for tables with a map of identifiers"
    rows, carried = warehouse.read(name), F.col(held.identifier_map)
    named = ["source", held.text] if held.text else CATALOGUE[name].keys
    keys = [*named, *(column for column in rows.columns if column == "batch_id")]
    found = (
        rows.select(*keys, carried, strongest_type(trust).alias("leading"), F.explode(carried).alias(*IDENTIFIER))
        .join(F.broadcast(identifiers), list(IDENTIFIER), "left_semi")
        .groupBy(*keys)
        .agg(
            F.collect_set("identifier_type").alias("types"),
            F.first("leading").alias("leading"),
            F.first(held.identifier_map).alias("all"),
        )
    )
    if held.text or held.derived:
        doomed = found.select(*keys)
        if held.text:
            doomed = doomed.unionByName(_with_words(rows, held, keys, identifiers)).distinct()
        return warehouse.merge(name, doomed.localCheckpoint(), keys, lambda m: m.whenMatchedDelete())
    changes = found.select(
        *keys,
        F.array_contains("types", F.col("leading")).alias("theirs"),
        F.map_filter("all", lambda kind, _: ~F.array_contains("types", kind)).alias("others"),
    ).localCheckpoint()
    others: dict[str, str | Column] = {held.identifier_map: "change.others"}
    return warehouse.merge(
        name, changes, keys, lambda m: m.whenMatchedDelete("change.theirs").whenMatchedUpdate(set=others)
    )


def _with_words(rows: DataFrame, held: Held, keys: Sequence[str], identifiers: DataFrame) -> DataFrame:
    """Keys of refused rows of which no identifier could be read, and in whose text one stands all the same."""
    unread = rows.where(F.coalesce(F.size(F.col(str(held.identifier_map))), F.lit(0)) <= 0)
    words = unread.select(*keys, F.explode(F.split(str(held.text), r"[^\p{L}\p{N}@._+-]+")).alias("identifier_value"))
    return words.join(F.broadcast(identifiers), "identifier_value", "left_semi").select(*keys)


def _resolve_who_is_left(context: StageContext) -> Outcome:
    """`identity`, also where nobody is left."""
    if not context.read_or_empty("events").isEmpty():
        return identity.run(context)
    for name in _KEPT_ASIDE - {"erasure_work"}:
        context.warehouse.replace(name, context.warehouse.read_or_empty(name).limit(0))
    return Outcome(0, 0)


def _summarise(work: DataFrame) -> list[Row]:
    """One row for each erasure at work: counts only."""
    return (
        work.groupBy("erasure_id")
        .agg(
            F.min("requested_ts").alias("requested_ts"),
            F.count_if("asked").alias("asked"),
            F.count_if(F.col("asked") & F.col("person_id").isNull()).alias("unknown"),
            F.count_distinct("person_id").alias("people"),
            F.count("*").alias("identifiers"),
        )
        .orderBy("requested_ts")
        .collect()
    )


def _list_erasures(warehouse: Warehouse) -> list[Act]:
    """Erasures since the newest that the audit log has."""
    known = warehouse.read_or_empty("audit_log").where("action = 'erasure'").agg(F.max("acted_ts").alias("until"))
    done = warehouse.read_or_empty("erasures").join(known, F.expr("until IS NULL OR completed_ts >= until"))
    counts = ("asked", "unknown", "people", "identifiers", "files_deleted")
    return [
        Act(
            "erasure",
            f"erasure {row['erasure_id']}",
            row["completed_ts"].astimezone(UTC),
            {name: str(row[name]) for name in counts},
        )
        for row in done.select("erasure_id", "completed_ts", *counts).collect()
    ]
