"""`export`: the people of published segments and audiences to where they are used."""

from __future__ import annotations

from collections.abc import Mapping

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.consent import consenting_people
from segmentation.activation.delivery import Shipment, deliver
from segmentation.activation.folder import Folder
from segmentation.activation.log import (
    DELIVERED,
    FAILED,
    LastDelivery,
    Standing,
    list_deliveries,
    log_row,
    read_standings,
)
from segmentation.activation.members import (
    Difference,
    choose_segments,
    count_difference,
    current_members,
    hash_members,
    select_members,
)
from segmentation.config.exports import ExportSettings
from segmentation.config.settings import Settings
from segmentation.contracts.activation import EXPORT_LOG, EXPORT_MEMBERS
from segmentation.contracts.errors import ConfigError, DeliveryError, InputError, Problem, SegmentationError
from segmentation.experiments.holdouts import control_group
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.segments.versions import Version, published, read_segment_names, read_versions


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
    plan = _plan(context, version)
    for table in (EXPORT_MEMBERS, EXPORT_LOG):
        if not context.warehouse.exists(table.name):
            empty = context.spark.createDataFrame([], table.schema)
            context.warehouse.append_once(table.name, empty, "export", 0)
    standings = read_standings(context.read_or_empty("export_log"))
    done, failures = dict[str, Difference](), list[SegmentationError]()
    for shipment, folder in plan:
        context.tell(f"delivering to {shipment.export.name}")
        try:
            difference = _ship(context, shipment, folder, standings.get(shipment.export.name, Standing()))
        except DeliveryError as error:
            failures.append(error)
        else:
            if difference is not None:
                done[shipment.export.name] = difference
    if failures:
        raise failures[0]
    return _outcome(plan, done, dry=bool(context.options.get("dry_run")))


def _plan(context: StageContext, version: Version) -> list[tuple[Shipment, Folder]]:
    """All deliveries, checked before the first is made."""
    names = read_segment_names(context.read("segment_profiles"), version.segment_version)
    plan, targets = [], dict[str, str]()
    for number, export in enumerate(context.settings.exports):
        chosen = choose_segments(export.segments, names, f"exports.{number}.segments")
        pinned = _pinned(context, export)
        shipment = Shipment(export, version.segment_version, version.as_of, chosen, names, pinned)
        folder = Folder(
            context.spark,
            export.path or context.warehouse.path(f"_exports/{export.name}"),
            f"the export '{export.name}'",
        )
        target = folder.path(shipment.file)
        if target in targets:
            raise ConfigError(
                [Problem(f"exports.{number}.file", f"is the same file as that of '{targets[target]}'", target)]
            )
        targets[target] = export.name
        plan.append((shipment, folder))
    return plan


def _pinned(context: StageContext, export: ExportSettings) -> dict[str, int]:
    """The versions of the tables that say who is in the file, beside the segments."""
    if export.audience is not None and "audience_members" not in context.inputs:
        raise InputError(
            f"Who is in the audience '{export.audience}' is not known yet: run `segmentation audiences` first."
        )
    needed = ["audience_members"] if export.audience is not None else []
    needed += ["holdouts"] if _has_control_group(context, export) else []
    needed += ["consent", "identity_map"] if export.purpose is not None else []
    return {name: context.inputs[name] for name in needed if name in context.inputs}


def _has_control_group(context: StageContext, export: ExportSettings) -> bool:
    return any(audience.name == export.audience and audience.holdout for audience in context.settings.audiences)


def _ship(context: StageContext, shipment: Shipment, folder: Folder, standing: Standing) -> Difference | None:
    """Makes one delivery and logs it; None where the destination holds it already."""
    last = standing.last
    same = last is not None and last.fingerprint == shipment.fingerprint
    if same and folder.exists(shipment.file) and folder.exists(shipment.manifest):
        return None
    members = _members(context, shipment).persist()
    try:
        return _deliver(context, shipment, folder, members, standing)
    finally:
        members.unpersist()


