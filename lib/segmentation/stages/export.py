"""`export`: the people of published segments and audiences to where they are used."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation import lake
from segmentation.activation.changes import (
    FORGOTTEN,
    Difference,
    compare_members,
    count_difference,
    count_misnamed,
    find_gone,
    find_new,
    hash_members,
    sample_difference,
)
from segmentation.activation.database import DatabaseTable
from segmentation.activation.delivery import Load, Shipment, deliver, describe, list_files
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
from segmentation.runtime.warehouse import USER_METADATA, Other
from segmentation.segments.versions import published, read_versions
from segmentation.stages.export_people import list_refusing, make_rows, name_people
from segmentation.stages.export_plan import Planned, plan_deliveries

_SAMPLES = 3
"""People of each kind whom a dry run names."""


@dataclass(frozen=True)
class Delivery:
    """What one destination was told, and what could not be: why -> people. `sent_everyone`: why, though changes are
    sent. `samples`: what changes -> ids of people."""

    difference: Difference
    left_out: Mapping[str, int]
    warning: str | None
    sent_everyone: str = ""
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def in_words(self) -> str:
        difference = self.difference
        counts = [f"{getattr(difference, what):,} {what}" for what in ("added", "removed", "changed", "unchanged")]
        counts += [f"{people:,} whose {why}" for why, people in self.left_out.items()]
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
    forgetting = _list_forgetting(context, plan)
    done, failures = dict[str, Delivery](), list[SegmentationError]()
    for planned in plan:
        context.tell(f"delivering to {planned.name}")
        try:
            delivery = _ship(context, planned, forgetting)
        except DeliveryError as error:
            failures.append(error)
        else:
            if delivery is not None:
                done[planned.name] = delivery
    if failures:
        raise failures[0]
    return _outcome(plan, done, dry=bool(context.options.get("dry_run")))


def _list_forgetting(context: StageContext, plan: Sequence[Planned]) -> Collection[tuple[str, int]]:
    """Last deliveries, of destinations of changes, with somebody who was erased since."""
    if not any(planned.shipment.export.sends_changes and planned.standing.last for planned in plan):
        return ()
    held = context.read_or_empty("export_members").where(F.col("person_id").startswith(FORGOTTEN))
    return {tuple(row) for row in held.select("destination", "delivery").distinct().collect()}


def _ship(context: StageContext, planned: Planned, forgetting: Collection[tuple[str, int]]) -> Delivery | None:
    """Makes one delivery and logs it; None where the destination holds it already."""
    shipment, last = planned.shipment, planned.standing.last
    again = planned.name in context.options.get("full", ())
    there = last is not None and _is_there(planned, last)
    forgets = last is not None and (planned.name, last.delivery) in forgetting
    if last and last.fingerprint == shipment.fingerprint and there and not again and not forgets:
        return None
    with settled(make_rows(context, shipment)) as rows:
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
    shipment = planned.shipment
    refusals = list_refusals(rows) if shipment.platform else None
    members = keep_found(rows) if shipment.platform else rows
    meant, held = hash_members(members, shipment.finders), _held(context, planned)
    with counted(compare_members(held, meant)) as compared:
        left_there = None if held is None else _left_there(context, shipment, compared)
        changes = compared if left_there is None else compared.join(left_there, "person_id", "left_anti")
        people = members.count()
        staying = 0 if left_there is None else left_there.count()
        difference = count_difference(changes, people + staying)
        left_out = {} if refusals is None else count_refusals(refusals)
        delivery = Delivery(difference, left_out, warn_of_size(shipment, difference.rows))
        if context.options.get("dry_run"):
            return replace(delivery, samples=sample_difference(changes, _SAMPLES))
        load = Load(members, difference.rows, left_out=left_out)
        now = meant
        outcome, failure = dict[str, Any](status=DELIVERED), None
        try:
            check_size(shipment, difference.rows)
            if held is not None:
                refusing, confirmed = list_refusing(context, shipment), context.options.get("confirm_removals", ())
                outcome["confirmed"] = check_removals(
                    shipment.export, difference, find_gone(changes), refusing, confirmed=planned.name in confirmed
                )
            if held is not None and shipment.export.sends_changes and not whole:
                load = _keep_changes(context, shipment, load, difference, changes)
            if left_there is not None:
                if load.removed is None:
                    # Everyone is who is meant: who had been left there goes when the list is put in place of that one.
                    difference = count_difference(compared, people)
                    load, delivery = replace(load, count=people), replace(delivery, difference=difference)
                else:
                    now = meant.unionByName(find_gone(compared).join(left_there, "person_id", "left_semi"))
            outcome |= _send(planned, load)
        except DeliveryError as error:
            outcome, failure = {"status": FAILED, "reason": str(error)}, error
        _write_down(context, planned, (now, refusals), difference, outcome, failed=failure is not None)
    if failure:
        raise failure
    return replace(delivery, sent_everyone=load.why)


def _write_down(
    context: StageContext,
    planned: Planned,
    people: tuple[DataFrame, DataFrame | None],
    difference: Difference,
    outcome: Mapping[str, Any],
    failed: bool,
) -> None:
    """Keeps whom the destination has now, and of whom it could not be told (`people`), then logs the delivery; not
    where a file that was lost is there again."""
    shipment, last, (now, refusals) = planned.shipment, planned.standing.last, people
    same = last is not None and (last.fingerprint, last.sha256) == (shipment.fingerprint, outcome.get("sha256"))
    if same and not failed and not shipment.export.sends_changes:
        return
    if not failed:
        _hold(context, planned, now)
        _list_refused(context, shipment, refusals)
    row = log_row(context.spark, shipment, difference, context.warehouse.run_id, context.now, outcome)
    context.warehouse.append_once("export_log", row, f"export:{planned.name}", shipment.number)


def _held(context: StageContext, planned: Planned) -> DataFrame | None:
    """Whom the destination was told of in its last delivery."""
    last = planned.standing.last
    if last is None:
        return None
    rows = context.read_or_empty("export_members")
    return rows.where((F.col("destination") == planned.name) & (F.col("delivery") == last.delivery))


def _left_there(context: StageContext, shipment: Shipment, compared: DataFrame) -> DataFrame | None:
    """`person_id` of who is not meant any more and stays at the destination all the same: where it takes nobody out,
    all but who said no or was erased."""
    if shipment.export.mode == "mirror":
        return None
    stay = find_gone(compared).select("person_id").where(~F.col("person_id").startswith(FORGOTTEN))
    for refusing in list_refusing(context, shipment):
        stay = stay.join(refusing, "person_id", "left_anti")
    return stay


def _keep_changes(
    context: StageContext, shipment: Shipment, everyone: Load, difference: Difference, changes: DataFrame
) -> Load:
    """What has to be said so that the destination has whom it is to have; everyone, where it could not be said of
    somebody by what they are known by there."""
    removed = name_people(context, shipment, find_gone(changes).select("person_id"))
    misnamed = count_misnamed(changes, hash_members(removed, shipment.finders))
    if misnamed:
        people = "one person is" if misnamed == 1 else f"{misnamed:,} people are"
        return replace(everyone, why=f"{people} known there by what they are not known by here any more")
    return replace(
        everyone,
        rows=find_new(everyone.rows, changes),
        count=difference.added + difference.changed,
        removed=removed,
        removals=difference.removed,
    )


def _send(planned: Planned, load: Load) -> dict[str, str | None]:
    """Takes a load where it is to go; returns what the log says of it. Where nothing changed nothing is sent."""
    shipment, folder, export = planned.shipment, planned.folder, planned.shipment.export
    if load.removed is not None and not load.count and not load.removals:
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


def _hold(context: StageContext, planned: Planned, now: DataFrame) -> None:
    """Keeps whom the destination has now. Those of the last delivery stay beside them, as they are, until the log knows
    of the new one: whoever is killed in between still counts its difference against what was acknowledged."""
    name, number, last = planned.name, planned.shipment.number, planned.standing.last
    rows = now.select(F.lit(name).alias("destination"), F.lit(number).cast("long").alias("delivery"), *now.columns)
    others = {} if last is None else {"delivery": Other(last.delivery)}
    context.warehouse.replace_slice("export_members", rows, destination=name, **others)


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
