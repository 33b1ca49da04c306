"""`export`: the people of published segments and audiences to where they are used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation import lake
from segmentation.activation.changes import (
    Difference,
    add_hashes,
    compare_members,
    count_difference,
    count_misnamed,
    find_erased,
    find_gone,
    find_new,
    hash_members,
    is_forgotten,
    sample_difference,
)
from segmentation.activation.database import DatabaseTable
from segmentation.activation.delivery import Load, Shipment, deliver, describe, list_files
from segmentation.activation.held import MOST_CHANGES, list_changed, list_everyone, read_held
from segmentation.activation.limits import check_removals, check_size, warn_of_size
from segmentation.activation.log import DELIVERED, FAILED, LastDelivery, list_deliveries, log_row
from segmentation.activation.records import count_refusals, keep_found, list_refusals
from segmentation.activation.sftp import send_files
from segmentation.config.settings import Settings
from segmentation.contracts.activation import EXPORT_LOG, EXPORT_MEMBERS
from segmentation.contracts.errors import DeliveryError, InputError, SegmentationError
from segmentation.runtime.configured import configured
from segmentation.runtime.plans import counted, settled
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.runtime.warehouse import USER_METADATA, Outside
from segmentation.segments.versions import published, read_versions
from segmentation.stages.export_people import list_refusing, make_rows, name_people
from segmentation.stages.export_plan import Planned, plan_deliveries

_SAMPLES = 3
"""People of each kind whom a dry run names."""

_ONE_TASK = 1_000_000
"""People at a destination, and of a version, up to whom one task reads and compares them: to move them between tasks
would cost as much again."""

_BY_HASH = {"spark.sql.adaptive.maxShuffledHashJoinLocalMapThreshold": "128m"}
"""More people are compared by hash where no task has more than this of them: to sort both sides costs twice as much."""


@dataclass(frozen=True)
class Delivery:
    """What one destination was told, and what could not be: why -> people. `sent_everyone`: why, though changes are
    sent. `erased`: people told of by a hash of their id. `samples`: what changes -> ids of people."""

    difference: Difference
    left_out: Mapping[str, int]
    warning: str | None
    sent_everyone: str = ""
    erased: int = 0
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def in_words(self) -> str:
        difference = self.difference
        counts = [f"{getattr(difference, what):,} {what}" for what in ("added", "removed", "changed", "unchanged")]
        counts += [f"{people:,} whose {why}" for why, people in self.left_out.items()]
        counts += [f"{self.erased:,} erased, told of by a hash"] if self.erased else []
        counts += [f"sent everyone since {self.sent_everyone}"] if self.sent_everyone else []
        return ", ".join([*counts, self.warning] if self.warning else counts)


def run(context: StageContext) -> Outcome:
    """Delivers the published version to every configured destination that does not hold it yet.

    A destination that fails does not keep the others from theirs; it is logged, and the stage fails at the end.
    Raises `InputError` where nothing is published, `ConfigError` before anything is written, `DeliveryError`.
    """
    version = published(read_versions(context.read_or_empty("segment_versions")))
    if version is None:
        raise InputError(
            "No segment version is published, so there is nothing to export: run `segmentation publish` first."
        )
    plan = plan_deliveries(context, version)
    for table in (EXPORT_MEMBERS, EXPORT_LOG):
        context.warehouse.ensure(table.name)
    done, failures = dict[str, Delivery](), list[SegmentationError]()
    for planned in plan:
        context.tell(f"delivering to {planned.name}")
        try:
            delivery = _ship(context, planned)
        except DeliveryError as error:
            failures.append(error)
        else:
            if delivery is not None:
                done[planned.name] = delivery
    if failures:
        raise failures[0]
    return _outcome(plan, done, dry=bool(context.options.get("dry_run")))


def _ship(context: StageContext, planned: Planned) -> Delivery | None:
    """Makes one delivery and logs it; None where the destination holds it already."""
    shipment, last = planned.shipment, planned.standing.last
    again = planned.name in context.options.get("full", ())
    there = last is not None and _is_there(planned, last)
    held_already = last is not None and last.fingerprint == shipment.fingerprint and there
    if held_already and not (again or planned.erased):
        return None
    rows = make_rows(context, shipment)
    # Where changes are sent the comparison brings the rows along, so they are read once.
    is_read_again = shipment.platform is not None or (last is not None and not shipment.export.sends_changes)
    with settled(rows) if is_read_again else nullcontext(rows) as rows:
        return _deliver(context, planned, rows, whole=again or not there)


def _is_there(planned: Planned, last: LastDelivery) -> bool:
    """Whether what was delivered last is still where it was put; of changes, whoever took them may have moved them."""
    export, folder = planned.shipment.export, planned.folder
    if export.type == "delta":
        return lake.is_there(folder.spark, folder.root)
    if export.sends_changes:
        return True
    before = replace(planned.shipment, number=last.delivery)
    return folder.exists(before.file) and folder.exists(before.manifest)


def _deliver(context: StageContext, planned: Planned, rows: DataFrame, whole: bool) -> Delivery:
    shipment, last = planned.shipment, planned.standing.last
    refusals = list_refusals(rows) if shipment.platform else None
    left_out = {} if refusals is None else count_refusals(refusals)
    members = keep_found(rows) if shipment.platform else rows
    held, before = _read_held(context.read_or_empty("export_members"), planned), last.people if last else 0
    with configured(context.spark, _BY_HASH), counted(_compare(held, members, planned)) as compared:
        left_there = None if held is None else _left_there(context, shipment, compared)
        changes = compared if left_there is None else compared.join(left_there, "person_id", "left_anti")
        difference = count_difference(changes, before)
        delivery = Delivery(difference, left_out, warn_of_size(shipment, difference.rows))
        if context.options.get("dry_run"):
            return replace(delivery, samples=sample_difference(changes, _SAMPLES))
        load = Load(find_new(compared) if held is None else members, difference.rows, left_out=left_out)
        outcome, failure = dict[str, Any](status=DELIVERED), None
        try:
            if held is not None and shipment.export.sends_changes and not whole:
                load = _keep_changes(context, planned, load, difference, changes)
            if left_there is not None and load.sent == "everyone":
                everyone = count_difference(compared, before)
                load = replace(load, count=everyone.rows)
                if not shipment.only_adds:
                    # Who had been left there goes when the list is put in place of that one.
                    changes, difference, delivery = compared, everyone, replace(delivery, difference=everyone)
            check_size(shipment, difference.rows)
            if held is not None:
                refusing, confirmed = list_refusing(context, shipment), context.options.get("confirm_removals", ())
                outcome["confirmed"] = check_removals(
                    shipment.export, difference, find_gone(changes), refusing, confirmed=planned.name in confirmed
                )
            if held is not None and shipment.only_adds:
                load = _name_removals(context, shipment, load, changes, difference)
                delivery = replace(delivery, erased=load.erasures)
            outcome |= _send(planned, load)
        except DeliveryError as error:
            outcome, failure = {"status": FAILED, "reason": str(error)}, error
        _write_down(context, planned, (changes, refusals), difference, outcome, failed=failure is not None)
    if failure:
        raise failure
    return replace(delivery, sent_everyone=load.why)


def _compare(held: DataFrame | None, members: DataFrame, planned: Planned) -> DataFrame:
    """`compare_members` of whom the destination has and is to have."""
    now, last = add_hashes(members, planned.shipment.finders), planned.standing.last
    if held is None or last is None or max(last.people, planned.people) > _ONE_TASK:
        return compare_members(held, now)
    return compare_members(held.coalesce(1).hint("shuffle_hash"), now.coalesce(1)).coalesce(1)


def _write_down(
    context: StageContext,
    planned: Planned,
    people: tuple[DataFrame, DataFrame | None],
    difference: Difference,
    outcome: Mapping[str, Any],
    failed: bool,
) -> None:
    """Keeps what changed at the destination, and of whom it could not be told (`people`), then logs the delivery; not
    where a file that was lost is there again, and nobody was erased."""
    shipment, last, (changes, refusals) = planned.shipment, planned.standing.last, people
    same = last is not None and (last.fingerprint, last.sha256) == (shipment.fingerprint, outcome.get("sha256"))
    if same and not failed and not shipment.export.sends_changes and not planned.erased:
        return
    if not failed:
        outcome = {**outcome, **_hold(context, planned, changes, difference)}
        _list_refused(context, shipment, refusals)
    row = log_row(context.spark, shipment, difference, context.warehouse.run_id, context.now, outcome)
    context.warehouse.append_once("export_log", row, f"export:{planned.name}", shipment.number)
    if planned.erased and not failed:
        _forget(context, planned)


def _read_held(rows: DataFrame, planned: Planned) -> DataFrame | None:
    """Rows of `export_members` -> whom the destination has; None: nothing was ever delivered there."""
    return read_held(rows, planned.name, planned.standing.last) if planned.standing.last else None


def _left_there(context: StageContext, shipment: Shipment, compared: DataFrame) -> DataFrame | None:
    """`person_id` of who is not meant any more and stays at the destination all the same: where it takes nobody out,
    all but who said no or was erased."""
    if shipment.export.mode == "mirror":
        return None
    stay = find_gone(compared).select("person_id").where(~is_forgotten())
    for refusing in list_refusing(context, shipment):
        stay = stay.join(refusing, "person_id", "left_anti")
    return stay


def _keep_changes(
    context: StageContext, planned: Planned, everyone: Load, difference: Difference, changes: DataFrame
) -> Load:
    """What has to be said so that the destination has whom it is to have; everyone, where it could not be said of
    somebody by what they are known by there, or where an erasure deleted changes that nobody may have fetched yet."""
    shipment = planned.shipment
    removed = name_people(context, shipment, find_gone(changes).select("person_id"))
    # Those of a file are found by their ids, which nothing but an erasure changes.
    may_be_misnamed = shipment.platform is not None or difference.removed > 0
    misnamed = count_misnamed(changes, hash_members(removed, shipment.finders)) if may_be_misnamed else 0
    if misnamed:
        people = "one person is" if misnamed == 1 else f"{misnamed:,} people are"
        return replace(everyone, why=f"{people} known there by what they are not known by here any more")
    if planned.erased and not shipment.export.is_table:
        return replace(everyone, why="somebody was erased, and the files that were there with them")
    return replace(
        everyone,
        rows=find_new(changes),
        count=difference.added + difference.changed,
        sent="changes",
        removed=removed,
        removals=difference.removed,
    )


def _name_removals(
    context: StageContext, shipment: Shipment, load: Load, changes: DataFrame, difference: Difference
) -> Load:
    """The same for a destination that takes nobody out by itself: with everyone who is to go, and a hash of the id that
    it knows who was erased by."""
    gone = find_gone(changes).select("person_id")
    erased = find_erased(changes)
    erasures = erased.count() if difference.removed else 0
    return replace(
        load,
        removed=name_people(context, shipment, gone.where(~is_forgotten())),
        removals=difference.removed - erasures,
        erased=erased if erasures else None,
        erasures=erasures,
    )


def _send(planned: Planned, load: Load) -> dict[str, str | None]:
    """Takes a load where it is to go; returns what the log says of it. Where nothing changed nothing is sent."""
    shipment, folder, export = planned.shipment, planned.folder, planned.shipment.export
    if load.sent == "changes" and not load.count and not load.removals and not load.erasures:
        return {"sent": load.sent}
    if export.type == "delta":
        with configured(folder.spark, {USER_METADATA: json.dumps(describe(shipment, load), ensure_ascii=False)}):
            lake.bring_up_to_date(folder.root, folder.what, load.rows, load.removed, shipment.columns)
        return {"sent": load.sent, "path": folder.root}
    if export.database:
        table = DatabaseTable(folder.spark, export.database, planned.password or "", folder.what)
        table.bring_up_to_date(load.rows, load.removed, shipment.columns)
        return {"sent": load.sent}
    sha256 = deliver(shipment, folder, load)
    if export.sftp:
        send_files(folder, list_files(shipment, load), export.sftp, planned.password)
    removed = None if load.removed is None else folder.path(shipment.removed_file)
    return {"sent": load.sent, "path": folder.path(shipment.file), "removed_path": removed, "sha256": sha256}


def _hold(context: StageContext, planned: Planned, changes: DataFrame, difference: Difference) -> dict[str, int]:
    """Keeps what changed at the destination, or everyone where that has become much, or what is kept has somebody who
    was erased; returns what the log says of it.

    What the last delivery goes by stays beside it, as it is, until the log knows of the new one: whoever is killed in
    between still counts their difference against what was acknowledged."""
    name, number, last = planned.name, planned.shipment.number, planned.standing.last
    rows, kept, others = list_changed(changes), dict[str, int](), dict[str, object]()
    if last is not None:
        others["delivery"] = Outside(last.everyone, last.delivery)
        kept = {"builds_on": last.everyone, "changes_since": last.changes + difference.rows_told}
    if last is None or planned.erased or kept["changes_since"] > MOST_CHANGES * difference.rows:
        rows, kept = list_everyone(_read_held(context.read_or_empty("export_members"), planned), rows), {}
    whose = {"destination": F.lit(name), "delivery": F.lit(number).cast("long")}
    context.warehouse.replace_slice("export_members", rows.withColumns(whose), destination=name, **others)
    return kept


def _forget(context: StageContext, planned: Planned) -> None:
    """Keeps nothing from before a delivery that wrote everyone: the destination was told of who was erased."""
    nobody, number = context.warehouse.read("export_members").limit(0), planned.shipment.number
    before = {"destination": planned.name, "delivery": Outside(number, number)}
    context.warehouse.replace_slice("export_members", nobody, **before)


def _list_refused(context: StageContext, shipment: Shipment, refusals: DataFrame | None) -> None:
    """Writes down of whom the destination could not be told all, and why. Each delivery tries anew."""
    if refusals is None:
        return
    name = F.lit(shipment.export.name).alias("destination")
    rows = refusals.select(name, F.lit(shipment.number).cast("long").alias("delivery"), *refusals.columns)
    context.warehouse.replace_slice("export_refusals", rows, destination=shipment.export.name)


def _outcome(plan: Sequence[Planned], done: Mapping[str, Delivery], dry: bool) -> Outcome:
    rows = sum(delivery.difference.rows for delivery in done.values())
    told = [f"{name}: {delivery.in_words()}" for name, delivery in done.items()]
    held = [planned.name for planned in plan if planned.name not in done]
    if held:
        told.append(f"{', '.join(held)} {'holds' if len(held) == 1 else 'hold'} it already")
    message = "; ".join(told) or "no exports are configured"
    return Outcome(
        rows_in=rows,
        rows_out=0 if dry else rows,
        figures={"deliveries": 0 if dry else len(done)},
        message=f"nothing is written: {message}" if dry else message,
        result="\n".join(
            f"{name}: {what} {', '.join(people)}"
            for name, delivery in done.items()
            for what, people in delivery.samples.items()
        ),
    )


def _depends_on(settings: Settings) -> object:
    return settings.exports


STAGE = Stage(
    name="export",
    help="Deliver the people of published segments and audiences to the configured destinations.",
    reads=(
        "segment_versions",
        "segments",
        "segment_profiles",
        "audience_members",
        "holdouts",
        "consent",
        "identity_map",
        "vault",
        "persons",
    ),
    writes=("export_log", "export_members", "export_refusals"),
    state=("export_log", "export_members"),
    run=run,
    depends_on=_depends_on,
    reusable=False,
    options=(
        click.Option(["--dry-run"], is_flag=True, help="Only say what would change where, with ids of a few people."),
        click.Option(
            ["--full"],
            multiple=True,
            metavar="NAME",
            help="Send this export everyone again, also where it holds them, or is only sent changes.",
        ),
        click.Option(
            ["--confirm-removals"],
            multiple=True,
            metavar="NAME",
            help="Let this export remove more people than its max_removed_share.",
        ),
    ),
    acts=lambda warehouse: list_deliveries(warehouse.read_or_empty("export_log"), warehouse.read_or_empty("audit_log")),
)