def _deliver(
    context: StageContext, shipment: Shipment, folder: Folder, members: DataFrame, standing: Standing
) -> Difference:
    export, last, number = shipment.export, standing.last, standing.number + 1
    told, held = hash_members(members), _held(context, export, last)
    difference = count_difference(held, told)
    if context.options.get("dry_run"):
        return difference
    outcome = {"status": DELIVERED, "path": folder.path(shipment.file)}
    failure = None
    try:
        outcome["sha256"] = deliver(shipment, folder, members, difference.rows)
    except DeliveryError as error:
        outcome, failure = {"status": FAILED, "reason": str(error)}, error
    if last is None or failure or (last.fingerprint, last.sha256) != (shipment.fingerprint, outcome["sha256"]):
        if not failure:
            _hold(context, export, told, number, held)
        row = log_row(context.spark, shipment, number, difference, context.warehouse.run_id, context.now, outcome)
        context.warehouse.append_once("export_log", row, f"export:{export.name}", number)
    if failure:
        raise failure
    return difference


def _held(context: StageContext, export: ExportSettings, last: LastDelivery | None) -> DataFrame | None:
    """Whom the destination was told of in its last delivery."""
    if last is None:
        return None
    rows = context.read_or_empty("export_members")
    return rows.where((F.col("destination") == export.name) & (F.col("delivery") == last.delivery))


def _hold(
    context: StageContext,
    export: ExportSettings,
    told: DataFrame,
    number: int,
    held: DataFrame | None,
) -> None:
    """Keeps whom the new delivery has. The last one's stay beside them until the log knows of the new one: whoever
    is killed in between still counts its difference against what was acknowledged."""
    rows = told.select(
        F.lit(export.name).alias("destination"), F.lit(number).cast("long").alias("delivery"), "person_id", "told"
    )
    if held is not None:
        rows = rows.unionByName(held)
    context.warehouse.replace_slice("export_members", rows, destination=export.name)


def _members(context: StageContext, shipment: Shipment) -> DataFrame:
    """One row a person with the columns of the file."""
    export, version = shipment.export, shipment.segment_version
    rows = context.read("segments").where(F.col("segment_version") == version)
    if export.audience is not None:
        inside = current_members(context.read("audience_members"), export.audience)
        if _has_control_group(context, export):
            controls = control_group(context.read_or_empty("holdouts"), export.audience)
            inside = inside.join(controls, "person_id", "left_anti")
        rows = inside.join(rows, "person_id", "left").withColumn("segment_version", F.lit(version).cast("long"))
    if export.purpose is not None:
        consent, owners = context.read_or_empty("consent"), context.read_or_empty("identity_map")
        rows = rows.join(consenting_people(consent, owners, export.purpose), "person_id", "left_semi")
    return select_members(rows, shipment.segment_ids, export.columns, shipment.as_of)


def _outcome(plan: list[tuple[Shipment, Folder]], done: Mapping[str, Difference], dry: bool) -> Outcome:
    rows = sum(difference.rows for difference in done.values())
    told = [
        f"{name}: {d.added:,} added, {d.removed:,} removed, {d.changed:,} changed, {d.unchanged:,} unchanged"
        for name, d in done.items()
    ]
    held = [shipment.export.name for shipment, _ in plan if shipment.export.name not in done]
    if held:
        told.append(f"{', '.join(held)} {'holds' if len(held) == 1 else 'hold'} it already")
    message = "; ".join(told) or "no exports are configured"
    return Outcome(
        rows_in=rows,
        rows_out=0 if dry else rows,
        figures={"deliveries": 0 if dry else len(done)},
        message=f"nothing is written: {message}" if dry else message,
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
    ),
    writes=("export_log", "export_members"),
    state=("export_log", "export_members"),
    run=run,
    depends_on=_depends_on,
    reusable=False,
    options=(click.Option(["--dry-run"], is_flag=True, help="Only say what would change at each destination."),),
    acts=lambda warehouse: list_deliveries(warehouse.read_or_empty("export_log"), warehouse.read_or_empty("audit_log")),
)
