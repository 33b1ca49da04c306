"""`export`: the published segments to where they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.delivery import Shipment, deliver
from segmentation.activation.folder import Folder
from segmentation.activation.log import DELIVERED, FAILED, Standing, log_row, read_standings
from segmentation.activation.members import Difference, choose_segments, count_difference, select_members
from segmentation.config.settings import Settings
from segmentation.contracts.activation import EXPORT_LOG
from segmentation.contracts.errors import ConfigError, DeliveryError, InputError, Problem, SegmentationError
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
    if not context.warehouse.exists("export_log"):
        empty = context.spark.createDataFrame([], EXPORT_LOG.schema)
        context.warehouse.append_once("export_log", empty, "export", 0)
    standings = read_standings(context.read_or_empty("export_log"))
    done, failures = dict[str, Difference](), list[SegmentationError]()
    for shipment, folder in plan:
        context.tell(f"delivering to {shipment.export.name}")
        try:
            difference = _ship(context, version, shipment, folder, standings.get(shipment.export.name, Standing()))
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
        shipment = Shipment(export, version.segment_version, version.as_of, chosen, names)
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


def _ship(
    context: StageContext, version: Version, shipment: Shipment, folder: Folder, standing: Standing
) -> Difference | None:
    """Makes one delivery and logs it; None where the destination holds it already."""
    export, last = shipment.export, standing.last
    same = last is not None and last.fingerprint == shipment.fingerprint
    if same and folder.exists(shipment.file) and folder.exists(shipment.manifest):
        return None
    segments = context.read("segments")
    members = _members(segments, shipment, shipment.segment_version, shipment.segment_ids)
    before = _members(segments, shipment, last.segment_version, last.segments) if last else None
    difference = count_difference(before, members)
    if context.options.get("dry_run"):
        return difference
    outcome = {"status": DELIVERED, "path": folder.path(shipment.file)}
    failure = None
    try:
        outcome["sha256"] = deliver(shipment, folder, members, difference.rows)
    except DeliveryError as error:
        outcome, failure = {"status": FAILED, "reason": str(error)}, error
    if last is None or failure or (last.segment_version, last.sha256) != (version.segment_version, outcome["sha256"]):
        number = standing.number + 1
        row = log_row(context.spark, shipment, number, difference, context.warehouse.run_id, context.now, outcome)
        context.warehouse.append_once("export_log", row, f"export:{export.name}", number)
    if failure:
        raise failure
    return difference


def _members(segments: DataFrame, shipment: Shipment, version: int, segment_ids: Sequence[str] | None) -> DataFrame:
    rows = segments.where(F.col("segment_version") == version)
    return select_members(rows, segment_ids, shipment.export.columns, shipment.as_of)


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
    help="Deliver the published segments to the configured destinations.",
    reads=("segment_versions", "segments", "segment_profiles"),
    writes=("export_log",),
    state=("export_log",),
    run=run,
    depends_on=_depends_on,
    reusable=False,
    options=(click.Option(["--dry-run"], is_flag=True, help="Only say what would change at each destination."),),
)
